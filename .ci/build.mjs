// `npm run build`: compiles, then bundles. Also the set-up of suites that start processes of what is built.

import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Where nothing has changed it takes a second or two. With TEST_BUILT=1 all is built: other suites run beside this one. */
export default async function build() {
  if (process.env.TEST_BUILT === "1") return;
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-b"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("the sources do not compile; the lines above say why");
  const { bundlePackages } = await import("./bundle.mjs"); // not before its dependency is installed
  await bundlePackages(root);
}

// Run, not imported; by whatever link its folder is reached.
const [, script] = process.argv;
if (script !== undefined && realpathSync(script) === realpathSync(fileURLToPath(import.meta.url))) {
  delete process.env.TEST_BUILT; // who asks for it by name gets it
  await build().catch((error) => {
    console.error(`inmesh: ${error.message}`);
    process.exitCode = 1;
  });
}
