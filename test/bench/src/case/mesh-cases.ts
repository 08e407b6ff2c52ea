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

export const MESH_CASES: Readonly<Record<string, RequestCase>> = {
  default: meshCase("inmesh, one endpoint, default policy", ""),
  policy: meshCase("inmesh, match, timeouts, retries on", POLICY),
};

function meshCase(name: string, policy: string): RequestCase {
  return {
    name,
    start({ port }) {
      const agent = new Agent({ connections: WIDTH });
      const mesh = meshOf(policy, port);
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

/** A mesh that knows one service, `reviews`, with one endpoint. */
export function meshOf(
  policy: string,
  port: number,
): { readonly dispatcher: MeshDispatcher; readonly engine: Engine; close(): Promise<void> } {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(policy), workloads("reviews", 1, { firstPort: port })));
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
