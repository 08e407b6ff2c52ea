/** The running processes: reachable, of this version, loaded in time, and running the current policy. */

import type { Lease } from "@inmesh/core";
import { registryDetails, type ServerInfo } from "@inmesh/core/admin";
import { SCHEMA_VERSION } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { adminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";
import { count, formatMs } from "../output/format.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import { VERSION } from "../version.js";
import { isSupportedNode } from "./runtime.js";
import { error, type Finding, ok, type Section, warning } from "./section.js";

export async function checkProcesses(
  cli: Cli,
  options: { readonly remote?: boolean; readonly timeout: number },
  { view, shown }: OpenRegistry,
): Promise<Section> {
  const findings: Finding[] = [];
  const name = "processes";
  const { leases } = view;
  if (leases.length === 0) {
    return { name, findings: [ok(`no process is registered in "${shown}" at the moment`)] };
  }
  const client = adminClient(cli, options);
  const readings = await readProcesses<ServerInfo>(client, leases, "/server_info", ["instance", "state", "snapshot"]);
  const answered = readings.filter((reading) => reading.view !== undefined);
  if (answered.length > 0) findings.push(ok(`${answered.length} of ${leases.length} registered processes answer`));
  for (const { lease, failure } of readings) {
    if (failure === undefined) continue;
    findings.push(
      warning(
        `${processName(lease)} (pid ${lease.pid}) is registered and does not answer: ${failure}`,
        "Is it stuck, or gone? See: inmesh status",
      ),
    );
  }
  const versions = versionFindings(leases);
  findings.push(...versions);
  if (versions.length === 0) findings.push(ok(`all run inmesh ${VERSION}, policy schema ${SCHEMA_VERSION}`));
  for (const { lease, view: info } of answered) findings.push(...processFindings(lease, info as ServerInfo));
  const loaded = answered.filter(({ view: info }) => (info?.patched?.length ?? 0) > 0);
  if (loaded.length > 0) {
    const seams = [...new Set(loaded.flatMap(({ view: info }) => info?.patched ?? []))].sort();
    findings.push(
      ok(`inmesh is loaded in ${count(loaded.length, "program")} without a change of code (${seams.join(", ")})`),
    );
  }
  return { name, findings };
}

function versionFindings(leases: readonly Lease[]): Finding[] {
  return leases.flatMap((lease) => {
    const { inmeshVersion, schemaVersion } = lease;
    const who = processName(lease);
    if (schemaVersion < SCHEMA_VERSION) {
      return [
        error(
          `${who} reads policy schema ${schemaVersion}, this command writes ${SCHEMA_VERSION}: it refuses newer policy`,
          `Update it to inmesh ${VERSION} and restart it.`,
        ),
      ];
    }
    if (inmeshVersion === VERSION) return [];
    return [
      warning(
        `${who} runs inmesh ${inmeshVersion || "unknown"}, this command is ${VERSION}`,
        "Bring both to one version.",
      ),
    ];
  });
}

function processFindings(lease: Lease, { instance, node, state, problems, registry }: ServerInfo): Finding[] {
  const who = processName(lease);
  if (instance !== lease.instance) {
    return [
      warning(
        `another process answers at the admin address of ${who}`,
        "Its lease ends by itself; look again in a minute.",
      ),
    ];
  }
  const findings: Finding[] = [];
  if (!isSupportedNode(node))
    findings.push(
      error(`${who} runs node ${node.replace(/^v/, "")}, which is too old`, "Restart it with a newer Node."),
    );
  if (registry.state === "stale") {
    const { stateSavedAt, staleMs = 0 } = registry;
    const kept = stateSavedAt === undefined ? "last policy it had" : `state it saved ${formatMs(staleMs)} ago`;
    findings.push(
      error(
        `${who} cannot read its registry: ${registry.reason ?? "no reason given"}`,
        `It works on with the ${kept}.`,
      ),
    );
  } else if (state === "degraded") {
    findings.push(warning(`${who} is degraded: ${count(problems, "problem")} in its policy`, "See: inmesh status"));
  }
  if (registry.state !== "stale") {
    for (const detail of registryDetails(registry)) findings.push(warning(`${who}: ${detail}`, "See: inmesh status"));
  }
  return findings;
}
