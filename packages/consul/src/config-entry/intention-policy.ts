/**
 * Intentions as AuthorizationPolicies.
 *
 * Consul takes the first intention that fits a source and a destination: exact names before `*`, the destination's first.
 * Its permissions are read in order, too, and where none holds the default decides. Istio has no order within an action, so
 * each destination gets one policy of the action that is not the default, whose rules leave out what came before them. What
 * Istio cannot say (a path by a regular expression) is never let in by it: an allowance is left out, a refusal takes more.
 */

import type { Intention, IntentionSource, NotHonoured, Permission, ValueMatch } from "./config-entry.js";

type Action = "allow" | "deny";
type Spec = Readonly<Record<string, unknown>>;

export interface PolicyInput {
  readonly intentions: readonly Intention[];
  readonly otherwise: Action;
  /** Short name and namespace of a service by its name in Consul; undefined for one that no process here can be. */
  readonly nameOf: (service: string) => { readonly service: string; readonly namespace: string } | undefined;
}

export interface IntentionPolicy {
  readonly spec: Spec;
  readonly notHonoured: readonly NotHonoured[];
  /** Entries it is made of. */
  readonly origins: readonly string[];
}

/** Istio's limit of rules in one policy. */
const MAX_RULES = 512;
const TRUST_DOMAIN = "cluster.local";

/** What one service lets in; undefined: the default for everybody. */
export function intentionPolicy(destination: string, input: PolicyInput): IntentionPolicy | undefined {
  const own = ordered(destination, input.intentions);
  const notHonoured: NotHonoured[] = [];
  const used = own.filter(({ source, origin }) => {
    if (source.peer === "") return true;
    const why = "It speaks of another cluster, so nobody of this mesh is meant.";
    notHonoured.push({ field: `${origin}: source ${source.name}@${source.peer}`, why, severity: "info" });
    return false;
  });
  if (used.length === 0) return undefined;
  const name = input.nameOf(destination);
  if (name === undefined) return undefined;
  const maker = new RuleMaker(input, notHonoured);
  const rules = used.flatMap(({ source }, index) =>
    maker.rules(
      source,
      used.slice(0, index).map((each) => each.source),
    ),
  );
  if (rules.length > MAX_RULES) {
    const why = `They need ${rules.length} rules, Istio has ${MAX_RULES} in a policy: nobody is let in.`;
    notHonoured.push({ field: "Sources", why });
  }
  const action = input.otherwise === "allow" ? "DENY" : "ALLOW";
  const kept = rules.length <= MAX_RULES ? rules : action === "DENY" ? [{}] : [];
  if (action === "DENY" && kept.length === 0) return undefined;
  return {
    spec: { selector: { matchLabels: { app: name.service } }, action, ...(kept.length > 0 && { rules: kept }) },
    notHonoured,
    origins: [...new Set(used.map(({ origin }) => origin))],
  };
}

/** The destination's own before those for all; named sources before `*`. */
function ordered(destination: string, intentions: readonly Intention[]) {
  const all = intentions
    .filter((each) => each.destination === destination || each.destination === "*")
    .flatMap(({ destination: to, sources, origin }) => sources.map((source) => ({ to, source, origin })));
  const rank = ({ to, source }: (typeof all)[number]): number => (to === "*" ? 2 : 0) + (source.name === "*" ? 1 : 0);
  const sorted = all.sort((a, b) => rank(a) - rank(b));
  const everybody = sorted.findIndex(({ source: { name, peer } }) => name === "*" && peer === "");
  const seen = new Set<string>();
  // Behind one for everybody nothing is asked any more.
  return sorted.slice(0, everybody < 0 ? undefined : everybody + 1).filter(({ source: { name, peer } }) => {
    const key = `${name}@${peer}`;
    if (seen.has(key)) return false; // decided by an intention before it
    seen.add(key);
    return true;
  });
}

/** One way for a request to look: everything in it holds. */
interface Shape {
  readonly operation: Readonly<Record<string, readonly string[]>>;
  readonly when: readonly Spec[];
}

const ANY: Shape = { operation: {}, when: [] };

class RuleMaker {
  readonly #input: PolicyInput;
  readonly #notHonoured: NotHonoured[];
  /** The action that rules are written for. */
  readonly #wanted: Action;

  constructor(input: PolicyInput, notHonoured: NotHonoured[]) {
    this.#input = input;
    this.#notHonoured = notHonoured;
    this.#wanted = input.otherwise === "allow" ? "deny" : "allow";
  }

