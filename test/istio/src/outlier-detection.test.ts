/**
 * outlierDetection beside a sidecar: the same endpoints misbehave in the same order before a process of ours and before a
 * real Envoy, and the same ones are ejected. Envoy's configuration is what istiod 1.26 makes of the same YAML.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { answers, type Behaviour, cuts, refuses, resets, silent, testEngine } from "@inmesh/core/testing";
import { compile } from "@inmesh/model";
import { findEnvoy } from "@inmesh-test/identity/peer";
import { request as send } from "undici";
import { describe, expect, it } from "vitest";
import { resourcesIn } from "../../../packages/core/src/testing/policy-resources.test.helper.js";
import { runEnvoy } from "../../bench/src/lib/envoy.js";
import { at, envoyConfiguration } from "./envoy-configuration.js";

const MOST_ENDPOINTS = 20;
/** Of calls to endpoints that do not answer; the others have all the time they need. */
const TIMEOUT_MS = 60;

/** What every endpoint of a case does: an answer with this status, or none. `refused`: nobody listens. */
type Doing = number | "reset" | "cut" | "hang" | "refused";

interface Case {
  readonly name: string;
  readonly endpoints: number;
  /** An `outlierDetection`; where `interval` is not told, no sweep comes while it runs. */
  readonly yaml: string;
  /** So many requests while the endpoints do that. */
  readonly steps: readonly (readonly [doing: Doing, requests: number])[];
}

const ALL = "maxEjectionPercent: 100";

