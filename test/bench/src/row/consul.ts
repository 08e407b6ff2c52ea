/**
 * A Consul of 200 services with 10 instances each: what watching costs, and what one change costs whom. One process watches
 * as one that uses all of them, then as fifty that use five each.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { ConsulRegistry } from "@inmesh/consul";
import type { RegistryView } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { type ConsulProcess, findConsul, startDevAgent } from "@inmesh-test/consul/peer";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const SERVICES = 200;
const INSTANCES = 10;
const PROCESSES = 50;
const USED_EACH = 5;
const CHANGES = 10;
/** Between two changes, in ms: a watch that hears of more than one a second for long hears of several at a time. */
const PAUSE_MS = 1_000;
const SETTLED_MS = 1_500;

const nameOf = (service: number): string => `service-${service}`;

export async function consulBench(): Promise<Report> {
  const binary = findConsul("what watching a real Consul costs");
  if (binary === undefined) return { bench: "consul", rows: [], notes: ["skipped: there is no Consul"] };
  const configuration = { limits: { http_max_conns_per_client: 5_000 } };
  await using consul = await startDevAgent(binary, { configuration });
  for (let service = 0; service < SERVICES; service++) {
    await Promise.all(Array.from({ length: INSTANCES }, (_, instance) => put(consul, service, instance, "v1")));
  }
  const all = await watching(consul, 1, SERVICES);
  const many = await watching(consul, PROCESSES, USED_EACH);
  const row = (what: string, one: string | number, fifty: string | number) => ({
    what,
    "1 x 200": one,
    [`${PROCESSES} x ${USED_EACH}`]: fifty,
  });
  return {
    bench: `consul ${binary.version}: ${SERVICES} services x ${INSTANCES} instances; registries x services in use`,
    rows: [
      row("watches of services", SERVICES, PROCESSES * USED_EACH),
      row("heap per watched service, KB", all.heapKb.toFixed(1), many.heapKb.toFixed(1)),
      row("resident memory per watched service, KB", all.residentKb.toFixed(1), many.residentKb.toFixed(1)),
      row("views after a change of one instance of a used service", all.viewsPerChange, many.viewsPerChange),
      row(
        "CPU of that change per registry that uses the service, ms",
        show(spread(all.cpuMs), 2),
        show(spread(many.cpuMs), 2),
      ),
      row("until the last of them has it, ms", show(spread(all.lastMs), 0), show(spread(many.lastMs), 0)),
      row("views after a change of a service that nobody uses", all.viewsOfOther, many.viewsOfOther),
      row(
        "CPU of that change in all registries, ms",
        show(spread(all.otherCpuMs), 2),
        show(spread(many.otherCpuMs), 2),
      ),
      row("CPU while nothing changes, % of a core", all.idlePercent.toFixed(2), many.idlePercent.toFixed(2)),
    ],
    notes: ["a watch holds one connection; the memory of its socket is in the resident memory"],
  };
}

interface Measured {
  readonly heapKb: number;
  readonly residentKb: number;
  readonly viewsPerChange: number;
  readonly cpuMs: readonly number[];
  readonly lastMs: readonly number[];
  readonly viewsOfOther: number;
  readonly otherCpuMs: readonly number[];
  readonly idlePercent: number;
}

/** All registries use the first so many services. */
async function watching(consul: ConsulProcess, registries: number, used: number): Promise<Measured> {
  const target = { host: "127.0.0.1", port: consul.port, secure: false, prefix: "inmesh", namespace: "default" };
  const before = await memory();
  let views = 0;
  const opened = Array.from({ length: registries }, () => {
    const registry = new ConsulRegistry({ target, parse: parseDocuments });
    for (let service = 0; service < used; service++) registry.use({ namespace: "default", service: nameOf(service) });
    return { registry, view: undefined as RegistryView | undefined };
  });
  for (const each of opened) {
    each.registry.watch((view) => {
      views += 1;
      each.view = view;
    });
  }
  const holds = (fits: (view: RegistryView) => boolean) => opened.every(({ view }) => view !== undefined && fits(view));
  try {
    await until(() => holds(({ workloads = [] }) => workloads.length === used * INSTANCES));
    await sleep(SETTLED_MS);
    const after = await memory();
    const idle = await cpuDuring(() => sleep(3_000));
    const [cpuMs, lastMs, otherCpuMs]: [number[], number[], number[]] = [[], [], []];
    const viewsBefore = views;
    for (let change = 1; change <= CHANGES; change++) {
      const version = `c${change}-${registries}`;
      const at = performance.now();
      const cpu = await cpuDuring(async () => {
        await put(consul, 0, 0, version);
        await until(() => holds(({ workloads = [] }) => workloads.some(({ labels }) => labels["version"] === version)));
        lastMs.push(performance.now() - at);
        await sleep(100);
      });
      cpuMs.push(cpu / registries);
      await sleep(PAUSE_MS);
    }
    const viewsOfUsed = views - viewsBefore;
    for (let change = 1; used < SERVICES && change <= CHANGES / 2; change++) {
      otherCpuMs.push(
        await cpuDuring(async () => {
          await put(consul, SERVICES - 1, 0, `o${change}`);
          await sleep(200);
        }),
      );
    }
    const viewsOfOther = views - viewsBefore - viewsOfUsed;
    const watches = registries * used;
    return {
      heapKb: (after.heap - before.heap) / 1_024 / watches,
      residentKb: (after.resident - before.resident) / 1_024 / watches,
      viewsPerChange: viewsOfUsed / CHANGES / registries,
      ...{ cpuMs, lastMs, viewsOfOther, otherCpuMs: otherCpuMs.length > 0 ? otherCpuMs : [0] },
      idlePercent: idle / 30,
    };
  } finally {
    await Promise.all(opened.map(({ registry }) => registry.close()));
  }
}

async function put(consul: ConsulProcess, service: number, instance: number, version: string): Promise<void> {
  const Service = { ID: `${service}-${instance}`, Service: nameOf(service), Port: 8_000 + instance, Meta: { version } };
  await consul.must("PUT", "/v1/catalog/register", { Node: "fleet", Address: "127.0.0.1", Service });
}

export async function memory(): Promise<{ readonly heap: number; readonly resident: number }> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await sleep(50);
  }
  return { heap: process.memoryUsage().heapUsed, resident: process.memoryUsage().rss };
}

/** @returns ms of this process */
export async function cpuDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

export async function until(holds: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 30_000; !holds(); await sleep(2)) {
    if (performance.now() > deadline) throw new Error("it never happens");
  }
}
