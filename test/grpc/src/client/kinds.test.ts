/** All four kinds of calls through the mesh, by `mesh.grpc`. */

import { once } from "node:events";
import { Metadata, status } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { echoClient, echoServer, say } from "../lib/echo.js";
import { meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp() {
  const server = await echoServer("a", closing);
  const mesh = await meshOfYaml([serviceAt("echo.shop", [server.port])], closing);
  const client = echoClient("echo.shop:50051", mesh.grpc.credentials(), mesh.grpc.options(), closing);
  return { server, mesh, client };
}

it("carries a unary call, its metadata and its trailers, binary values too", async () => {
  const { server, client } = await setUp();
  server.say = ({ request, metadata }, callback) => {
    const trailer = new Metadata();
    trailer.set("found", metadata.get("asked")[0]!);
    trailer.set("bytes-bin", metadata.get("bytes-bin")[0]!);
    callback(null, `heard ${request}`, trailer);
  };
  const metadata = new Metadata();
  metadata.set("asked", "for tea");
  metadata.set("bytes-bin", Buffer.from([0, 255, 10]));
  const answer = await say(client, "hello", metadata);
  expect([answer.text, answer.status.code]).toEqual(["heard hello", status.OK]);
  expect(answer.status.metadata.get("found")).toEqual(["for tea"]);
  expect(answer.status.metadata.get("bytes-bin")).toEqual([Buffer.from([0, 255, 10])]);
  expect(server.calls[0]!.get("x-inmesh-timeout-ms")).toEqual([]);
});

it("carries what a client streams", async () => {
  const { client } = await setUp();
  const answered = new Promise((resolve, reject) => {
    const call = client["gather"]!((error: unknown, text: string) => (error === null ? resolve(text) : reject(error)));
    for (const part of ["one", "two", "three"]) call.write(part);
    call.end();
  });
  expect(await answered).toBe("a: one,two,three");
});

it("carries what a server streams", async () => {
  const { client } = await setUp();
  const parts: string[] = [];
  const call = client["list"]!("300");
  for await (const part of call) parts.push(part);
  expect([parts.length, parts[299]]).toEqual([300, "a 299"]);
});

it("carries both at once, turn by turn", async () => {
  const { client } = await setUp();
  const call = client["talk"]!();
  const ended = once(call, "status");
  for (const word of ["good", "morning"]) {
    call.write(word);
    expect(await once(call, "data")).toEqual([`a: ${word}`]);
  }
  call.end();
  call.resume();
  expect((await ended)[0].code).toBe(status.OK);
});
