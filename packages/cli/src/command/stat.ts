/** `inmesh stat`: success, rate and latency of services over a short interval. */

import type { Lease } from "@inmesh/core";
import type { Secured, WouldReading } from "@inmesh/core/admin";
import { shortHost } from "@inmesh/core/admin";
import { Command, Option } from "commander";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { BUSY_RATIO, busier, busyText } from "../live/busy.js";
import { processName } from "../live/processes.js";
import { readTraffic, type Traffic, type TrafficReading } from "../live/traffic.js";
import { wouldText } from "../live/would.js";
import {
  formatOf,
  inNamespace,
  parseDuration,
  type RegistryOptions,
  withAllNamespaces,
  withCommon,
  withRegistry,
} from "../options.js";
import { count, formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import type { Column } from "../output/table.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

export interface StatOptions extends RegistryOptions {
  /** In ms. */
  readonly interval: number;
  readonly remote?: boolean;
}

interface ServiceRow extends Omit<Traffic, "inFlight" | "retries" | "successes"> {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  /** Processes of the service that run inmesh. */
  readonly processes: number;
  /** Who measured: the processes that called it, or its own for a service that no process of the mesh calls. */
  readonly measuredBy: "callers" | "itself";
  /** Whether the connections of its callers were encrypted in the interval; null where none was used. */
  readonly secured: Secured;
  /** The busiest event loop of its own processes, and of those who called, 0–1; null where nobody says. */
  readonly busyRatio: number | null;
  readonly callersBusyRatio: number | null;
  /** Of callers in mode `observe`: what policy would have done with their calls; null without such calls. */
  readonly would: WouldReading | null;
}

const STAT_HELP = `
Success, rate and latency are measured by the callers in the mesh, retries included, during --interval. For a service
that nobody in the mesh calls (such as the first one behind the users) its own figures are shown. Of callers in mode
observe, WITH MODE ON says what policy would have done with their calls. BUSY is how much of the time the event loop of
its busiest process worked: near 100% the service is slow because of itself.
`;

export function statCommand(ports: CommandPorts): Command {
  return withTraffic(new Command("stat").description("show success, rate and latency of services"), STAT_HELP).action(
    action<[], StatOptions>(ports, (cli, _, options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const { traffic, leases } = await measure(cli, options, registry);
        for (const { lease, reason } of traffic.failed) cli.warn(`${processName(lease)} is not counted: ${reason}`);
        printServices(cli, options, traffic, leases);
        return EXIT.ok;
      }),
    ),
  );
}

/** Options of what measures for a moment. */
export function withTraffic(command: Command, help: string, formats = LIST_FORMATS): Command {
  command
    .addOption(new Option("--interval <duration>", "how long to measure").argParser(parseDuration).default(2_000, "2s"))
    .addHelpText("after", `${help}\nExample:\n  inmesh ${command.name()} --interval 10s -n shop\n`);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, formats))));
}

async function measure(cli: Cli, options: StatOptions, { view: { leases } }: OpenRegistry) {
  const traffic = await readTraffic(adminClient(cli, options), leases, options.interval, cli.io);
  const { failed } = traffic;
  if (failed.length > 0 && failed.length === leases.length) {
    const [first] = failed;
    const others = failed.length === 1 ? "" : `, nor do ${count(failed.length - 1, "other")}`;
    throw new CliError(
      EXIT.unreachable,
      `${first === undefined ? "" : processName(first.lease)} does not answer: ${first?.reason}${others}`,
      "Look with: inmesh status",
    );
  }
  return { traffic, leases };
}

function printServices(cli: Cli, options: StatOptions, traffic: TrafficReading, leases: readonly Lease[]): void {
  const rows = serviceRows(traffic, leases).filter(inNamespace(options));
  const observed = rows.some(({ would }) => would !== null);
  printListing(cli, formatOf(options), {
    rows,
    json: { intervalMs: traffic.intervalMs, services: rows },
    name: ({ host }) => host,
    empty: "No service is running, and none was called. See: inmesh status",
    columns: [
      { title: "NAME", cell: ({ name }) => name },
      { title: "NAMESPACE", cell: ({ namespace }) => namespace },
      { title: "MESHED", cell: ({ processes }) => `${processes}`, align: "right" },
      ...trafficColumns<ServiceRow>(cli),
      { title: "RETRY", cell: ({ retryRatio }) => percent(retryRatio, 1), align: "right" },
      {
        title: "SECURED",
        cell: ({ secured }) => secured ?? "",
        paint: (text, { secured }) => (secured === "no" || secured === "partly" ? cli.paint("yellow", text) : text),
      },
      {
        title: "BUSY",
        cell: ({ busyRatio }) => percent(busyRatio, 0),
        align: "right",
        paint: (text, { busyRatio }) => ((busyRatio ?? 0) >= BUSY_RATIO ? cli.paint("red", text) : text),
      },
      { title: "CALLERS BUSY", cell: (row) => percent(row.callersBusyRatio, 0), align: "right", wide: true },
      { title: "WITH MODE ON", cell: ({ would }) => (would === null ? "" : wouldText(would)), wide: !observed },
      { title: "CALLS", cell: ({ calls }) => `${calls}`, align: "right", wide: true },
      { title: "FAILED", cell: ({ failures }) => `${failures}`, align: "right", wide: true },
      { title: "MEASURED BY", cell: ({ measuredBy }) => measuredBy, wide: true },
    ],
  });
  for (const { name, namespace, busyRatio, callersBusyRatio } of rows) {
    const text = busyText(`${namespace}/${name}`, busyRatio, callersBusyRatio);
    if (text !== undefined) cli.note(text);
  }
  // Hosts that no service stands behind have no line.
  for (const [host, would] of traffic.would) {
    if (traffic.services.has(host)) continue;
    cli.note(`${host}: with mode on, ${wouldText(would)} of ${count(would.calls, "call")}`);
  }
}

