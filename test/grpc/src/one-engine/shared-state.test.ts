/** One process, one cluster: what HTTP calls did to it holds for gRPC calls, and the other way round. */

import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { Metadata, status } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { echoClient, say } from "../lib/echo.js";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";

const HOST = "both.shop";
const TO = `route: [{ destination: { host: ${HOST} } }]`;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Serves HTTP and gRPC on one port, and does the same for both. */
let port = 0;
let failing = false;
let held: ServerHttp2Stream[] | undefined;
let seen = 0;

beforeEach(async () => {
  [failing, held, seen] = [false, undefined, 0];
  const server = createServer();
  server.on("stream", (stream, headers) => {
    seen += 1;
    stream.on("error", () => {}).resume();
    if (held !== undefined) return void held.push(stream);
    answer(stream, headers["content-type"] === "application/grpc");
  });
  server.on("session", (session) => closing.push(() => session.destroy()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  closing.push(() => server.close());
  port = (server.address() as AddressInfo).port;
});

function answer(stream: ServerHttp2Stream, grpc: boolean): void {
  if (!grpc) return void stream.respond({ ":status": failing ? 503 : 200 }, { endStream: true });
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (failing) return void stream.respond({ ...head, "grpc-status": "14" }, { endStream: true });
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.from([0, 0, 0, 0, 0])); // an empty message
}

type Caller = (headers?: Record<string, string>) => Promise<{ readonly code: number; readonly details: string }>;

/** In gRPC's numbers, both. */
async function callers(...policy: string[]): Promise<{ mesh: Mesh; http: Caller; grpc: Caller }> {
  const mesh = await meshOfYaml([serviceAt(HOST, [port]), ...policy], closing);
  const client = echoClient(`${HOST}:50051`, mesh.grpc.credentials(), mesh.grpc.options(), closing);
  return {
    mesh,
    http: async (headers = {}) => {
      const response = await mesh.fetch(`http://${HOST}:50051/shop.Echo/Say`, { headers });
      const details = await response.text();
      return { code: response.ok ? status.OK : status.UNAVAILABLE, details };
    },
    grpc: async (headers = {}) => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      return (await say(client, "x", metadata)).status;
    },
  };
}

const WAYS = [
  ["http", "grpc"],
  ["grpc", "http"],
] as const;

describe.each(WAYS)("what %s did holds for %s", (first, second) => {
  it("a breaker that it opened", async () => {
    const it = await callers(`apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: both, namespace: default }
spec: { host: ${HOST}, minRequests: 3, failurePercent: 50, window: 10s, openFor: 60s }`);
    failing = true;
    // What is late because this process is busy counts for nobody.
    await until(async () => (await it[first]()).details.includes("BREAKER_OPEN"));
    const before = seen;
    const { code, details } = await it[second]();
    expect([code, details]).toEqual([status.UNAVAILABLE, expect.stringMatching(/BREAKER_OPEN/)]);
    expect(seen).toBe(before);
  });

  it("an endpoint that it put out", async () => {
    const outliers = "{ consecutive5xxErrors: 3, interval: 60s, baseEjectionTime: 60s, maxEjectionPercent: 100 }";
    const it = await callers(destination(HOST, `trafficPolicy: { outlierDetection: ${outliers} }`));
    failing = true;
    await it[second]();
    await it[first]();
    await it[first]();
    const { code, details } = await it[second]();
    expect([code, details, seen]).toEqual([status.UNAVAILABLE, expect.stringMatching(/NO_ENDPOINT/), 3]);
  });

  it("a place that it takes", async () => {
    const it = await callers(destination(HOST, "trafficPolicy: { connectionPool: { http: { http2MaxRequests: 1 } } }"));
    held = [];
    const long = it[first]();
    await until(() => held?.length === 1);
    const { code, details } = await it[second]();
    expect([code, details]).toEqual([status.UNAVAILABLE, expect.stringMatching(/http2MaxRequests.*OVERFLOW/s)]);
    answer(held[0]!, first === "grpc"); // length 1
    held = undefined;
    expect((await long).code).toBe(status.OK);
    expect((await it[second]()).code).toBe(status.OK);
  });

  it("retries that it spent", async () => {
    const again = "{ attempts: 5, retryOn: 'gateway-error,unavailable', backoff: 1ms }";
    const it = await callers(
      rules(HOST, `[{ ${TO}, retries: ${again} }]`),
      `apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: both, namespace: default }
spec: { host: ${HOST}, retry: { percent: 0, minPerSecond: 0 } }`,
    );
    failing = true;
    for (let index = 0; index < 2; index++) await it[first]();
    expect(seen).toBe(2 * 6); // ten retries are there to begin with
    await it[second]();
    expect(seen).toBe(2 * 6 + 1);
  });
});
