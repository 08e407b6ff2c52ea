/** A path as it may be shown and compared: a query may hold secrets, and has as many values as there are callers. */
export function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** What follows `?`; empty for nothing. */
export function queryOf(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? "" : path.slice(query + 1);
}
