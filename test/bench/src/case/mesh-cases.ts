/** inmesh over `dispatcher.request`, beside bare undici. */

import { Engine, SnapshotStore } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { Agent, type Dispatcher } from "undici";
import { concurrently } from "../lib/paired.js";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { HEADERS, PATH, type RequestCase, WIDTH } from "./request-case.js";

/** A canary with header match, timeouts, retries: what a real rule has. One endpoint gets all of it. */
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

/** Every mechanism that watches a call, and nothing that happens: limits, budgets by number and by rate, outliers, a breaker. */
export const EVERYTHING = `${POLICY}---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews
  trafficPolicy:
    connectionPool:
      tcp: { maxConnections: 1000 }
      http: { http1MaxPendingRequests: 1000, http2MaxRequests: 1000 }
    outlierDetection: { consecutive5xxErrors: 5, consecutiveGatewayErrors: 3, interval: 10s, baseEjectionTime: 30s }
    retryBudget: { percent: 20, minRetryConcurrency: 3 }
---
apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, slowCall: { duration: 1s, percent: 80 } }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, retry: { percent: 20, minPerSecond: 3 } }
`;

const MANY = 20;

export const MESH_CASES: Readonly<Record<string, RequestCase>> = {
  default: meshCase("inmesh, one endpoint, default policy", ""),
  policy: meshCase("inmesh, match, timeouts, retries on", POLICY),
  resilience: meshCase("inmesh, every mechanism on, one endpoint", EVERYTHING),
  "resilience-20": meshCase(`inmesh, every mechanism on, ${MANY} endpoints`, EVERYTHING, MANY),
};

function meshCase(name: string, policy: string, endpoints = 1): RequestCase {
  return {
    name,
    endpoints,
    start({ port, ports }) {
      const agent = new Agent({ connections: WIDTH });
      const mesh = meshOf(policy, ports);
      const origin = `http://127.0.0.1:${port}`;
      return {
        baseline: { name: "bare undici, dispatcher.request", run: requests(agent, origin) },
        candidate: { name, run: requests(mesh.dispatcher, "http://reviews") },
        async close() {
          await mesh.close();
          await agent.close();
        },
      };
    },
  };
}

/** A mesh that knows one service, `reviews`, with an endpoint on each port. */
export function meshOf(
  policy: string,
  ports: readonly number[],
): { readonly dispatcher: MeshDispatcher; readonly engine: Engine; close(): Promise<void> } {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(
    snapshot(
      resources(policy),
      ports.flatMap((firstPort) => workloads("reviews", 1, { firstPort })),
    ),
  );
  const dispatcher = new MeshDispatcher({ engine });
  return {
    dispatcher,
    engine,
    async close() {
      await dispatcher.close();
      engine.close();
    },
  };
}

export function requests(dispatcher: Dispatcher, origin: string): (count: number) => Promise<void> {
  const options = { origin, path: PATH, method: "GET" as const, headers: HEADERS };
  return (count) =>
    concurrently(count, WIDTH, async () => {
      const { statusCode, body } = await dispatcher.request(options);
      if (statusCode !== 200) throw new Error(`answered ${statusCode}: ${await body.text()}`);
      await body.arrayBuffer();
    });
}
