/** One trace through HTTP, gRPC and HTTP: one span for each call and each request, whoever else makes spans of gRPC in the process. */

import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "../prometheus/prometheus.js";
import { type OtlpSink, openSink, type SinkSpan } from "./otlp-sink.js";
import { MESH, Programs, until } from "./run.js";

const OTEL = ["--import", "./otel-grpc.mjs"];
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const OTHER_TRACE = "1bf7651916cd43dd8448eb211c80319d";
const CALLER = "b7ad6b7169203331";
const [SERVER, CLIENT] = [2, 3];

let programs: Programs;
let sink: OtlpSink;
let port = 0;

beforeEach(async () => {
  programs = new Programs();
  sink = await openSink();
  port = await freePort();
});
afterEach(async () => {
  await programs.close();
  await sink.close();
});

async function start(flags: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const services = ["web", "pay", "leaf"];
  for (const service of services) {
    programs.run([...flags, "hop.cjs"], service, {
      ...env,
      SINK: sink.url,
      PORT: String(port),
      OTEL_BSP_SCHEDULE_DELAY: "20",
    });
  }
  await Promise.all(services.map((service) => programs.registered(service)));
  await programs.knowEachOther(services);
}

async function ask(method: string, trace = TRACE): Promise<string> {
  const headers = { traceparent: `00-${trace}-${CALLER}-01` };
  return (await fetch(`http://127.0.0.1:${port}/${method}`, { headers })).text();
}

/** In the order of the calls, as far as each is the only child of the one before. */
async function chain(length: number, trace = TRACE): Promise<SinkSpan[]> {
  const spans = () => sink.spans.filter(({ traceId }) => traceId === trace);
  await until(
    () => spans().length >= length,
    () => `${length} spans of ${JSON.stringify(sink.spans)}`,
  );
  const found: SinkSpan[] = [];
  for (let parent = CALLER; ; parent = found.at(-1)!.spanId) {
    const [child, ...others] = spans().filter((span) => span.parent === parent);
    expect(others).toEqual([]);
    if (child === undefined) break;
    found.push(child);
  }
  expect(spans()).toHaveLength(found.length);
  return found;
}

const PLACES = [
  ["web", SERVER],
  ["web", CLIENT],
  ["pay", SERVER],
  ["pay", CLIENT],
  ["leaf", SERVER],
];

it("names spans of gRPC as OpenTelemetry's conventions do", async () => {
  await start(MESH, { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" });
  const heard = await ask("say");
  const spans = await chain(5);
  expect(spans.map(({ service, kind }) => [service, kind])).toEqual(PLACES);
  expect(heard).toBe(`00-${TRACE}-${spans[3]!.spanId}-01`); // five of them
  expect(spans.map(({ name }) => name)).toEqual(["GET", "shop.Pay/Say", "shop.Pay/Say", "GET", "GET"]);
  const [, called, served] = spans;
  const both = { "rpc.system.name": "grpc", "rpc.method": "shop.Pay/Say", "rpc.status_code": "OK" };
  expect(called!.attributes).toMatchObject({
    ...both,
    "server.address": "pay",
    "server.port": 80,
    "inmesh.attempts": 1,
  });
  expect(served!.attributes).toMatchObject({ ...both, "network.protocol.version": "2" });
  for (const { attributes } of [called!, served!]) {
    const names = Object.keys(attributes);
    expect(names.filter((name) => /^(http|url)\.|^error\.type$/.test(name))).toEqual([]);
  }

  // A method that nobody serves: its name is its caller's own word.
  expect(await ask("none", OTHER_TRACE)).toBe("status 12");
  const [, asked, refused] = await chain(3, OTHER_TRACE);
  const said = { "rpc.status_code": "UNIMPLEMENTED", "error.type": "UNIMPLEMENTED" };
  expect(asked).toMatchObject({
    name: "shop.Pay/None",
    failed: true,
    attributes: { ...said, "rpc.method": "shop.Pay/None" },
  });
  expect(refused).toMatchObject({
    ...{ name: "grpc", failed: true },
    attributes: { ...said, "rpc.method": "_OTHER", "rpc.method_original": "/shop.Pay/None" },
  });
});

it.each([
  ["before", [...OTEL, ...MESH]],
  ["after", [...MESH, ...OTEL]],
])("makes no second span where OpenTelemetry's instrumentation of gRPC was loaded %s the mesh", async (_, flags) => {
  await start(flags, {});
  const heard = await ask("say");
  const spans = await chain(5);
  expect(spans.map(({ service, kind }) => [service, kind])).toEqual(PLACES);
  expect(heard).toBe(`00-${TRACE}-${spans[3]!.spanId}-01`); // five of them
  // Theirs, and what the mesh knows of the call on it.
  expect(spans[1]).toMatchObject({
    name: "grpc.shop.Pay/Say",
    attributes: { "rpc.system": "grpc", "inmesh.attempts": 1 },
  });
  expect(spans[2]!.name).toBe("grpc.shop.Pay/Say");
});
