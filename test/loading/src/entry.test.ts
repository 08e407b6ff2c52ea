import { describe, expect, it } from "vitest";
import { ALL_MESHED, called, IMPORT, leasesOf, nodeOfLine, PRELOAD, REQUIRE, run } from "./run.js";

const TSX = ["--import", "tsx"];
const PRINT =
  'fetch("http://echo/").then((r) => r.json()).then(({ from }) => console.log("called", JSON.stringify(from)))';

describe.concurrent("every client is meshed", () => {
  it.for<[string, string[], Record<string, string>?]>([
    ["ESM under --import", [...IMPORT, "fixtures/esm.mjs"]],
    ["ESM under --require", [...REQUIRE, "fixtures/esm.mjs"]],
    ["ESM under NODE_OPTIONS", ["fixtures/esm.mjs"], { NODE_OPTIONS: PRELOAD }],
    ["ESM with us as the first import", ["fixtures/first-import.mjs"]],
    ["CommonJS under --import", [...IMPORT, "fixtures/cjs.cjs"]],
    ["CommonJS under --require", [...REQUIRE, "fixtures/cjs.cjs"]],
    ["CommonJS with us as the first require", ["fixtures/first-require.cjs"]],
    ["TypeScript, tsx loaded before us", [...TSX, ...IMPORT, "fixtures/typed.ts"]],
    ["TypeScript, tsx loaded after us", [...IMPORT, ...TSX, "fixtures/typed.ts"]],
    ["TypeScript under the tsx command", ["../../node_modules/tsx/dist/cli.mjs", ...IMPORT, "fixtures/typed.ts"]],
    ["node --frozen-intrinsics", ["--no-warnings", "--frozen-intrinsics", ...IMPORT, "fixtures/esm.mjs"]],
  ])("%s", async ([, args, env = {}]) => {
    expect(await called(args, { env })).toEqual(ALL_MESHED);
  });
});

describe.concurrent("a program without a file", () => {
  it.for<[string, string[], string?]>([
    ["node -e", ["-e", PRINT]],
    ["node -e with modules", ["--input-type=module", "-e", `await ${PRINT}`]],
    ["a script on standard input", ["-"], PRINT],
    ["a module on standard input", ["--input-type=module"], `await ${PRINT}`],
  ])("%s", async ([, args, input]) => {
    expect(await called([...IMPORT, ...args], { ...(input !== undefined && { input }) })).toBe("echo");
  });

  it("node -p prints nothing but its value", async () => {
    const { ended, out, errors } = run([...IMPORT, "-p", "1 + 1"]);
    expect([await ended, out(), errors()]).toEqual([{ code: 0, signal: null }, "2\n", ""]);
  });

  it("the REPL, line by line", async () => {
    const repl = run([...IMPORT, "-i"], { input: true });
    repl.child.stdin?.write(`${PRINT}\n`);
    expect(await repl.printed(/called (.*)/)).toBe('"echo"');
    repl.child.stdin?.end(".exit\n");
    expect([(await repl.ended).code, repl.errors()]).toEqual([0, ""]);
  });
});

describe.concurrent("Node's own type stripping", () => {
  it.for(["22", "24", "26"])("on Node %s", async (line, context) => {
    const node = await nodeOfLine(line);
    if (node === undefined) {
      console.warn(`SKIPPED: npx cannot have node@${line}, so type stripping was not tried on it`);
      return context.skip(`npx cannot have node@${line}`);
    }
    expect(await called([...IMPORT, "fixtures/typed.ts"], { command: node })).toEqual(ALL_MESHED);
  });
});

describe.concurrent("npm start", () => {
  it("with NODE_OPTIONS meshes the service and leaves npm itself alone", async () => {
    const { ended, out, errors } = run(["start", "--silent"], {
      command: "npm",
      cwd: "fixtures/npm-app",
      env: { NODE_OPTIONS: PRELOAD, npm_config_update_notifier: "false" },
    });
    await ended;
    expect(out()).toContain(`called ${JSON.stringify(ALL_MESHED)}`);
    expect(errors()).toBe("");
    expect(leasesOf("npm-app").size).toBe(0);
  });

  it("npm's own calls are none of the mesh's", async () => {
    const { ended, out, errors } = run(["ping", "--registry", "http://echo/", "--fetch-retries", "0"], {
      command: "npm",
      cwd: "fixtures/npm-app",
      service: "npm-itself", // the application beside it has a lease of its own while it runs
      env: { NODE_OPTIONS: PRELOAD, npm_config_update_notifier: "false", INMESH_LEASE: "always" },
    });
    expect((await ended).code).not.toBe(0);
    expect(out() + errors()).toContain("ENOTFOUND"); // meshed, it would have had an answer
    expect([errors().includes("inmesh:"), leasesOf("npm-itself").size]).toEqual([false, 0]);
  });
});
