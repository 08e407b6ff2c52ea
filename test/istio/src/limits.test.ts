/**
 * connectionPool and retryBudget beside a sidecar: the same requests come to a process of ours and to a real Envoy,
 * whose upstream answers when it is told to; the same number is let through, refused and tried again. Envoy's configuration
 * is what istiod 1.26 makes of the same YAML; retryBudget, which is newer, is written as Istio's documentation has it.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Engine, SnapshotStore } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { HttpTransport } from "@inmesh/http/internal";
import { compile } from "@inmesh/model";
import { findEnvoy } from "@inmesh-test/identity/peer";
import * as undici from "undici";
import { describe, expect, it } from "vitest";
import { resourcesIn } from "../../../packages/core/src/testing/policy-resources.test.helper.js";
import { runEnvoy } from "../../bench/src/lib/envoy.js";
import { at, envoyConfiguration } from "./envoy-configuration.js";

interface Case {
  readonly name: string;
  readonly tcp?: { readonly maxConnections: number };
  readonly http?: {
    readonly http1MaxPendingRequests?: number;
    readonly http2MaxRequests?: number;
    readonly maxRetries?: number;
  };
  readonly retryBudget?: { readonly percent: number; readonly minRetryConcurrency: number };
  readonly requests: number;
  /** What the upstream answers to all of them. @default 200 */
  readonly status?: number;
  /** On 5xx. @default 0 */
  readonly attempts?: number;
  /**
   * They are answered one by one. A budget is a share of what is under way, and Envoy takes the answers that it reads in one
   * turn of its loop for under way until the turn ends: how many of a burst are tried again is chance there.
   */
  readonly apart?: boolean;
}

const CASES: readonly Case[] = [
  { name: "requests", http: { http2MaxRequests: 2 }, requests: 5 },
  { name: "one-by-one", tcp: { maxConnections: 1 }, http: { http2MaxRequests: 1 }, requests: 3 },
  { name: "fewer-than-connections", tcp: { maxConnections: 2 }, http: { http2MaxRequests: 1 }, requests: 3 },
  { name: "waiting", tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 }, requests: 4 },
  { name: "retries", http: { maxRetries: 1 }, requests: 3, status: 503, attempts: 2 },
  { name: "more-retries", http: { maxRetries: 3 }, requests: 10, status: 503, attempts: 2 },
  { name: "unlimited", requests: 10, status: 503, attempts: 1 },
  {
    ...{ name: "budget", retryBudget: { percent: 20, minRetryConcurrency: 1 } },
    ...{ requests: 12, status: 503, attempts: 1, apart: true },
  },
  {
    ...{ name: "half", retryBudget: { percent: 60, minRetryConcurrency: 1 } },
    ...{ requests: 8, status: 503, attempts: 1, apart: true },
  },
  {
    ...{ name: "budget-floor", retryBudget: { percent: 20, minRetryConcurrency: 3 } },
    ...{ requests: 10, status: 503, attempts: 1 },
  },
  {
    name: "budget-instead",
    http: { maxRetries: 1 },
    retryBudget: { percent: 0, minRetryConcurrency: 2 },
    requests: 5,
    status: 503,
    attempts: 2,
  },
];

const UNLIMITED = 4_294_967_295;

/** @param ports of the upstreams, one for each case */
function configuration(ports: readonly number[]) {
  const routes = CASES.map(({ name, attempts = 0 }) => ({
    match: { prefix: `/${name}/` },
    route: {
      cluster: name,
      timeout: "0s",
      ...(attempts > 0 && { retry_policy: { retry_on: "5xx", num_retries: attempts } }),
    },
  }));
  const clusters = CASES.map(({ name, tcp, http, retryBudget }, index) => ({
    name,
    type: "STATIC",
    circuit_breakers: {
      thresholds: [
        {
          max_connections: tcp?.maxConnections ?? UNLIMITED,
          max_pending_requests: http?.http1MaxPendingRequests ?? UNLIMITED,
          max_requests: http?.http2MaxRequests ?? UNLIMITED,
          max_retries: http?.maxRetries ?? UNLIMITED,
          ...(retryBudget && {
            retry_budget: {
              budget_percent: { value: retryBudget.percent },
              min_retry_concurrency: retryBudget.minRetryConcurrency,
            },
          }),
        },
      ],
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: at(ports[index]!) } }] }],
    }, // one for each
  }));
  return envoyConfiguration("limits", routes, clusters);
}

