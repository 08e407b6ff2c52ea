// Makes a clone runnable: installs what the lock file names and builds what changed. Needs nothing but Node and npm.
// Called by the pre-scripts of `npm start`, `npm test` and `npm run bench`; quick when there is nothing to do.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MINIMUM = [20, 19];
const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "node_modules", ".inmesh-installed");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
  console.error(
    `inmesh needs Node ${MINIMUM.join(".")} or newer; this is ${process.version}. Install a newer Node and try again.`,
  );
  process.exit(1);
}

/** Changes with every manifest and with the Node version: native packages differ by it. */
function manifestHash() {
  const hash = createHash("sha256").update(process.version.split(".")[0]);
  for (const file of ["package.json", "package-lock.json", ...manifests()]) {
    const path = join(root, file);
    if (existsSync(path)) hash.update(file).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function manifests() {
  const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const found = [];
  for (const pattern of workspaces) found.push(...listWorkspaces(pattern.replace(/\/\*$/, "")));
  return found.sort();
}

function listWorkspaces(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, folder, entry.name, "package.json")))
    .map((entry) => `${folder}/${entry.name}/package.json`);
}

function run(title, command, args) {
  console.error(`inmesh: ${title}`);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", process.stderr, process.stderr],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error(`inmesh: "${command} ${args.join(" ")}" failed; the lines above say why.`);
    process.exit(1);
  }
}

const wanted = manifestHash();
if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== wanted) {
  // `npm ci` would delete what a running service uses; `install` keeps what already fits the lock file.
  run("installing dependencies", "npm", ["install", "--no-audit", "--no-fund"]);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, manifestHash());
}

for (const folder of ["packages", "test", "examples"]) {
  for (const manifest of listWorkspaces(folder)) {
    rmSync(join(root, dirname(manifest), "node_modules", ".cache", "test-results.json"), { force: true });
  }
}

// What the compiler left of sources that are gone would still be packed.
for (const manifest of listWorkspaces("packages")) {
  const folder = join(root, dirname(manifest));
  const dist = join(folder, "dist");
  for (const path of existsSync(dist) ? readdirSync(dist, { recursive: true }) : []) {
    const source = join(folder, "src", path.replace(/\.d\.ts(\.map)?$/, ".ts"));
    if (/\.d\.ts(\.map)?$/.test(path) && !existsSync(source)) rmSync(join(dist, path), { force: true });
  }
}

run("building", process.execPath, [join(root, ".ci", "build.mjs")]);
