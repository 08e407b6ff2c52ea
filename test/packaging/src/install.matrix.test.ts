import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, inject, it } from "vitest";
import { NODE_LINES, nodeOfLine } from "../../e2e/src/node-line.js";
import { Consumer } from "./consumer.js";
import { specifiers } from "./tarballs.js";

const tarballs = inject("tarballs");
/** The one that runs the tests comes first: it is always there, and installs for all. */
const lines = [process.version.slice(1), ...NODE_LINES];

/** opossum 9 names Node 20, 22 and 24, and 10 no 20: on 26 npm warns of it. Its contract is tested there all the same. */
const UNDECLARED = "26";

const consumer = new Consumer(inject("npm"));
afterAll(() => consumer.dispose());

describe.each(lines)("on Node %s", (line) => {
  let node: string | undefined;

  const isFirst = line === lines[0];
  // No package of them runs a script, so the files are the same for every line; npm on each of them says whether all of them fit.
  it(isFirst ? "the tarballs install into an empty folder" : "what the tarballs install fits", async (context) => {
    node = isFirst ? process.execPath : await nodeOfLine(line);
    if (node === undefined) {
      console.warn(`SKIPPED: npx cannot have node@${line}, so nothing was installed on it`);
      return context.skip(`npx cannot have node@${line}`);
    }
    expect(await consumer.run(node, ["--version"], { node })).toMatch(new RegExp(`^v${line}`));
    await consumer.install(isFirst ? tarballs.map(({ file }) => file) : [], { node }, !line.startsWith(UNDECLARED));
    for (const { name } of tarballs)
      expect(existsSync(`${consumer.folder}/node_modules/${name}/package.json`)).toBe(true);
  });

  /** Runs the consumer's program; a skipped installation skips it too. */
  const program = (title: string, args: readonly string[], expected: (output: string) => void, env = {}) =>
    it(title, async (context) => {
      if (node === undefined) return context.skip(`npx cannot have node@${line}`);
      expected(await consumer.run(node, args, { node, env }));
    });

  const all = tarballs.flatMap(specifiers);
  const givesAll = (output: string): void => {
    const found = JSON.parse(output.trim().split("\n").at(-1) ?? "");
    expect(Object.keys(found)).toEqual(all);
    // `register` gives nothing: it acts.
    const empty = all.filter((specifier) => !(found[specifier] > 0));
    expect(empty).toEqual(["@inmesh/node/register"]);
  };
  program("every entry can be imported", ["import.mjs", ...all], givesAll);
  program("every entry can be required, and is the same module", ["require.cjs", ...all], givesAll);

  program("what a circuit breaker leans on opens and closes", ["breaker.mjs"], (output) =>
    expect(output).toBe("open close\n"),
  );

  const served = (output: string): void => expect(output).toBe("200 from the mesh\n");
  program("createMesh serves and calls", ["explicit.mjs"], served);
  const env = { INMESH_SERVICE: "hello", INMESH_PROPAGATION_DELAY_MS: "0" };
  program("--import meshes a program", ["--import", "@inmesh/node/register", "zero-code.cjs"], served, env);
  program("--require meshes a program", ["--require", "@inmesh/node/register", "zero-code.cjs"], served, env);

  program("a stack trace lands in the sources", ["--enable-source-maps", "stack.mjs"], (output) => {
    const [, file = "", at] =
      /\(?(?:file:\/\/)?([^\s(]*\/@inmesh\/node\/src\/[^\s:]+\.ts):(\d+):\d+/.exec(output) ?? [];
    expect(output).toContain("CONFIG_INVALID");
    expect(existsSync(file), output).toBe(true);
    expect(readFileSync(file, "utf8").split("\n")[Number(at) - 1]).toMatch(/MeshError|throw/);
  });

  it("npx inmesh tells its commands, and judges policy", async (context) => {
    if (node === undefined) return context.skip(`npx cannot have node@${line}`);
    const help = await consumer.run("npx", ["--offline", "inmesh", "--help"], { node });
    expect(help).toMatch(/Usage: inmesh/);
    for (const command of ["dev", "analyze", "explain"]) expect(help).toMatch(new RegExp(`^ +${command}\\b`, "m"));
    const judged = await consumer.run("npx", ["--offline", "inmesh", "validate", "mesh/hello.yaml", "-o", "json"], {
      node,
    });
    expect(JSON.parse(judged)).toEqual({ problems: [] });
  });
});
