/** Host names of policy: short names, wildcards, which of two is the more specific. policy-semantics §0.2, §0.3. */

/** The only cluster domain there is: nothing sets another one. */
export const CLUSTER_DOMAIN = "cluster.local";

/** A name without a dot belongs to the namespace of the rule that uses it; any dot stops expansion. */
export function qualifiedHost(name: string, namespace: string): string {
  const lower = name.toLowerCase();
  if (lower === "" || lower === "*" || lower.includes(".") || lower.includes(":")) return trimDot(lower);
  return `${lower}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

export function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/** Every host that `host` stands for, `pattern` stands for too. A wildcard is never covered by an exact name. */
export function hostCovers(pattern: string, host: string): boolean {
  if (!isWildcard(pattern)) return pattern === host;
  // `*.foo.com` does not cover `foo.com`, and a suffix covers itself only as a wildcard.
  const suffix = pattern.slice(1);
  return isWildcard(host) ? host.slice(1).endsWith(suffix) : host.length > suffix.length && host.endsWith(suffix);
}

/** Some host is meant by both. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/** Sorts the more specific host first: exact before wildcard, then longer, then by alphabet. */
export function compareSpecificity(a: string, b: string): number {
  const wildA = isWildcard(a);
  if (wildA !== isWildcard(b)) return wildA ? 1 : -1;
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Fully qualified names a caller in `namespace` may mean by `host`, best first: `foo` (own namespace only), `foo.ns`,
 * `foo.ns.svc`, and the name itself (policy-semantics §1.2, §10.8).
 * @param host lower-case, without port or trailing dot
 */
export function hostCandidates(host: string, namespace: string): readonly string[] {
  if (host.endsWith(`.svc.${CLUSTER_DOMAIN}`)) return [host];
  const dots = host.split(".").length - 1;
  if (dots === 0) return [host, `${host}.${namespace}.svc.${CLUSTER_DOMAIN}`];
  if (dots === 1) return [host, `${host}.svc.${CLUSTER_DOMAIN}`];
  return dots === 2 && host.endsWith(".svc") ? [host, `${host}.${CLUSTER_DOMAIN}`] : [host];
}

/** Lower-case, without a trailing dot, without the brackets of an IPv6 literal. */
export function normalizedHost(host: string): string {
  const lower = trimDot(host.toLowerCase());
  return lower.startsWith("[") && lower.endsWith("]") ? lower.slice(1, -1) : lower;
}

function trimDot(host: string): string {
  return host.length > 1 && host.endsWith(".") ? host.slice(0, -1) : host;
}