function documents({ name, tcp = undefined, http, retryBudget, attempts = 0 }: Case, port: number): string {
  const policy = { connectionPool: { ...(tcp && { tcp }), http: http ?? {} }, ...(retryBudget && { retryBudget }) };
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: it, namespace: shop}
spec:
  hosts: [${name}.example]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: ${port}}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it, namespace: shop}
spec: ${JSON.stringify({ host: `${name}.example`, trafficPolicy: policy })}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: it, namespace: shop}
spec:
  hosts: [${name}.example]
  http: [{retries: {attempts: ${attempts}${attempts > 0 ? ", retryOn: 5xx" : ""}}, route: [{destination: {host: ${name}.example}}]}]
`;
}

/** Answers when it is told to. */
class Upstream {
  readonly held: ServerResponse[] = [];
  seen = 0;
  readonly #server: Server = createServer((_, response) => {
    this.seen += 1;
    this.held.push(response);
  });

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Where requests wait for a connection, nothing says that all have come: then this long without news does. In ms. */
const QUIET_MS = 250;

/** Sends the requests of a case, the first before the others. @returns their statuses, sorted, and how many the upstream saw */
async function play(
  { tcp, requests, status = 200, apart = false }: Case,
  upstream: Upstream,
  send: () => Promise<number>,
) {
  const answered: number[] = [];
  const one = (): Promise<void> => send().then((code) => void answered.push(code));
  const news = (): number => answered.length + upstream.seen;
  const sent = [one()];
  await until(() => upstream.seen === 1); // the others find a connection in use and not a handshake
  for (let each = 1; each < requests; each++) sent.push(one());
  if (tcp === undefined) await until(() => news() >= requests);
  else for (let known = -1; known !== news(); await sleep(QUIET_MS)) known = news();
  while (answered.length < requests) {
    await until(() => upstream.held.length > 0);
    const released = upstream.held.splice(0, apart ? 1 : upstream.held.length);
    const before = news();
    for (const response of released) response.writeHead(status).end();
    await until(() => news() >= before + released.length); // each is an answer now, or comes again
  }
  await Promise.all(sent);
  return { statuses: answered.sort((a, b) => a - b), seen: upstream.seen };
}

/** No longer than a test takes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

async function ourSide(each: Case) {
  const upstream = new Upstream();
  const text = documents(each, await upstream.start());
  const client = { namespace: "shop", service: "web", labels: {} };
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  const transport = new HttpTransport({ clock: engine.clock, undici: () => undici });
  const dispatcher = new MeshDispatcher({ engine, transport });
  store.publish(
    compile({ resources: resourcesIn(text, `${each.name}.yaml`), workloads: [], client, problems: [], version: 1 }),
  );
  try {
    return await play(each, upstream, () => statusOf(`http://${each.name}.example/`, dispatcher));
  } finally {
    await transport.destroy(new Error("the test is over"));
    engine.close();
    await upstream.stop();
  }
}

async function statusOf(url: string, dispatcher: undici.Dispatcher): Promise<number> {
  const { statusCode, body } = await undici.request(url, { dispatcher });
  await body.dump();
  return statusCode;
}

describe("connectionPool and retryBudget", () => {
  it("let through what a real Envoy lets through", { timeout: 180_000 }, async (context) => {
    const binary = findEnvoy("what limits let through");
    if (binary === undefined) return context.skip("no Envoy to compare with");
    const folder = mkdtempSync(join(tmpdir(), "inmesh-limits-"));
    const upstreams = CASES.map(() => new Upstream());
    const ports = await Promise.all(upstreams.map((upstream) => upstream.start()));
    const envoy = await runEnvoy({ binary, folder, name: "limits", cpu: 0 }, configuration(ports));
    const direct = new undici.Agent();
    const theirSide = async (each: Case, index: number) =>
      play(each, upstreams[index]!, () => statusOf(`http://127.0.0.1:${envoy.port}/${each.name}/`, direct)); // one for each
    const named = async (side: typeof theirSide) =>
      Promise.all(CASES.map(async (each, index) => [each.name, await side(each, index)]));
    try {
      const [ours, theirs] = await Promise.all([named(ourSide), named(theirSide)]);
      expect(ours).toEqual(theirs);
    } finally {
      await direct.destroy();
      await envoy.stop();
      await Promise.all(upstreams.map((upstream) => upstream.stop()));
      rmSync(folder, { recursive: true });
    }
  });
});
