/** One whole scrape of a world whose clock, network and chance are fake: whoever changes a line of it sees which. */

import { loadOpossum } from "@inmesh/core/internal";
import { answers, fakeOutlier, inTurn, refuses, settle, testEngine } from "@inmesh/core/testing";
import type { BreakerPolicy, MirrorPolicy } from "@inmesh/model";
import { MeshMetrics, workloadLabels } from "@inmesh/telemetry";
import { expect, it } from "vitest";
import type { DataPlane } from "../plane/data-plane.js";
import { ownSamples } from "./own-samples.js";

const BREAKER: BreakerPolicy = {
  scope: "cluster",
  ...{ windowMs: 60_000, minRequests: 4, failureRatio: 0.5, openMs: 5_000, probes: 1 },
  resource: { resource: { kind: "CircuitBreaker", namespace: "default", name: "card" }, path: "spec" },
};
const MIRROR: MirrorPolicy = {
  destination: { cluster: "copy", host: "copy", port: 80, subset: "", weight: 1 },
  ratio: 1,
  field: "mirror",
};

it("says this of a world with failures of every kind", async () => {
  await loadOpossum();
  const world = testEngine({
    clusters: {
      pay: {
        endpoints: ["10.0.0.1:80", "10.0.0.2:80"],
        loadBalancer: "roundRobin",
        policy: {
          outlier: fakeOutlier({ consecutiveErrors: 2, maxEjectionRatio: 1 }),
          retryBudget: { ratio: 0.2, minConcurrency: 3, intervalMs: 0 },
        },
      },
      card: { endpoints: ["10.0.1.1:80"], policy: { breaker: BREAKER } },
      copy: ["10.0.2.1:80"],
    },
    hosts: {
      pay: [{ retry: { on: ["5xx", "connect-failure"], maxAttempts: 2 }, mirrors: [MIRROR] }],
      card: [{}],
      copy: [{}],
    },
  });
  const { clock, engine, network, send } = world;
  const plane = {
    ...{
      engine,
      clock,
      settings: { service: "web" },
      identity: undefined,
      registryUrl: "memory",
      leaseState: "failing",
      leaseFailures: 2,
    },
    inbound: { inFlight: 2, malformedTraces: 1 },
    security: { read: () => ({ handshakes: { full: 3, resumed: 2 }, refused: { plaintextRequest: 1 } }) },
    transport: { handshakes: { done: 4, failed: { wrongPeer: 1, unverified: 0, refused: 0, timeout: 2, other: 0 } } },
    pipeline: {
      ...{ version: 7, publications: 7, compileFailures: 1, problems: [{ severity: "warning" }] },
      source: { state: "stale", since: clock.now() },
    },
  } as unknown as DataPlane;
  const metrics = new MeshMetrics({
    self: workloadLabels({ app: "web", version: "v1" }, "web", "default"),
    service: { host: () => "web.default.svc.cluster.local", name: "web", namespace: "default" },
    ...{ principal: () => "", peers: { version: 1, find: () => undefined }, now: () => clock.now() },
    collectors: [ownSamples(plane)],
  });
  engine.sinks.add(metrics);

  const call = async (host: string): Promise<void> => {
    send(host);
    clock.advance(1_000);
    await settle();
  };
  network.script("10.0.0.1:80", inTurn(answers(503), answers(200), refuses(), answers(500), answers(500)));
  network.script("10.0.2.1:80", answers(404));
  for (let index = 0; index < 10; index++) await call("pay");
  network.script("10.0.1.1:80", answers(503));
  for (let index = 0; index < 5; index++) await call("card"); // opens with the fourth
  network.script("10.0.1.1:80", answers(200, { afterMs: 40, bodyMs: 7 }));
  clock.advance(5_000);
  for (let index = 0; index < 3; index++) await call("card");

  await expect(steady([...metrics.read()].join(""))).toMatchFileSnapshot("golden-scrape.txt");
});

/** Without what is another in every process. */
function steady(text: string): string {
  return text
    .replace(/^((?:process_|nodejs_)\S+?)(?:\{.*\})? \S+$/gm, "$1 ~")
    .replace(/^(istio_build\{.*tag=)"[^"]*"/gm, '$1"~"');
}
