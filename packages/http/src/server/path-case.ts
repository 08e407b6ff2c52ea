/** Applications that take `/ADMIN` for `/admin`: rules that compare paths have to know. */

interface ExpressLike {
  readonly settings?: unknown;
  enabled?(setting: string): boolean;
}

/** Express says so by its setting, which is off unless somebody turns it on. */
export function foldsPathCase(application: unknown): boolean {
  if (typeof application !== "function") return false;
  const { settings, enabled } = application as ExpressLike;
  if (typeof settings !== "object" || typeof enabled !== "function") return false;
  return !enabled.call(application, "case sensitive routing");
}
