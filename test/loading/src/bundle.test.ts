import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { ALL_MESHED, called, HERE, IMPORT } from "./run.js";

/** In this workspace, so that what stays outside of the bundle is found. */
const FOLDER = join(HERE, "node_modules/.cache/bundles");
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
/** Another copy of undici's classes, which nobody but the bundle can reach. */
const AGENT_OUTSIDE = { ...ALL_MESHED, agent: "Error: getaddrinfo ENOTFOUND echo" };

describe.concurrent("a bundle of one file, preload outside", () => {
  it.for<[string, string, string[], object]>([
    ["ESM, undici inside", "esm.mjs", [], AGENT_OUTSIDE],
    ["CommonJS, undici inside", "cjs.cjs", [], AGENT_OUTSIDE],
    ["ESM, undici external", "esm.mjs", ["undici"], ALL_MESHED],
  ])("%s", async ([name, entry, external, expected]) => {
    const esm = entry.endsWith(".mjs");
    const outfile = join(FOLDER, name.replaceAll(/\W+/g, "-") + (esm ? ".mjs" : ".cjs"));
    const banner = { js: esm ? REQUIRE : "" };
    const entryPoints = [join(HERE, "fixtures", entry)];
    const format = esm ? "esm" : "cjs";
    await build({ entryPoints, bundle: true, platform: "node", format, outfile, external, banner });
    expect(await called([...IMPORT, outfile])).toEqual(expected);
  });
});
