/** Labels of workloads and selectors on them. */

export type Labels = Readonly<Record<string, string>>;

/** `labels` contain every pair of `wanted`; an empty selector takes everybody. */
export function hasLabels(labels: Labels, wanted: Labels): boolean {
  for (const key in wanted) if (labels[key] !== wanted[key]) return false;
  return true;
}

/** No pair of `wanted` is denied: each key is missing or has the wanted value. */
export function allowsLabels(labels: Labels, wanted: Labels): boolean {
  for (const key in wanted) if (labels[key] !== undefined && labels[key] !== wanted[key]) return false;
  return true;
}
