// Makes of each package's modules (build/, one for each source) the few files that its package.json names, and what these
// share (dist/): reading a module costs a third of a millisecond, and a process of the mesh would read 730 of ours.
// docs/design/2026-11-29-bundles.md says why it is done so.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";

/** @param {string} root of the repository */
export async function bundlePackages(root) {
  const folders = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
  await Promise.all(folders.map(bundlePackage));
}

/** @param {string} folder */
async function bundlePackage(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entries = [...scripts(manifest.exports), ...scripts(manifest.imports)];
  const { outputFiles } = await build({
    entryPoints: entries.map((path) => join(folder, path.replace(/^\.\/dist\//, "build/"))),
    outbase: join(folder, "build"),
    outdir: join(folder, "dist"),
    chunkNames: "shared-[hash]",
    bundle: true,
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "linked",
    sourcesContent: false,
    write: false,
    logLevel: "warning",
  });
  for (const { path, contents } of outputFiles) replaceFile(path, contents);
  const made = new Set(outputFiles.map(({ path }) => relative(join(folder, "dist"), path)));
  for (const path of readdirSync(join(folder, "dist"), { recursive: true })) {
    if (/\.js(\.map)?$/.test(path) && !made.has(path)) rmSync(join(folder, "dist", path), { force: true });
  }
}

/** Of `exports` or `imports`: what Node takes, by any condition. */
function scripts(value) {
  if (typeof value === "string") return /^\.\/dist\/.*\.js$/.test(value) ? [value] : [];
  return Object.values(value ?? {}).flatMap(scripts);
}

/** Whole, or as it was: processes that start meanwhile read it. One that says the same keeps its time. */
function replaceFile(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, contents);
  renameSync(`${path}.new`, path);
}
