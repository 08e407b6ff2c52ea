/** Lowest Node this version runs on, as in package.json's engines. */
const LOWEST = [20, 19] as const;

/** @param version as `process.version` says it @returns what to tell the user; undefined when all is well */
export function nodeTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  if (major > LOWEST[0] || (major === LOWEST[0] && minor >= LOWEST[1])) return undefined;
  return `Node ${version} is too old, ${LOWEST.join(".")} or newer is needed. This process runs without the mesh`;
}
