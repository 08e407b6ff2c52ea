/**
 * What it costs to ask who may come in: the decision alone, with 10 and 1,000 rules, and whole requests to a server, bare,
 * in the mesh, and with rules. Callers are another process; CPU is the server's.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { Engine, SnapshotStore, systemClock } from "@inmesh/core";
import { attachServer, Inbound, Servers } from "@inmesh/http/server";
import { type AccessRequest, parseSpiffeId } from "@inmesh/model";
import { loop } from "../lib/loop.js";
import { type PairedRow, paired, type Variant } from "../lib/paired.js";
import { forkPinned, measureApart, OTHER_CPU, PINNING } from "../lib/pinned.js";
import { resources, snapshot } from "../lib/policy.js";
import { type Report, type Row, show } from "../lib/table.js";
import { BODY } from "../lib/upstream.js";

const MODULE = fileURLToPath(import.meta.url);
const IN_FLIGHT = 16;
const FEW = 10;
const MANY = 1_000;
/** What the requests ask for: the last rule allows it. */
const pathOf = (rules: number): string => `/api/v1/resource${rules - 1}/7`;

interface Order {
  readonly port: number;
  readonly count: number;
  readonly path: string;
}

/** ALLOW rules as teams write them: who, what, how. `open` lets plaintext callers in as well. */
function policy(rules: number, open: boolean): string {
  const each = Array.from({ length: rules }, (_, index) => {
    const from = open
      ? ""
      : `from: [{ source: { principals: ["cluster.local/ns/shop/sa/web${index % 50}"] } }]\n      `;
    return `    - ${from}to: [{ operation: { methods: [GET, POST], paths: ["/api/v1/resource${index}/*"] } }]`;
  });
  // A policy holds 512 rules at most.
  const documents: string[] = [];
  for (let at = 0; at < each.length; at += 500) {
    documents.push(`apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: allow-${at}, namespace: shop }
spec:
  rules:
${each.slice(at, at + 500).join("\n")}
`);
  }
  return documents.join("---\n");
}

export async function authz(): Promise<Report> {
  const { decisions, requests } = await measureApart<Measured>(MODULE, ["measure"]);
  return {
    bench: "who may come in",
    rows: [
      ...decisions.map(({ rules, bestNs, medianNs, bytes }) => ({
        what: `a decision, ${rules} rules`,
        "median ns": medianNs.toFixed(0),
        "best ns": bestNs.toFixed(0),
        bytes: bytes?.toFixed(0) ?? "-",
      })),
      ...requests.map(row),
    ],
    notes: [
      "goals: a decision <= 2 us with 10 rules, <= 3 us with 1,000; whole inbound pipeline with rules <= +5 us",
      `whole requests: 865 B JSON, ${IN_FLIGHT} in flight, keep-alive; median and quartiles of paired slices`,
      PINNING,
    ],
  };
}

function row({ name, cpuUs, ratio, addedUs }: PairedRow): Row {
  return { what: name, "CPU us/request": show(cpuUs, 1), ratio: show(ratio, 3), "added us": show(addedUs, 1) };
}

interface Measured {
  readonly decisions: readonly { rules: number; bestNs: number; medianNs: number; bytes: number | undefined }[];
  readonly requests: readonly PairedRow[];
}

function decision(rules: number) {
  const { access } = snapshot(resources(policy(rules, false)), []).security;
  const path = pathOf(rules);
  const request: AccessRequest = {
    http: { method: "GET", path, target: path, authority: "reviews:9080", header: () => undefined },
    peer: parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/web${(rules - 1) % 50}`),
    ...{ sourceIp: "10.0.0.7", remoteIp: "10.0.0.7", destinationIp: "10.0.0.9", port: 9_080, sni: "" },
  };
  if (!access.decide(request).allowed) throw new Error("the bench's own policy denies what it should allow");
  return { rules, ...loop(() => access.decide(request)) };
}

/** @param rules undefined: no mesh */
async function serve(rules: number | undefined): Promise<number> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
    response.end(BODY);
  });
  server.keepAliveTimeout = 60_000;
  await once((rules === undefined ? server : meshed(server, rules)).listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

function meshed(server: Server, rules: number): Server {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  const inbound = new Inbound(engine);
  store.publish(snapshot(rules === 0 ? [] : resources(policy(rules, true)), []));
  return attachServer(server, new Servers({ inbound, clock: systemClock }));
}

async function measure(): Promise<Measured> {
  const child = forkPinned(MODULE, ["call"], OTHER_CPU, []);
  const variant = async (name: string, rules: number | undefined): Promise<Variant> => {
    const port = await serve(rules);
    const path = pathOf(rules || FEW);
    return { name, run: async (count) => ask(child, { port, count, path }) };
  };
  const bare = await variant("bare node:http", undefined);
  const others = [
    await variant("in the mesh, no policy", 0),
    await variant(`in the mesh, ${FEW} rules`, FEW),
    await variant(`in the mesh, ${MANY} rules`, MANY),
  ];
  const requests = await paired(bare, others, { rounds: 25, slice: 1_000, warmUp: 5_000 });
  child.kill();
  return { decisions: [decision(FEW), decision(MANY)], requests };
}

async function ask(child: ChildProcess, order: Order): Promise<void> {
  const answer = once(child, "message");
  child.send(order);
  const [failed] = (await answer) as [number];
  if (failed > 0) throw new Error(`${failed} of ${order.count} requests were not answered with 200`);
}

const KEPT = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });

/** @returns requests that were not answered with 200 */
async function obey({ port, count, path }: Order): Promise<number> {
  let [left, failed] = [count, 0];
  const request = (): Promise<void> =>
    new Promise((resolve, reject) => {
      get({ port, host: "127.0.0.1", path, agent: KEPT }, (response) => {
        if (response.statusCode !== 200) failed += 1;
        response.resume().on("end", resolve);
      }).on("error", reject);
    });
  const worker = async (): Promise<void> => {
    while (left-- > 0) await request();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return failed;
}

if (process.argv[1] === MODULE && process.argv[2] === "measure") {
  process.send?.(await measure());
  process.disconnect();
  process.exit();
}
if (process.argv[1] === MODULE && process.argv[2] === "call") {
  process.on("message", async (order: Order) => process.send?.(await obey(order)));
  process.on("disconnect", () => process.exit());
}