const CASES: readonly Case[] = [
  // How many of how few: never more than the share, and none at all of nine.
  ...[1, 2, 9, 10, 19, 20].map(
    (endpoints): Case => ({
      name: `10-percent-of-${endpoints}`,
      endpoints,
      yaml: "{consecutive5xxErrors: 1}",
      steps: [[500, endpoints]],
    }),
  ),
  ...[33, 34, 66, 67, 100].map(
    (percent): Case => ({
      name: `${percent}-percent-of-3`,
      endpoints: 3,
      yaml: `{consecutive5xxErrors: 1, maxEjectionPercent: ${percent}}`,
      steps: [[500, 3]],
    }),
  ),
  ...(
    [
      [4, 50, 50],
      [4, 75, 50],
      [4, 75, 25],
      [4, 75, 26],
      [3, 100, 0],
      [3, 100, 1],
    ] as const
  ).map(
    ([endpoints, percent, health]): Case => ({
      name: `panic-${endpoints}-${percent}-${health}`,
      endpoints,
      yaml: `{consecutive5xxErrors: 1, maxEjectionPercent: ${percent}, minHealthPercent: ${health}}`,
      steps: [
        [500, endpoints],
        [200, endpoints],
      ],
    }),
  ),
  {
    name: "empty",
    endpoints: 1,
    yaml: `{${ALL}}`,
    steps: [
      [500, 4],
      [500, 1],
    ],
  },
  {
    name: "any-success",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 2, ${ALL}}`,
    steps: [
      [500, 1],
      [404, 1],
      [500, 1],
      [501, 1],
    ],
  },
  {
    name: "zero",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 0, ${ALL}}`,
    steps: [
      [500, 8],
      ["reset", 3],
    ],
  },
  {
    name: "reset-is-5xx",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 3, ${ALL}}`,
    steps: [
      ["reset", 2],
      [200, 1],
      ["reset", 2],
      [500, 1],
    ],
  },
  {
    name: "reset-is-gateway",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 9, consecutiveGatewayErrors: 2, ${ALL}}`,
    steps: [
      ["reset", 1],
      [200, 1],
      ["reset", 2],
    ],
  },
  {
    name: "500-is-not-gateway",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 9, consecutiveGatewayErrors: 2, ${ALL}}`,
    steps: [
      [503, 1],
      [500, 1],
      [503, 1],
      [504, 1],
    ],
  },
  {
    name: "gateway-alone",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 0, consecutiveGatewayErrors: 2, ${ALL}}`,
    steps: [[502, 2]],
  },
  {
    name: "timeout-is-gateway",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 9, consecutiveGatewayErrors: 2, ${ALL}}`,
    steps: [["hang", 2]],
  },
  {
    name: "refused-is-gateway",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 9, consecutiveGatewayErrors: 2, ${ALL}}`,
    steps: [["refused", 2]],
  },
  {
    name: "split-refused",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 2, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 3, ${ALL}}`,
    steps: [
      ["refused", 2],
      ["refused", 1],
    ],
  },
  {
    name: "split-reset",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 2, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2, ${ALL}}`,
    steps: [
      ["reset", 3],
      ["hang", 3],
      [500, 2],
    ],
  },
  {
    name: "split-between",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 2, splitExternalLocalOriginErrors: true, ${ALL}}`,
    steps: [
      [500, 1],
      ["reset", 1],
      [500, 1],
    ],
  },
  {
    name: "cut-off",
    endpoints: 1,
    yaml: `{consecutive5xxErrors: 2, ${ALL}}`,
    steps: [
      ["cut", 3],
      [500, 1],
    ],
  },
  {
    name: "spared-counts-anew",
    endpoints: 1,
    yaml: "{consecutive5xxErrors: 2, maxEjectionPercent: 10}",
    steps: [[500, 5]],
  },
];

/** What Istio writes into Envoy's configuration, for the fields that it knows. */
function outlierOf(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { consecutive5xxErrors, consecutiveGatewayErrors, consecutiveLocalOriginFailures } = spec;
  const { splitExternalLocalOriginErrors, maxEjectionPercent } = spec;
  return {
    ...(consecutive5xxErrors !== undefined && { consecutive_5xx: consecutive5xxErrors }),
    ...(consecutiveGatewayErrors !== undefined && {
      consecutive_gateway_failure: consecutiveGatewayErrors,
      enforcing_consecutive_gateway_failure: 100,
    }),
    ...(splitExternalLocalOriginErrors === true && {
      split_external_local_origin_errors: true,
      ...(consecutiveLocalOriginFailures !== undefined && {
        consecutive_local_origin_failure: consecutiveLocalOriginFailures,
        enforcing_consecutive_local_origin_failure: 100,
      }),
    }),
    ...(maxEjectionPercent !== undefined && { max_ejection_percent: maxEjectionPercent }),
    enforcing_success_rate: 0,
    interval: "3600s",
  };
}

const portsOf = ({ endpoints, steps }: Case, ports: readonly number[], closed: number): readonly number[] =>
  steps.some(([doing]) => doing === "refused") ? [closed] : ports.slice(0, endpoints);

function configuration(specs: readonly Readonly<Record<string, unknown>>[], ports: readonly number[], closed: number) {
  const routes = CASES.map(({ name, steps }) => ({
    match: { prefix: `/${name}/` },
    route: { cluster: name, timeout: steps.some(([doing]) => doing === "hang") ? `${TIMEOUT_MS / 1_000}s` : "10s" },
  }));
  const clusters = CASES.map((each, index) => ({
    name: each.name,
    type: "STATIC",
    lb_policy: "ROUND_ROBIN",
    common_lb_config: {
      healthy_panic_threshold: { value: specs[index]!["minHealthPercent"] ?? 0 }, // one for each case
      update_merge_window: "0s", // or its own pick lags behind what it ejected
    },
    outlier_detection: outlierOf(specs[index]!), // likewise
    load_assignment: {
      cluster_name: each.name,
      endpoints: [{ lb_endpoints: portsOf(each, ports, closed).map((port) => ({ endpoint: { address: at(port) } })) }],
    },
  }));
  return envoyConfiguration("outliers", routes, clusters);
}

async function listen(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** What our fake network does of it. */
function behaviour(doing: Doing): Behaviour {
  if (typeof doing === "number") return answers(doing);
  return { reset: resets(), cut: cuts(), hang: silent(), refused: refuses() }[doing];
}

function ourSide(each: Case) {
  const { name, endpoints, yaml } = each;
  const addresses = Array.from({ length: endpoints }, (_, index) => `10.0.0.${index + 1}`);
  const text = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: it, namespace: shop}
spec:
  hosts: [${name}.example]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [${addresses.map((address) => `{address: ${address}}`).join(", ")}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it, namespace: shop}
spec: {host: ${name}.example, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: ${yaml}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: it, namespace: shop}
spec:
  hosts: [${name}.example]
  http: [{timeout: ${TIMEOUT_MS}ms, retries: {attempts: 0}, route: [{destination: {host: ${name}.example}}]}]
`;
  const client = { namespace: "shop", service: "web", labels: {} };
  const { store, network, send: call, clock, engine } = testEngine();
  store.publish(
    compile({ resources: resourcesIn(text, `${name}.yaml`), workloads: [], client, problems: [], version: 1 }),
  );
  return {
    request(doing: Doing): number {
      network.script("*", behaviour(doing));
      const sent = call(`${name}.example`);
      clock.advance(TIMEOUT_MS + 10);
      return sent.call.status;
    },
    ejected: (): number =>
      (engine.clusters.all()[0]?.states ?? []).filter(({ outlierUntil }) => outlierUntil > clock.now()).length,
  };
}

