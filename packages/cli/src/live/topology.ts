/** The graph of a mesh, from two readings of all of its processes. */

import { type Lease, sleep } from "@inmesh/core";
import {
  type ClustersView,
  type Graph,
  graph,
  type ProcessReading,
  type ServerInfo,
  type StatsView,
} from "@inmesh/core/admin";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { count } from "../output/format.js";
import type { AdminClient } from "./admin-client.js";
import { processName, readProcesses } from "./processes.js";
import { inPlaintext, type PlaintextCaller } from "./traffic.js";

export interface Topology {
  readonly graph: Graph;
  /** The busiest first. */
  readonly plaintextCallers: readonly PlaintextCaller[];
}

/** @throws {CliError} when there are processes, and none answers */
export async function readTopology(
  cli: Cli,
  client: AdminClient,
  leases: readonly Lease[],
  intervalMs: number,
): Promise<Topology> {
  const stats = () => readProcesses<StatsView>(client, leases, "/stats", ["atMs", "outbound", "inbound"]);
  const { clock, signal } = cli.io;
  const before = await stats();
  await sleep(clock, intervalMs, signal);
  const [after, clusters, info] = await Promise.all([
    stats(),
    readProcesses<ClustersView>(client, leases, "/clusters", ["clusters"]),
    readProcesses<ServerInfo>(client, leases, "/server_info", ["state"]),
  ]);
  const readings = leases.map((lease, at): ProcessReading => {
    const [first, last] = [before[at], after[at]];
    const failure = last?.failure ?? first?.failure;
    return {
      ...{ namespace: lease.namespace, service: lease.service, process: processName(lease) },
      ...{ version: lease.labels["version"] ?? "", serves: lease.ports.length > 0 },
      ...(first?.view && { before: first.view }),
      ...(last?.view && { after: last.view }),
      ...(failure !== undefined && { failure }),
      ...(clusters[at]?.view && { clusters: clusters[at].view }),
      ...(info[at]?.view && { state: info[at].view.state }),
    };
  });
  warnOfSilent(cli, readings);
  const plaintextCallers = readings
    .flatMap(({ after: view }) => (view === undefined ? [] : inPlaintext(view)))
    .sort((a, b) => b.requests - a.requests);
  return { graph: graph(readings, intervalMs), plaintextCallers };
}

function warnOfSilent(cli: Cli, readings: readonly ProcessReading[]): void {
  const silent = readings.filter(({ failure }) => failure !== undefined);
  for (const { process, failure } of silent) cli.warn(`${process} is not counted: ${failure}`);
  const [first] = silent;
  if (first === undefined || silent.length < readings.length) return;
  const others = silent.length === 1 ? "" : `, nor do ${count(silent.length - 1, "other")}`;
  throw new CliError(
    EXIT.unreachable,
    `${first.process} does not answer: ${first.failure}${others}`,
    "Look with: inmesh status",
  );
}
