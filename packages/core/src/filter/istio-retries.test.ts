/** 560 requests under random retry and timeout policies, judged by what real Istio did with them. ../shared/cases/README.md. */

import { compile, type Resource } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { MeshError } from "../errors.js";
import { answers, type Behaviour, cuts, resets } from "../testing/behaviour.js";
import { readCaseFile, resourcesOf, whyMissing } from "../testing/recorded-cases.test.helper.js";
import { testEngine } from "../testing/test-engine.js";

interface Case {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: { readonly "x-oracle-status": string; readonly "x-oracle-delay"?: string };
  };
  readonly expect: { readonly status?: number; readonly brokenOff?: boolean; readonly upstreamRequests: number };
}

interface CaseFile {
  readonly groups: readonly {
    readonly id: string;
    readonly resources: readonly unknown[];
    readonly cases: readonly Case[];
  }[];
}

const FILE = "istio-retries.json";

/** One endpoint, as in the recording. */
const SERVICE = {
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name: "pay", namespace: "shop" },
  spec: {
    hosts: ["pay.shop.svc.cluster.local"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    endpoints: [{ address: "10.0.0.1" }],
  },
};

/** Waits between attempts are a matter of chance, and with them whether a timeout comes first: one of these must agree. */
const SEEDS = [1, 2, 3, 4, 5];

describe("retries and timeouts, beside real Istio", () => {
  it("gives the caller what Istio gave it, after as many requests to the upstream", async (context) => {
    const missing = whyMissing(FILE);
    if (missing !== undefined) return context.skip(missing);
    const { groups } = readCaseFile<CaseFile>(FILE);
    const wrong: unknown[] = [];
    let judged = 0;
    for (const { id, resources, cases } of groups) {
      for (const [index, each] of cases.entries()) {
        const all = resourcesOf([SERVICE, ...resources]);
        let found = await play(all, each, SEEDS[0]);
        for (const seed of SEEDS) if (!agrees(each, found)) found = await play(all, each, seed);
        if (!agrees(each, found)) wrong.push({ case: `${id}/${index}`, ...each, found });
        judged += 1;
      }
    }
    expect(judged).toBe(560);
    expect(wrong).toEqual([]);
  });
});

/** Istio retries a POST like a GET; we only when it cannot have been carried out. */
function agrees({ request, expect: wanted }: Case, found: Case["expect"]): boolean {
  if (request.method === "POST" && found.upstreamRequests === 1 && wanted.upstreamRequests > 1) return true;
  return JSON.stringify(found) === JSON.stringify(wanted);
}

async function play(resources: readonly Resource[], { request }: Case, seed = 1): Promise<Case["expect"]> {
  const { clock, network, send, store } = testEngine(undefined, { seed });
  const client = { namespace: "shop", service: "app", labels: {} };
  store.publish(compile({ resources, workloads: [], client, problems: [], version: 1 }, undefined));
  const statuses = request.headers["x-oracle-status"].split(",");
  const delays = (request.headers["x-oracle-delay"] ?? "0").split(",").map(Number);
  network.script("*", () => {
    const nth = network.written.length;
    return behaviour(statuses[nth] ?? statuses.at(-1)!, delays[nth] ?? delays.at(-1)!); // not empty
  });
  const { call, exchange } = send("pay", { method: request.method, path: request.path });
  await clock.advanceAsync(10_000);
  const upstreamRequests = network.written.length;
  if (!(call.error instanceof MeshError)) return { status: call.status, upstreamRequests };
  if (exchange.status > 0) return { brokenOff: true, upstreamRequests };
  return { status: call.error.status, upstreamRequests };
}

function behaviour(status: string, delayMs: number): Behaviour {
  const afterMs = delayMs + 1;
  if (status === "reset") return resets(afterMs);
  return status === "cut" ? cuts(200, { afterMs }) : answers(Number(status), { afterMs });
}
