/** Lowest Node this version runs on, as in package.json's engines. */
const LOWEST = [20, 19] as const;

/**
 * @param version as `process.version` says it
 * @param loadsEsm whether `require` loads ES modules: missing in Node 21 and in 22 before 22.12, and where it is switched off
 * @returns what to tell the user; undefined when all is well
 */
export function nodeTooOld(version: string, loadsEsm: boolean): string | undefined {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  const old = major < LOWEST[0] || (major === LOWEST[0] && minor < LOWEST[1]);
  if (!old && loadsEsm) return undefined;
  const [wrong, needed] =
    old || major < 23
      ? ["is too old", "20.19, 22.12 or newer is needed"]
      : ["cannot require() ES modules", "run it without --no-experimental-require-module"];
  return `Node ${version} ${wrong}, ${needed}. This process runs without the mesh`;
}
