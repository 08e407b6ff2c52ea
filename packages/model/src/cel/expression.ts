/** Expressions of Telemetry resources: a documented subset of CEL over Envoy's attributes. policy-semantics §3.7. */

export type CelValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly CelValue[]
  | { readonly [key: string]: CelValue };

/** What an expression may ask: `request.path`, `request.headers` with a key, `response.code`. Undefined: it is not there. */
export interface CelAttributes {
  attribute(path: string): CelValue;
  /** Of a map-like attribute: `request.headers['x-user']` by its lower-case name. */
  entry(path: string, key: string): CelValue;
}

export interface CelExpression {
  /** As written. */
  readonly source: string;
  /** Undefined where it fails, as CEL does on what is not there: a filter then lets nothing through, a tag stays `unknown`. */
  evaluate(attributes: CelAttributes): CelValue;
}
