/**
 * Whole requests over real sockets, the upstream in another process: CPU of this process per request, paired slices,
 * 16 in flight, keep-alive. Baselines: bare undici, and undici with opossum, p-retry and OpenTelemetry as their READMEs
 * put them together.
 */

import { Engine, SnapshotStore } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { AlwaysOffSampler, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import CircuitBreaker from "opossum";
import pRetry from "p-retry";
import { Agent, type Dispatcher, request } from "undici";
import { concurrently, paired, type Variant } from "../lib/paired.js";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { type Report, show } from "../lib/table.js";
import { startUpstream } from "../lib/upstream.js";

const WIDTH = 16;
const OPTIONS = { rounds: 200, slice: 400, warmUp: 15_000 };

/** A canary with header match, timeout, retries: what a real rule has. One endpoint gets all of it. */
const POLICY = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { x-user: { exact: ann } } }]
      route: [{ destination: { host: reviews } }]
      timeout: 3s
      retries: { attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset,connect-failure" }
    - route: [{ destination: { host: reviews } }]
`;

/** One endpoint, everything that policy turns on. */
export function sockets(): Promise<Report> {
  return compare("real sockets, 865 B JSON, 16 in flight", ["goal: <= +8 us and <= 1.10 over bare undici"], () => []);
}

/** In a table of its own: the instrumentation's hooks change the process for every other row. */
export function rivals(): Promise<Report> {
  return compare("the same, beside a stack glued by hand", ["goal: <= 1/5 of its overhead"], (origin, agent) => [
    gluedByHand(origin, agent),
  ]);
}

async function compare(
  bench: string,
  notes: readonly string[],
  others: (origin: string, agent: Agent) => readonly Variant[],
): Promise<Report> {
  const upstream = await startUpstream();
  const origin = `http://127.0.0.1:${upstream.port}`;
  const agent = new Agent({ connections: WIDTH });
  const plain = client("", upstream.port);
  const full = client(POLICY, upstream.port);
  try {
    const rows = await paired(
      { name: "bare undici, dispatcher.request", run: requests(agent, origin) },
      [
        { name: "inmesh, one endpoint, default policy", run: requests(plain.dispatcher, "http://reviews") },
        { name: "inmesh, match, timeouts, retries on", run: requests(full.dispatcher, "http://reviews") },
        ...others(origin, agent),
      ],
      OPTIONS,
    );
    return {
      bench,
      rows: rows.map(({ name, cpuUs, ratio, addedUs }) => ({
        what: name,
        "CPU us/request": show(cpuUs, 1),
        ratio: show(ratio, 3),
        "added us": show(addedUs, 1),
      })),
      notes: [...notes, "median and quartiles of paired slices"],
    };
  } finally {
    await plain.close();
    await full.close();
    await agent.close();
    upstream.stop();
  }
}

function client(policy: string, port: number): { dispatcher: MeshDispatcher; close(): Promise<void> } {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(policy), workloads("reviews", 1, { firstPort: port })));
  const dispatcher = new MeshDispatcher({ engine });
  return {
    dispatcher,
    async close() {
      await dispatcher.close();
      engine.close();
    },
  };
}

function requests(dispatcher: Dispatcher, origin: string): (count: number) => Promise<void> {
  const options = {
    origin,
    path: "/api/reviews/42",
    method: "GET" as const,
    headers: { accept: "application/json", "x-user": "ann" },
  };
  return (count) =>
    concurrently(count, WIDTH, async () => {
      const { statusCode, body } = await dispatcher.request(options);
      if (statusCode !== 200) throw new Error(`answered ${statusCode}: ${await body.text()}`);
      await body.arrayBuffer();
    });
}

/** The instrumentation listens process-wide, so it is on only while this variant runs. */
function gluedByHand(origin: string, dispatcher: Dispatcher): Variant {
  const provider = new NodeTracerProvider({ sampler: new AlwaysOffSampler() });
  provider.register();
  const instrumentation = new UndiciInstrumentation();
  registerInstrumentations({ instrumentations: [instrumentation] });
  instrumentation.disable();
  const url = `${origin}/api/reviews/42`;
  const headers = { accept: "application/json", "x-user": "ann" };
  const breaker = new CircuitBreaker(async () => {
    const { statusCode, body } = await request(url, { dispatcher, headers });
    if (statusCode >= 500) throw new Error(`answered ${statusCode}`);
    await body.arrayBuffer();
  });
  return {
    name: "undici + opossum + p-retry + OTel, by hand",
    async run(count) {
      instrumentation.enable();
      await concurrently(count, WIDTH, () => pRetry(() => breaker.fire(), { retries: 2 }));
      instrumentation.disable();
    },
  };
}
