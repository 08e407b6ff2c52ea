/** Path of a key: its slashes stay. */
export function keyPath(key: string): string {
  return `/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}
