/** Values as AuthorizationPolicies write them: exact, `prefix*`, `*suffix`, and `*` for anything that is there. policy-semantics §4.5. */

export type Pattern =
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly text: string }
  /** Some value that is not empty. */
  | { readonly kind: "present" };

/** A star anywhere else is a star. */
export function parsePattern(value: string): Pattern {
  if (value === "*") return { kind: "present" };
  if (value.startsWith("*")) return { kind: "suffix", text: value.slice(1) };
  if (value.endsWith("*")) return { kind: "prefix", text: value.slice(0, -1) };
  return { kind: "exact", text: value };
}

export function fits(pattern: Pattern, value: string): boolean {
  switch (pattern.kind) {
    case "exact":
      return value === pattern.text;
    case "prefix":
      return value.startsWith(pattern.text);
    case "suffix":
      return value.endsWith(pattern.text);
    case "present":
      return value !== "";
  }
}

/** Whether one of the patterns fits one of the values; nothing fits where there is none. */
export function fitsAny(patterns: readonly Pattern[], value: string | readonly string[] | undefined): boolean {
  if (value === undefined) return false;
  for (const pattern of patterns) {
    if (typeof value === "string" ? fits(pattern, value) : value.some((each) => fits(pattern, each))) return true;
  }
  return false;
}
