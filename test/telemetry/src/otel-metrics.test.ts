/** A MeterProvider of OpenTelemetry, registered by the application whenever it likes, hears of the same outcomes. */

import { createServer } from "node:http";
import { MemoryRegistry } from "@inmesh/core";
import { createMesh } from "@inmesh/node";
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { afterAll, expect, it } from "vitest";
import { until } from "./prometheus/prometheus.js";

const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({ readers: [reader] });

afterAll(() => provider.shutdown());

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: Histogram;
}

async function points(name: string): Promise<readonly Point[]> {
  await reader.forceFlush();
  const all =
    exporter
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
  return (all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []) as readonly Point[];
}

it("gets durations of both sides in seconds, under the names of its conventions", async () => {
  const config = new MemoryRegistry();
  const shared = { config, propagationDelayMs: 0, log: "error", otelMetrics: "on" } as const;
  await using served = await createMesh({ service: "reviews", ...shared });
  const server = served.attach(
    createServer((request, response) => {
      response.statusCode = request.url === "/broken" ? 500 : 200;
      response.end("hello");
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using caller = await createMesh({ service: "web", ...shared });
  await until(async () => (await caller.fetch("http://reviews/")).status === 200, "reviews to be found");
  metrics.setGlobalMeterProvider(provider); // after the mesh
  await until(async () => {
    await (await caller.fetch("http://reviews/?secret=1")).text();
    return (await points("http.client.request.duration")).length > 0;
  }, "the mesh to see the provider");
  await (await caller.fetch("http://reviews/broken")).text();
  await (await caller.fetch("http://reviews/", { method: "BREW" })).text().catch(() => "");
  const client = await points("http.client.request.duration");
  const failed = client.find(({ attributes }) => attributes["http.response.status_code"] === 500);
  expect(failed?.attributes).toMatchObject({
    "http.request.method": "GET",
    "server.address": "reviews.default.svc.cluster.local",
    "server.port": 80,
    "http.response.status_code": 500,
    "error.type": "500",
  });
  expect(failed?.value.buckets.boundaries).toEqual([
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
  ]);
  expect(failed?.value.count).toBe(1);
  expect(failed?.value.sum).toBeLessThan(5);
  const served500 = (await points("http.server.request.duration")).find(
    ({ attributes }) => attributes["http.response.status_code"] === 500,
  );
  expect(served500?.attributes).toMatchObject({ "url.scheme": "http", "error.type": "500" });
  expect(JSON.stringify(await points("http.server.request.duration"))).not.toMatch(/secret/);
  expect((await points("inmesh.client.attempts")).length).toBe(1);
}, 60_000);
