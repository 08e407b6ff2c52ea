import { join } from "node:path";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";
import { ALL_MESHED, HERE, IMPORT, run } from "./run.js";

/** In this workspace, so that what stays outside of the bundle is found. */
const FOLDER = join(HERE, "node_modules/.cache/bundles");
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
/** Another copy of undici's classes, which nobody but the bundle can reach. */
const AGENT_OUTSIDE = { ...ALL_MESHED, agent: "Error: getaddrinfo ENOTFOUND echo" };
const SAID = /^inmesh: a copy of undici that the mesh does not see called echo, [^\n]*\n$/;

describe.concurrent("a bundle of one file, preload outside", () => {
  it.for<[string, string, string[], object, RegExp]>([
    ["ESM, undici inside, which is said", "esm.mjs", [], AGENT_OUTSIDE, SAID],
    ["CommonJS, undici inside, which is said", "cjs.cjs", [], AGENT_OUTSIDE, SAID],
    ["ESM, undici external", "esm.mjs", ["undici"], ALL_MESHED, /^$/],
  ])("%s", async ([name, entry, external, expected, said]) => {
    const esm = entry.endsWith(".mjs");
    const outfile = join(FOLDER, name.replaceAll(/\W+/g, "-") + (esm ? ".mjs" : ".cjs"));
    const banner = { js: esm ? REQUIRE : "" };
    const entryPoints = [join(HERE, "fixtures", entry)];
    const format = esm ? "esm" : "cjs";
    await build({ entryPoints, bundle: true, platform: "node", format, outfile, external, banner });
    const program = run([...IMPORT, outfile]);
    expect(JSON.parse(await program.printed(/called (.*)/))).toEqual(expected);
    expect((await program.ended).code).toBe(0);
    expect(program.errors()).toMatch(said);
  });
});