  /** @param before whose intentions come first: `*` means everybody else */
  rules(source: IntentionSource, before: readonly IntentionSource[]): Spec[] {
    const from = this.#from(source, before);
    if (from === undefined) return [];
    return this.#shapes(source).map(({ operation, when }) => ({
      ...(Object.keys(from).length > 0 && { from: [{ source: from }] }),
      ...(Object.keys(operation).length > 0 && { to: [{ operation }] }),
      ...(when.length > 0 && { when }),
    }));
  }

  #from({ name }: IntentionSource, before: readonly IntentionSource[]): Spec | undefined {
    if (name !== "*") {
      const principal = this.#principal(name);
      return principal === undefined ? undefined : { principals: [principal] };
    }
    const others = before.flatMap((each) => (each.name === "*" ? [] : (this.#principal(each.name) ?? [])));
    // Whoever shows no identity is refused with the rest, and never let in.
    return {
      ...(this.#wanted === "allow" && { principals: ["*"] }),
      ...(others.length > 0 && { notPrincipals: others }),
    };
  }

  #principal(name: string): string | undefined {
    const found = this.#input.nameOf(name);
    return found && `${TRUST_DOMAIN}/ns/${found.namespace}/sa/${found.service}`;
  }

  #shapes({ name, action, permissions }: IntentionSource): readonly Shape[] {
    if (action !== undefined) return action === this.#wanted ? [ANY] : [];
    const shapes: Shape[] = [];
    let open: readonly Shape[] = [ANY];
    for (const permission of permissions) {
      const exact = inIstio(permission);
      if (!exact) {
        const field = `Permissions of source ${name}`;
        const deny = permission.action === "deny";
        const why = deny ? "All paths are refused where one is." : "It lets nobody in.";
        this.#notHonoured.push({ field, why: `Istio cannot say ${shownPermission(permission)}. ${why}` });
        if (!deny) continue;
      }
      if (permission.action === this.#wanted) shapes.push(...open.flatMap((shape) => both(shape, shapeOf(permission))));
      open = open.flatMap((shape) => opposites(permission).flatMap((other) => both(shape, other)));
      if (open.length + shapes.length > MAX_RULES) return [...shapes, ...open].slice(0, MAX_RULES + 1);
    }
    return shapes;
  }
}

function inIstio({ pathRegex, headers, needsToken, pathExact, pathPrefix }: Permission): boolean {
  if (needsToken || pathRegex !== undefined || [pathExact, pathPrefix].some((path) => path?.includes("*")))
    return false;
  return headers.every((header) => patternOf(header) !== undefined);
}

function shapeOf(permission: Permission): Shape {
  const path = pathPattern(permission);
  const { methods, headers } = permission;
  return {
    operation: { ...(path !== undefined && { paths: [path] }), ...(methods.length > 0 && { methods }) },
    when: headers.flatMap((header) => condition(header, false)),
  };
}

/** Everything but the permission: one shape for each thing that may be different. */
function opposites(permission: Permission): readonly Shape[] {
  const path = pathPattern(permission);
  const { methods, headers } = permission;
  return [
    ...(path === undefined ? [] : [{ operation: { notPaths: [path] }, when: [] }]),
    ...(methods.length === 0 ? [] : [{ operation: { notMethods: methods }, when: [] }]),
    ...headers.flatMap((header) => condition(header, true).map((when): Shape => ({ operation: {}, when: [when] }))),
  ];
}

function both(a: Shape, b: Shape): Shape[] {
  const operation: Record<string, readonly string[]> = { ...a.operation };
  for (const [field, values] of Object.entries(b.operation)) {
    const before = operation[field];
    if (before === undefined || field.startsWith("not"))
      operation[field] = [...new Set([...(before ?? []), ...values])];
    else {
      const common = before.filter((value) => values.includes(value));
      if (common.length === 0) return [];
      operation[field] = common;
    }
  }
  return [{ operation, when: [...a.when, ...b.when] }];
}

function pathPattern({ pathExact, pathPrefix }: Permission): string | undefined {
  if (pathExact !== undefined) return pathExact;
  return pathPrefix === undefined || pathPrefix === "/" ? undefined : `${pathPrefix}*`;
}

/** An inverted value is one that is there and differs. @param negated the condition does not hold: one of these */
function condition(header: ValueMatch, negated: boolean): Spec[] {
  const pattern = patternOf(header);
  if (pattern === undefined) return [];
  const key = `request.headers[${header.name}]`;
  const present = header.kind === "present";
  if (!negated) {
    if (!header.invert) return [{ key, values: [pattern] }];
    return present ? [{ key, notValues: ["*"] }] : [{ key, values: ["*"], notValues: [pattern] }];
  }
  if (!header.invert) return [{ key, notValues: [pattern] }];
  return present
    ? [{ key, values: ["*"] }]
    : [
        { key, notValues: ["*"] },
        { key, values: [pattern] },
      ];
}

function patternOf({ kind, value, ignoreCase }: ValueMatch): string | undefined {
  if (kind === "present") return "*";
  if (ignoreCase || kind === "regex" || kind === "contains" || value.includes("*")) return undefined;
  return { exact: value, prefix: `${value}*`, suffix: `*${value}` }[kind];
}

function shownPermission({ pathRegex, needsToken, headers }: Permission): string {
  if (pathRegex !== undefined) return `PathRegex ${JSON.stringify(pathRegex)}`;
  if (needsToken) return "JWT here";
  const header = headers.find((each) => patternOf(each) === undefined);
  return header === undefined ? "a path with *" : `header ${header.name} by ${header.kind}`;
}
