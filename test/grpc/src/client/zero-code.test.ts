/** Programs that know of no mesh: however they load @grpc/grpc-js, whichever copy, their calls go through it. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { echoServer } from "../lib/echo.js";
import { called, nodeOfLine, registryFolder } from "../lib/program.js";
import { serviceAt } from "../lib/yaml-mesh.js";

const closing: (() => unknown)[] = [];
let folder = "";

beforeAll(async () => {
  const server = await echoServer("a", closing);
  folder = registryFolder([serviceAt("echo.shop", [server.port])], closing);
});

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const IMPORT = ["--import", "@inmesh/node/register"];
const MESHED = { instance: true, client: "a: client", channel: "a: channel" };
const OTEL_HOOK = ["--no-warnings", "--experimental-loader=@opentelemetry/instrumentation/hook.mjs"];

it.concurrent.for<[string, string[], Record<string, string>?]>([
  ["require", [...IMPORT, "fixtures/require.cjs"]],
  ["import", [...IMPORT, "fixtures/import.mjs"]],
  ["require, the mesh by require", ["--require", "@inmesh/node/register", "fixtures/require.cjs"]],
  ["import, beside OpenTelemetry's loader hook", [...OTEL_HOOK, ...IMPORT, "fixtures/import.mjs"]],
  [
    "the lowest version that the mesh allows, under another name",
    [...IMPORT, "fixtures/require.cjs"],
    { GRPC: "grpc-js-lowest" },
  ],
])("%s", async ([, args, env = {}], { expect }) => {
  expect(await called(args, { folder, env })).toEqual(MESHED);
});

it.concurrent.for(["22", "24"])("Node %s, require and import", { timeout: 120_000 }, async (line, { expect, skip }) => {
  const node = await nodeOfLine(line);
  if (node === undefined) return skip(`no Node ${line} to be had from the registry of packages`);
  for (const file of ["fixtures/require.cjs", "fixtures/import.mjs"]) {
    expect(await called([...IMPORT, file], { folder, node })).toEqual(MESHED);
  }
});

it("leaves clients alone where the seam is off", async () => {
  const env = { INMESH_PATCH: "http" };
  const { client } = (await called([...IMPORT, "fixtures/require.cjs"], { folder, env })) as { client: string };
  expect(client).toMatch(/^14 .*(?:ENOTFOUND|EAI_AGAIN|Name resolution)/);
});