interface ClustersStatus {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses: readonly { readonly health_status: { readonly failed_outlier_check?: boolean } }[];
  }[];
}

describe("outlierDetection", () => {
  it("ejects whom a real Envoy ejects", { timeout: 60_000 }, async (context) => {
    const binary = findEnvoy("whom outlier detection ejects");
    if (binary === undefined) return context.skip("no Envoy to compare with");
    let doing: Doing = 200;
    const servers = await Promise.all(
      Array.from({ length: MOST_ENDPOINTS }, () =>
        listen((request, response) => {
          if (doing === "hang") return;
          if (doing === "reset") return request.socket.destroy();
          response.statusCode = typeof doing === "number" ? doing : 200;
          if (doing !== "cut") return response.end();
          response.setHeader("content-length", 100);
          response.write("begun", () => request.socket.destroy());
        }),
      ),
    );
    const gone = await listen(() => {});
    const closed = portOf(gone);
    await new Promise((resolve) => gone.close(resolve));
    const specs = CASES.map(({ yaml }) => Object.fromEntries(yaml.slice(1, -1).split(", ").map(fieldOf)));
    const folder = mkdtempSync(join(tmpdir(), "inmesh-outlier-"));
    const envoy = await runEnvoy(
      { binary, folder, name: "outliers", cpu: 0 },
      configuration(specs, servers.map(portOf), closed),
    );
    const admin = readFileSync(join(folder, "outliers.admin"), "utf8").trim();
    const theirs = async (name: string): Promise<number> => {
      const status = (await (await fetch(`http://${admin}/clusters?format=json`)).json()) as ClustersStatus;
      const { host_statuses: hosts = [] } = status.cluster_statuses.find((cluster) => cluster.name === name) ?? {};
      return hosts.filter(({ health_status }) => health_status.failed_outlier_check === true).length;
    };
    const told: unknown[] = [];
    const ours: unknown[] = [];
    try {
      for (const each of CASES) {
        const { name, steps } = each;
        const side = ourSide(each);
        for (const [index, [what, requests]] of steps.entries()) {
          doing = what;
          const statuses = { ours: [] as number[], theirs: [] as number[] };
          let before = side.ejected();
          for (let n = 0; n < requests; n++) {
            statuses.ours.push(side.request(what));
            statuses.theirs.push(await statusOf(`http://127.0.0.1:${envoy.port}/${name}/`));
            const now = side.ejected();
            if (now === before && n < requests - 1) continue;
            before = now;
            // It ejects on another thread than the one that answers.
            for (const end = Date.now() + 500; (await theirs(name)) !== now && Date.now() < end; ) await sleep(5);
          }
          const step = `${name} ${index}`;
          ours.push([step, side.ejected(), statuses.ours]);
          told.push([step, await theirs(name), statuses.theirs]);
        }
      }
    } finally {
      await envoy.stop();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      rmSync(folder, { recursive: true });
    }
    expect(ours).toEqual(told);
  });
});

/** Of YAML that is one flow mapping of numbers and booleans. */
function fieldOf(text: string): [string, unknown] {
  const [name, value] = text.split(": ");
  return [name!, JSON.parse(value!)]; // `name: value`
}

/** The head's: a body that broke off is an answer all the same. */
async function statusOf(url: string): Promise<number> {
  const { statusCode, body } = await send(url);
  await body.dump().catch(() => {});
  return statusCode;
}