type Golden = Pick<Traffic, "successRatio" | "rps" | "p50Ms" | "p95Ms" | "p99Ms">;

export function trafficColumns<Row extends Golden>(cli: Cli): Column<Row>[] {
  const right = "right" as const;
  return [
    {
      title: "SUCCESS",
      cell: ({ successRatio }) => percent(successRatio, 2),
      align: right,
      paint: (text, { successRatio }) => (successRatio !== null && successRatio < 0.99 ? cli.paint("red", text) : text),
    },
    { title: "RPS", cell: ({ rps }) => `${rps.toFixed(1)}/s`, align: right },
    { title: "P50", cell: ({ p50Ms }) => latency(p50Ms), align: right },
    { title: "P95", cell: ({ p95Ms }) => latency(p95Ms), align: right },
    { title: "P99", cell: ({ p99Ms }) => latency(p99Ms), align: right },
  ];
}

function serviceRows(
  { services, servers, would, edges, callersBusy }: TrafficReading,
  leases: readonly Lease[],
): ServiceRow[] {
  const rows = new Map<string, ServiceRow>();
  for (const [host, { calls, failures, rps, successRatio, retryRatio, p50Ms, p95Ms, p99Ms }] of services) {
    const short = shortHost(host);
    const dot = short === host ? -1 : short.indexOf(".");
    const name = dot < 0 ? host : short.slice(0, dot);
    const namespace = dot < 0 ? "" : short.slice(dot + 1);
    const processes = leases.filter((lease) => lease.service === name && lease.namespace === namespace).length;
    rows.set(`${namespace}/${name}`, {
      ...{ name, namespace, host, processes, measuredBy: "callers", would: would.get(host) ?? null },
      secured: securedOf(edges.filter(({ destination }) => destination === host).map(({ secured }) => secured)),
      busyRatio: busiest(servers, namespace, name),
      callersBusyRatio: callersBusy.get(host) ?? null,
      ...{ calls, failures, rps, successRatio, retryRatio, p50Ms, p95Ms, p99Ms },
    });
  }
  for (const { namespace, service, ports } of leases) {
    const key = `${namespace}/${service}`;
    if (rows.has(key) || ports.length === 0) continue;
    const own = servers.filter(({ lease }) => lease.service === service && lease.namespace === namespace);
    rows.set(key, ownRow(namespace, service, own, leases));
  }
  return [...rows.values()].sort((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name));
}

function busiest(servers: TrafficReading["servers"], namespace: string, name: string): number | null {
  return servers
    .filter(({ lease }) => lease.service === name && lease.namespace === namespace)
    .reduce<number | null>((most, { busyRatio }) => busier(most, busyRatio), null);
}

function securedOf(all: readonly Secured[]): Secured {
  const known = new Set(all.filter((secured) => secured !== null));
  const [first = null] = known;
  return known.size > 1 ? "partly" : first;
}

/** Quantiles of several processes cannot be joined, so the slowest one speaks for all. */
function ownRow(namespace: string, name: string, own: TrafficReading["servers"], leases: readonly Lease[]): ServiceRow {
  const calls = own.reduce((total, { requests }) => total + requests, 0);
  const failures = own.reduce((total, each) => total + each.failures, 0);
  const worst = (field: "p50Ms" | "p95Ms" | "p99Ms"): number | null =>
    calls === 0
      ? null // a process keeps them since its start; beside a rate of nothing they would mislead
      : own.reduce<number | null>(
          (slowest, { [field]: ms }) => (ms === null ? slowest : Math.max(slowest ?? 0, ms)),
          null,
        );
  return {
    ...{ name, namespace, host: `${name}.${namespace}.svc.cluster.local`, measuredBy: "itself", would: null },
    ...{ secured: null, busyRatio: busiest(own, namespace, name), callersBusyRatio: null },
    processes: leases.filter((lease) => lease.service === name && lease.namespace === namespace).length,
    ...{ calls, failures, rps: own.reduce((total, { rps }) => total + rps, 0), retryRatio: null },
    successRatio: calls === 0 ? null : (calls - failures) / calls,
    ...{ p50Ms: worst("p50Ms"), p95Ms: worst("p95Ms"), p99Ms: worst("p99Ms") },
  };
}

export function percent(ratio: number | null, digits: number): string {
  return ratio === null ? "" : `${(ratio * 100).toFixed(digits)}%`;
}

function latency(ms: number | null): string {
  return ms === null ? "" : formatMs(ms);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
