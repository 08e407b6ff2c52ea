/** exportTo: which namespaces see a resource. policy-semantics §0.6. */

/** `*` beats everything beside it; `.` is the resource's own namespace; `~` shows it to nobody. */
export function isVisible(exportTo: readonly string[], owner: string, viewer: string): boolean {
  for (const entry of exportTo) {
    if (entry === "*" || entry === viewer || (entry === "." && owner === viewer)) return true;
  }
  return false;
}

/** The list as written, or the mesh's default for an empty one. */
export function effectiveExportTo(
  written: readonly string[] | undefined,
  fallback: readonly string[],
): readonly string[] {
  return written === undefined || written.length === 0 ? fallback : written;
}
