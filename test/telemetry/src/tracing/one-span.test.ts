/** One span for each request and each call, and its `traceparent` on the wire, whatever else makes spans in the process. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OtlpSink, openSink } from "./otlp-sink.js";
import { called, MESH, OTEL, Programs } from "./run.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const CLIENTS = ["fetch", "undici", "http", "get", "post", "axios", "got", "flaky"];

interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string;
  readonly scope?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}
interface Found {
  readonly lines: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly spans: readonly Span[];
}

const programs = new Programs();
let sink: OtlpSink;

beforeAll(async () => {
  sink = await openSink();
  writeFileSync(
    join(programs.folder, "echo.yaml"),
    `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http: [{ retries: { attempts: 2, retryOn: 5xx }, route: [{ destination: { host: echo } }] }]
`,
  );
  programs.run([...MESH, "echo.mjs"], "echo");
  await programs.registered("echo");
});
afterAll(async () => {
  await programs.close();
  await sink.close();
});

const API = { server: 1, client: 2 };
const OTLP = { server: 2, client: 3 };

describe.concurrent("one span for each", () => {
  it.each([
    ["loaded before the mesh", [...OTEL, ...MESH], {}],
    ["loaded after the mesh", [...MESH, ...OTEL], {}],
    ["loaded before, blind to servers", [...OTEL, ...MESH], { OTEL_CASE: "blind" }],
    ["loaded after, blind to servers", [...MESH, ...OTEL], { OTEL_CASE: "blind" }],
    ["loaded before, of node:http only", [...OTEL, ...MESH], { OTEL_CASE: "only http" }],
    ["loaded after, of node:http only", [...MESH, ...OTEL], { OTEL_CASE: "only http" }],
    ["loaded before, of undici only", [...OTEL, ...MESH], { OTEL_CASE: "only undici" }],
    ["loaded after, of undici only", [...MESH, ...OTEL], { OTEL_CASE: "only undici" }],
  ])("OpenTelemetry %s", async (_, flags, env) => {
    const program = programs.run([...flags, "app.mjs"], "web", env);
    const found = (await called(program)) as Found;
    expect(program.errors()).toBe("");
    judge(found.lines, found.spans, API);
  });

  it("without OpenTelemetry: the mesh's own set-up sends them", async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    };
    const program = programs.run([...MESH, "app.mjs"], "web", env);
    const { lines } = (await called(program)) as Found;
    expect(program.errors()).toBe("");
    const spans = sink.spans.filter(({ service }) => service === "web");
    judge(lines, spans, OTLP);
    const server = spans.find(({ kind }) => kind === OTLP.server);
    expect(server?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.path": "/asked",
      "url.query": "token=REDACTED",
      "istio.canonical_service": "web",
      "istio.namespace": "default",
    });
    const call = spans.find(({ attributes }) => String(attributes["url.full"]).endsWith("/fetch"));
    expect(call?.attributes).toMatchObject({
      "url.full": "http://echo/fetch",
      "server.address": "echo",
      "server.port": 80,
      "http.response.status_code": 200,
      "network.peer.address": "127.0.0.1",
      "inmesh.attempts": 1,
    });
    const flaky = spans.find(({ attributes }) => String(attributes["url.full"]).endsWith("/flaky"));
    expect(flaky?.events.filter((name) => name === "inmesh.attempt")).toHaveLength(2);
    expect(flaky?.failed).toBe(false);
  });
});

function judge(
  lines: Found["lines"],
  spans: readonly Span[],
  kinds: { readonly server: number; readonly client: number },
): void {
  const shown = JSON.stringify(
    spans.map(({ name, kind, spanId, parent, scope }) => [scope, name, kind, spanId, parent].join(" ")),
  );
  const servers = spans.filter(({ kind }) => kind === kinds.server);
  expect(
    servers.map(({ traceId, parent }) => [traceId, parent]),
    shown,
  ).toEqual([[TRACE, CALLER]]);
  // Connections belong to nobody: what instrumentations of net and dns make of them is in no trace of ours.
  const calls = spans.filter(({ kind, traceId }) => kind === kinds.client && traceId === TRACE);
  expect(calls, shown).toHaveLength(CLIENTS.length);
  const children = calls.map(({ spanId, parent, traceId }) => ({ spanId, parent, traceId }));
  for (const client of CLIENTS) {
    const { traceparent = [], tracestate, baggage } = lines[client] ?? {};
    expect(traceparent, client).toHaveLength(1);
    const [, traceId, spanId] = traceparent[0]?.split("-") ?? [];
    expect(children, `${client}: ${traceparent[0]} ${shown}`).toContainEqual({
      spanId,
      parent: servers[0]?.spanId,
      traceId,
    });
    expect([traceId, tracestate, baggage], client).toEqual([TRACE, ["vendor=1"], ["user=7"]]);
  }
}
