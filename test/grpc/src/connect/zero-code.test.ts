/** Programs that know of no mesh: over node:http2, by themselves or through Connect, and with each kind of client that grpc-js has. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { called, registryFolder } from "../lib/program.js";
import { serviceAt } from "../lib/yaml-mesh.js";
import { talkServer } from "./talk-service.js";

const closing: (() => unknown)[] = [];
let folder = "";

beforeAll(async () => {
  const server = await talkServer("a", closing);
  folder = registryFolder([serviceAt("talk.shop", [server.port])], closing);
});

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const IMPORT = ["--import", "@inmesh/node/register"];

it.concurrent("http2.connect by require", async () => {
  expect(await called([...IMPORT, "fixtures/http2.cjs"], { folder })).toEqual({ status: 200, text: "a: hello" });
});

it.concurrent("Connect's transports by import", async () => {
  const from = { grpc: "a: grpc", connect: "a: connect", http1: "a: http1" };
  expect(await called([...IMPORT, "fixtures/connect.mjs"], { folder })).toEqual(from);
});

it.concurrent.for([["require.cjs"], ["import.mjs"]] as const)(
  "clients that are generated, loaded from .proto files, and nice-grpc's: clients-%s",
  async ([file], { expect }) => {
    const from = { generated: "a: generated", loaded: "a: loaded", nice: "a: nice", streamed: ["a 0", "a 1"] };
    expect(await called([...IMPORT, `fixtures/clients-${file}`], { folder })).toEqual(from);
  },
);

it.concurrent("leaves sessions alone where the seam is off", async () => {
  const env = { INMESH_PATCH: "grpc" };
  const answer = await called([...IMPORT, "fixtures/http2.cjs"], { folder, env });
  expect(answer).toEqual({ error: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/) });
});
