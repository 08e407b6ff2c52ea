import { once } from "node:events";
import { createServer } from "node:http";
import { MemoryRegistry, type OutcomeRecord } from "@inmesh/core";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "../connected-mesh.js";
import { createMesh } from "../create-mesh.js";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function tapped() {
  const mesh = await createMesh({ service: "web", config: new MemoryRegistry(), propagationDelayMs: 0 });
  closing.push(() => mesh.close());
  const server = mesh.attach(createServer((_, response) => response.end("hello")));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { engine } = (mesh as ConnectedMesh)[PLANE];
  const open = async (query = "", agent = "test") => {
    const over = new AbortController();
    closing.push(() => over.abort());
    const response = await fetch(`${mesh.adminUrl}/tap${query}`, {
      signal: over.signal,
      headers: { "user-agent": agent },
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const read = async () => (await reader?.read())?.value ?? "";
    const all = async () => {
      let text = "";
      for (let piece = await read(); piece !== ""; piece = await read()) text += piece;
      return text;
    };
    return { response, over, read, all };
  };
  return { mesh, engine, open };
}

const RECORD = {
  ...{
    direction: "outbound",
    wallMs: 0,
    startedAt: 0,
    endedAt: 5,
    method: "GET",
    path: "/a",
    authority: "web",
    status: 200,
  },
  ...{ grpcStatus: -1, flags: 0, code: "", message: "", attempts: [], ledger: {}, protocol: "HTTP/1.1" },
} as unknown as OutcomeRecord;

describe("GET /tap", () => {
  it("streams events to programs and lines to curl, and lets go when the reader has gone", async () => {
    const { engine, open } = await tapped();
    const before = engine.sinks.any;
    const [events, lines] = [await open(), await open("?status=2xx", "curl/8")];
    expect(events.response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    engine.sinks.ended(RECORD);
    expect(await events.read()).toMatch(/^event: end\ndata: \{"direction":"outbound".*\}\n\n$/);
    expect(await lines.read()).toMatch(/ > GET web\/a 200 5\.0ms\n$/);
    for (const { over } of [events, lines]) over.abort();
    const until = Date.now() + 5_000;
    while (engine.sinks.any !== before && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(engine.sinks.any).toBe(before);
  });

  it("finds what is being served", async () => {
    const { mesh } = await tapped();
    const server = mesh.attach(createServer((_, response) => void response.write("for long")));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as { port: number };
    const over = new AbortController();
    const headers = { "x-request-id": "r-1" };
    await fetch(`http://127.0.0.1:${port}/feed?a=1`, { signal: over.signal, headers });
    const { inbound } = (mesh as ConnectedMesh)[PLANE];
    const target = { method: "GET", target: "/feed?a=1", requestId: "r-1", authority: `127.0.0.1:${port}`, peer: "" };
    expect([...inbound.underWay()]).toMatchObject([target]);
    over.abort();
    await expect.poll(() => [...inbound.underWay()]).toEqual([]);
    server.close();
  });

  it("ends after max events, refuses what is no filter, and a ninth watcher", async () => {
    const { engine, open } = await tapped();
    const { all } = await open("?max=2");
    for (let at = 0; at < 5; at++) engine.sinks.ended(RECORD);
    expect((await all()).match(/event: end/g)).toHaveLength(2);
    for (const query of ["?status=ok", "?direction=up", "?max=0"])
      expect((await open(query)).response.status).toBe(400);
    for (let at = 0; at < 7; at++) expect((await open()).response.status).toBe(200);
    const statuses = [(await open()).response.status, (await open()).response.status];
    expect(statuses.at(-1)).toBe(429);
  });
});
