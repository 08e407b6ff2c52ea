/** Principals of the mesh's trust domain mean those of its aliases, too: a mesh that changes its name keeps its policy. policy-semantics §4.5. */

/** Everybody's word for the mesh's own domain. */
const OWN = "cluster.local";
/** `domain/ns/namespace/sa/account`. */
const PARTS = 5;

/** @param trustDomains the mesh's own, then its aliases */
export function withAliases(principals: readonly string[], trustDomains: readonly string[]): readonly string[] {
  return principals.flatMap((principal) => {
    const parts = principal.split("/");
    const domain = parts[0] ?? "";
    if (parts.length !== PARTS || domain === "*") return [principal];
    if (domain !== OWN && !trustDomains.some((each) => likeDomain(domain, each))) return [principal];
    const rest = parts.slice(1).join("/");
    return [...new Set(trustDomains.map((each) => (endsLike(each, domain) ? principal : `${each}/${rest}`)))];
  });
}

/** In both directions, since either may be a pattern. */
function likeDomain(a: string, b: string): boolean {
  return a === b || beginsLike(a, b) || beginsLike(b, a) || endsLike(a, b) || endsLike(b, a);
}

function beginsLike(text: string, pattern: string): boolean {
  return pattern.endsWith("*") && text.startsWith(pattern.slice(0, -1));
}

function endsLike(text: string, pattern: string): boolean {
  return pattern.startsWith("*") && text.endsWith(pattern.slice(1));
}
