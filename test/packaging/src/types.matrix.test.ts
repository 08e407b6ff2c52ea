import { execFile } from "node:child_process";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { Consumer } from "./consumer.js";
import { ROOT } from "./tarballs.js";

const consumer = new Consumer(inject("npm"));

beforeAll(async () => {
  await consumer.install(["@inmesh/node", "@types/node"]);
});
afterAll(() => consumer.dispose());

/** Compilers, oldest first. */
const COMPILERS = ["5.4", "5.9", "6.0", "7.0"];
const MODULES = {
  nodenext: ["--module", "nodenext"],
  bundler: ["--module", "preserve", "--moduleResolution", "bundler"],
} as const;

/** @returns path of that compiler's program, or undefined when npx cannot have it */
async function compiler(line: string): Promise<string | undefined> {
  const own = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = await promisify(execFile)(process.execPath, [own, "--version"]);
  if (stdout.startsWith(`Version ${line}.`)) return own;
  const args = ["exec", "-y", `--package=typescript@${line}`, "--", "node", "-p", "process.env.PATH"];
  const { NODE_OPTIONS: _, ...env } = process.env;
  try {
    const printed = await promisify(execFile)("npm", args, { env, timeout: 100_000 });
    return join(printed.stdout.split(delimiter)[0] ?? "", "tsc");
  } catch (error) {
    if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw error;
    return undefined;
  }
}

/** What the compiler complains about; empty when nothing. */
async function complaints(tsc: string, args: readonly string[]): Promise<string> {
  const common = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--types", "node"];
  try {
    return await consumer.run(process.execPath, [tsc, ...common, ...args]);
  } catch (error) {
    return (error as { stdout?: string }).stdout || String(error);
  }
}

describe.each(COMPILERS)("TypeScript %s", (line) => {
  let tsc: string | undefined;

  beforeAll(async () => {
    tsc = await compiler(line);
    if (tsc === undefined) console.warn(`SKIPPED: npx cannot have typescript@${line}, so types were not tried with it`);
  });

  it.each(Object.entries(MODULES))("compiles a user's modules under %s", async (resolution, module, context) => {
    if (tsc === undefined) return context.skip(`npx cannot have typescript@${line}`);
    // Node requires ES modules since 20.19; compilers know that since 5.8, and for bundlers it always was so.
    const knowsRequire = line !== "5.4" || resolution === "bundler";
    const files = ["module.mts", "dynamic.cts", ...(knowsRequire ? ["common.cts"] : [])];
    // The declarations of every library are judged too, which is slow: once by the oldest and once by the newest.
    const judgesLibraries = [COMPILERS[0], COMPILERS.at(-1)].includes(line) && resolution === "nodenext";
    expect(await complaints(tsc, [...module, ...(judgesLibraries ? [] : ["--skipLibCheck"]), ...files])).toBe("");
  });
});
