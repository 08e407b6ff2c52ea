/** One rule of an AuthorizationPolicy, compiled. policy-semantics §4.5 to §4.7. */

import type { AuthorizationRuleSpec } from "../../kind/authorization-policy.js";
import type { AccessAction } from "../../snapshot/security.js";
import { ANYTHING, allOf, anyOf, type Clause, not } from "./clause.js";
import { conditionField, type Field, type FieldContext, OPERATION_FIELDS, SOURCE_FIELDS } from "./field-clause.js";

/** What is judged: a request, or a connection that is no HTTP. */
export type Plane = "http" | "tcp";

/**
 * @returns undefined where nothing can match. On a connection that is no HTTP a rule that asks for what only HTTP has lets
 *   nobody in, and keeps out whoever the rest of it means: an ALLOW rule is dropped, of others the part that cannot be asked
 */
export function compileRule(
  { from = [], to = [], when = [] }: AuthorizationRuleSpec,
  action: AccessAction,
  plane: Plane,
  context: FieldContext,
): Clause | undefined {
  const maker = new RuleMaker(plane, context);
  const sources = from.map(({ source = {} }) => allOf(maker.fields(source, SOURCE_FIELDS)));
  const operations = to.map(({ operation = {} }) => allOf(maker.fields(operation, OPERATION_FIELDS)));
  const conditions = when.map(({ key = "", values = [], notValues = [] }) =>
    allOf(maker.both(conditionField(key), values, notValues)),
  );
  if (maker.dropped && action === "ALLOW") return undefined;
  return allOf([
    sources.length === 0 ? ANYTHING : anyOf(sources),
    operations.length === 0 ? ANYTHING : anyOf(operations),
    ...conditions,
  ]);
}

class RuleMaker {
  /** Something could not be asked. */
  dropped = false;
  readonly #plane: Plane;
  readonly #context: FieldContext;

  constructor(plane: Plane, context: FieldContext) {
    this.#plane = plane;
    this.#context = context;
  }

  /** @param spec of a source or an operation: each field has its opposite */
  fields(
    spec: Readonly<Record<string, readonly string[] | undefined>>,
    known: Readonly<Record<string, Field>>,
  ): Clause[] {
    return Object.entries(known).flatMap(([name, field]) => {
      const opposite = `not${name[0]?.toUpperCase()}${name.slice(1)}`;
      return this.both(field, spec[name] ?? [], spec[opposite] ?? []);
    });
  }

  both(field: Field | undefined, values: readonly string[], notValues: readonly string[]): Clause[] {
    if (values.length === 0 && notValues.length === 0) return [];
    if (field === undefined || (field.ofHttp && this.#plane === "tcp")) {
      this.dropped = true;
      return [];
    }
    return [
      ...(values.length > 0 ? [field.clause(values, this.#context)] : []),
      ...(notValues.length > 0 ? [not(field.clause(notValues, this.#context))] : []),
    ];
  }
}
