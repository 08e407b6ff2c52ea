/** Compilation: 1,000 services of 20 endpoints with a rule each, then one policy changed, then one endpoint gone. */

import type { Resource, Snapshot, Workload } from "@inmesh/model";
import { resources, snapshot, workloads } from "../lib/policy.js";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const SERVICES = 1_000;
const ENDPOINTS = 20;

export async function compileBench(): Promise<Report> {
  const policy = policies();
  const known = fleet();
  const heapBefore = heap();
  let kept: Snapshot = snapshot(policy, known);
  touch(kept);
  const heapMb = (heap() - heapBefore) / 2 ** 20;

  const whole = times(15, () => snapshot(policy, known));
  const first = times(15, () => touch(snapshot(policy, known)));
  // Parsed beforehand: what a process pays for the text of one document stands in a row of its own.
  const variations = Array.from({ length: 60 }, (_, variation) => oneRule(500, variation + 1));
  const others = Array.from({ length: 60 }, (_, variation) => oneRule(SERVICES - 1, variation + 1));
  let turn = 0;
  const text = times(60, () => oneRule(500, ++turn));
  const changed = times(60, () => {
    const next = [...policy];
    next[500] = variations[turn++ % 60]!; // in range
    kept = snapshot(next, known, kept);
    kept.routes.lookup("service-500", 80);
  });
  const unrelated = times(60, () => {
    kept = snapshot([...policy.slice(0, -1), others[turn++ % 60]!], known, kept);
  });
  const endpoint = times(60, () => {
    const next = [...known];
    next.splice(500 * ENDPOINTS, 1 + (turn++ % 2));
    kept = snapshot(policy, next, kept);
    kept.routes.lookup("service-500", 80);
  });
  const lazy = lazily(policy);
  const row = (what: string, samples: readonly number[]) => ({ what, ms: show(spread(samples), 2) });
  return {
    bench: `compile ${SERVICES} services x ${ENDPOINTS} endpoints`,
    rows: [
      row("whole set, nothing used yet", whole),
      row("whole set, every host used once", first),
      row("text of one rule parsed and validated", text),
      row("one rule changed, its host used", changed),
      row("another rule changed", unrelated),
      row("endpoints of one service changed", endpoint),
      row("names alone known, nothing used yet", lazy.whole),
      row("of names alone, one service's endpoints told and used", lazy.told),
    ],
    notes: [
      `heap of the compiled set with every host used: ${heapMb.toFixed(1)} MB`,
      `heap with names alone known, and five hosts used: ${lazy.heapMb.toFixed(1)} MB`,
      "goal: <= 1 ms per change",
    ],
  };
}

/** A registry that tells instances only of services in use: their names are known, five are called. */
function lazily(policy: readonly Resource[]) {
  const name = (index: number, loaded: boolean) => ({ namespace: "shop", service: `service-${index}`, loaded });
  const names = Array.from({ length: SERVICES }, (_, index) => name(index, false));
  const whole = times(15, () => snapshot(policy, [], undefined, names));
  const used = Array.from({ length: 60 }, (_, index) => workloads(`service-${index * 10}`, ENDPOINTS));
  const heapBefore = heap();
  let kept = snapshot(policy, [], undefined, names);
  let services = names;
  let instances: readonly Workload[] = [];
  const use = (index: number): void => {
    services = [...services];
    services[index * 10] = name(index * 10, true);
    instances = [...instances, ...used[index]!]; // in range
    kept = snapshot(policy, instances, kept, services);
    const host = kept.routes.lookup(`service-${index * 10}`, 80);
    const cluster = host && kept.cluster(`outbound|80||${host.service?.host ?? ""}`);
    if (cluster === undefined || kept.endpoints(cluster).endpoints.length !== ENDPOINTS)
      throw new Error("a service that was told has no endpoints");
  };
  for (let index = 0; index < 5; index++) use(index);
  const heapMb = (heap() - heapBefore) / 2 ** 20;
  let turn = 5;
  const told = times(55, () => use(turn++));
  return { whole, told, heapMb };
}

function policies(): readonly Resource[] {
  return Array.from({ length: SERVICES }, (_, index) => oneRule(index, 0));
}

function oneRule(index: number, variation: number): Resource {
  const [made] = resources(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: service-${index}, namespace: shop }
spec:
  hosts: [service-${index}]
  http:
    - match: [{ uri: { prefix: /v${variation}/ } }]
      route: [{ destination: { host: service-${index} } }]
    - route: [{ destination: { host: service-${index} } }]
`);
  if (made === undefined) throw new Error("the bench's own rule did not parse");
  return made;
}

function fleet(): readonly Workload[] {
  return Array.from({ length: SERVICES }, (_, index) =>
    workloads(`service-${index}`, ENDPOINTS, { address: "10.0.0.1" }),
  ).flat();
}

function touch(made: Snapshot): void {
  for (let index = 0; index < SERVICES; index++) {
    const host = made.routes.lookup(`service-${index}`, 80);
    const action = host?.routes[0]?.action;
    if (action?.kind !== "forward") throw new Error(`service-${index} has no route`);
    const cluster = made.cluster(action.destinations[0]!.cluster); // a forward action has one
    if (cluster !== undefined) made.endpoints(cluster);
  }
}

function times(count: number, work: () => unknown): readonly number[] {
  return Array.from({ length: count }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
}

function heap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}
