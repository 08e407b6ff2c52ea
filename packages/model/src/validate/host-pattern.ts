/** How host patterns relate: only a leading `*` is special, and it stands for any text. policy-semantics §0.3. */

/** Some name is covered by both. */
export function hostsOverlap(a: string, b: string): boolean {
  const [aWild, bWild] = [a.startsWith("*"), b.startsWith("*")];
  if (aWild && bWild) return a.length < b.length ? b.endsWith(a.slice(1)) : a.endsWith(b.slice(1));
  if (aWild) return b.endsWith(a.slice(1));
  return bWild ? a.endsWith(b.slice(1)) : a === b;
}

/** Every name covered by `inner` is covered by `outer`. */
export function isHostSubset(inner: string, outer: string): boolean {
  if (!outer.startsWith("*")) return inner === outer;
  return inner.startsWith("*")
    ? inner.length >= outer.length && inner.endsWith(outer.slice(1))
    : inner.endsWith(outer.slice(1));
}
