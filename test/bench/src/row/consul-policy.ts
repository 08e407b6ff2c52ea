/**
 * A Consul of 1,000 services with rules each: what a process pays for policy that reads everybody's, and one that reads what
 * it uses. In turns, so that both meet the same machine.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { ConsulRegistry } from "@inmesh/consul";
import { type RegistryView, SnapshotStore } from "@inmesh/core";
import { Pipeline } from "@inmesh/core/internal";
import { compile, parseDocuments, validateDocument } from "@inmesh/model";
import { type ConsulProcess, findConsul, startDevAgent } from "@inmesh-test/consul/peer";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";
import { cpuDuring, memory, until } from "./consul.js";

const SERVICES = 1_000;
const USED = 5;
const ROUNDS = 3;
const CHANGES = 10;
/** Between two changes, in ms: beyond one a second a watch hears of several at a time. */
const PAUSE_MS = 1_000;
/** Of Consul, in one transaction. */
const MOST_OPERATIONS = 64;

const OWN = { namespace: "default", service: "web" };

export async function consulPolicy(): Promise<Report> {
  const binary = findConsul("what policy costs the processes of a real Consul");
  if (binary === undefined) return { bench: "consul-policy", rows: [], notes: ["skipped: there is no Consul"] };
  await using consul = await startDevAgent(binary);
  await fill(consul);
  const all: Measured[] = [];
  const used: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    all.push(await measure(consul, false, round));
    used.push(await measure(consul, true, round));
  }
  const row = (what: string, of: (measured: Measured) => number | readonly number[], digits = 1) => ({
    what,
    "policy of all": show(spread(all.flatMap(of)), digits),
    [`of ${USED} used`]: show(spread(used.flatMap(of)), digits),
  });
  return {
    bench: `consul-policy ${binary.version}: ${SERVICES} services with a VirtualService and a DestinationRule each`,
    rows: [
      row("documents read", ({ documents }) => documents, 0),
      row("CPU to the first snapshot, ms", ({ startMs }) => startMs, 0),
      row("heap with it, KB", ({ heapKb }) => heapKb, 0),
      row("CPU of a change of a rule in use, ms", ({ usedMs }) => usedMs),
      row("CPU of a change of another service's rule, ms", ({ otherMs }) => otherMs),
    ],
    notes: ["both use the same services; the rest of a process is in neither"],
  };
}

interface Measured {
  readonly documents: number;
  readonly startMs: number;
  readonly heapKb: number;
  readonly usedMs: readonly number[];
  readonly otherMs: readonly number[];
}

async function measure(consul: ConsulProcess, byUse: boolean, round: number): Promise<Measured> {
  const target = { host: "127.0.0.1", port: consul.port, secure: false, prefix: "inmesh", namespace: "default" };
  const before = await memory();
  const registry = new ConsulRegistry({ target, parse: parseDocuments, ...(byUse && { own: OWN }) });
  for (let service = 0; service < USED; service++) {
    registry.use({ namespace: "default", service: nameOf(service) });
  }
  const store = new SnapshotStore();
  const client = { ...OWN, labels: {} };
  const pipeline = new Pipeline({ source: registry, store, validate: validateDocument, compile, client });
  let last: RegistryView | undefined;
  registry.watch((view) => {
    last = view;
  });
  try {
    const startMs = await cpuDuring(async () => {
      pipeline.start();
      await until(() => store.current !== undefined && (last?.workloads?.length ?? 0) === USED);
    });
    await sleep(PAUSE_MS);
    const heapKb = ((await memory()).heap - before.heap) / 1_024;
    const documents = last?.documents.length ?? 0;
    const changes = async (service: number): Promise<number[]> => {
      const took: number[] = [];
      for (let change = 0; change < CHANGES; change++) {
        took.push(
          await cpuDuring(async () => {
            await write(consul, [rule(service, `v${round}-${change}`)]);
            await sleep(200);
          }),
        );
        await sleep(PAUSE_MS);
      }
      return took;
    };
    return { documents, startMs, heapKb, usedMs: await changes(0), otherMs: await changes(SERVICES - 1) };
  } finally {
    await pipeline.close();
    await registry.close();
  }
}

async function fill(consul: ConsulProcess): Promise<void> {
  const services = Array.from({ length: SERVICES }, (_, service) => service);
  for (const service of services) {
    const Service = { ID: nameOf(service), Service: nameOf(service), Port: 8_000 };
    await consul.must("PUT", "/v1/catalog/register", { Node: "fleet", Address: "127.0.0.1", Service });
  }
  const all = services.flatMap((service) => [rule(service, "first"), subsets(service)]);
  for (let first = 0; first < all.length; first += MOST_OPERATIONS) {
    await write(consul, all.slice(first, first + MOST_OPERATIONS));
  }
}

async function write(consul: ConsulProcess, rules: readonly Rule[]): Promise<void> {
  const operations = rules.map(({ key, value }) => ({
    KV: { Verb: "set", Key: key, Value: Buffer.from(JSON.stringify(value)).toString("base64") },
  }));
  await consul.must("PUT", "/v1/txn", operations);
}

interface Rule {
  readonly key: string;
  readonly value: object;
}

const nameOf = (service: number): string => `service-${service}`;

function rule(service: number, version: string): Rule {
  const host = nameOf(service);
  const route = ["v1", "v2"].map((subset) => ({ destination: { host, subset }, weight: 50 }));
  return document(service, "VirtualService", {
    hosts: [host],
    http: [
      { match: [{ headers: { "x-version": { exact: version } } }], route: [{ destination: { host, subset: "v2" } }] },
      { timeout: "3s", retries: { attempts: 2, retryOn: "5xx" }, route },
    ],
  });
}

function subsets(service: number): Rule {
  const named = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));
  return document(service, "DestinationRule", { host: nameOf(service), subsets: named });
}

function document(service: number, kind: string, spec: object): Rule {
  const name = nameOf(service);
  return {
    key: `inmesh/services/default/${name}/${kind}/${name}`,
    value: { apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "default" }, spec },
  };
}
