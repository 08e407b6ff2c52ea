// Gives every workspace one version, and the packages' dependencies on each other with it: node .ci/setversion.mjs 0.2.0

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const version = process.argv[2] ?? "";
if (!/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/i.test(version)) {
  console.error(`setversion: found "${version}", expected a version such as 0.2.0 or 0.2.0-rc.1.`);
  process.exit(2);
}

const manifests = ["packages", "examples", "test"]
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(root, folder, name, "package.json")))
  .filter((file) => existsSync(file))
  .concat(join(root, "package.json"));
const read = (file) => JSON.parse(readFileSync(file, "utf8"));
const ours = new Set(manifests.map((file) => read(file).name));

for (const file of manifests) {
  const manifest = read(file);
  manifest.version = version;
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"]) {
    for (const name of Object.keys(manifest[kind] ?? {})) if (ours.has(name)) manifest[kind][name] = version;
  }
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
const { status } = spawnSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], {
  cwd: root,
  stdio: "inherit",
  shell: process.platform === "win32",
});
process.exit(status ?? 1);
