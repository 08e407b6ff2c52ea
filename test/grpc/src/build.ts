/** Brings dist/ up to date before child processes load it; a moment when nothing changed. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export default function build(): void {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-b", "packages/node"], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`tsc -b packages/node: ${stdout}`);
}
