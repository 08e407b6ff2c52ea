/** `inmesh status`: every process of the mesh, and whether it runs the policy that the registry holds. */

import type { RegistryView } from "@inmesh/core";
import { registryDetails, type ServerInfo, type SnapshotView, type XdsReading } from "@inmesh/core/admin";
import type { Problem } from "@inmesh/model";
import { Command } from "commander";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { processName, type Reading, readProcesses } from "../live/processes.js";
import { reads } from "../live/wait.js";
import {
  formatOf,
  inNamespace,
  type RegistryOptions,
  withAllNamespaces,
  withCommon,
  withRegistry,
} from "../options.js";
import { count, formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { problemLine } from "../output/problems.js";
import { snapshotSeen } from "../registry/client-context.js";
import { noProcess, withOpenRegistry } from "../registry/open-registry.js";
import { configText, withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { awaitedText, XDS_COLUMNS, xdsLines } from "./status-xds.js";

interface StatusOptions extends RegistryOptions {
  readonly remote?: boolean;
}

export type DataPlaneState = "synced" | "behind" | "degraded" | "starting" | "draining" | "unreachable";

export interface DataPlane {
  /** `namespace/instance`. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly pid: number;
  /** Of inmesh. */
  readonly version: string;
  readonly schemaVersion: number;
  readonly address: string;
  readonly ports: readonly number[];
  readonly admin: string | null;
  /** Null when it did not answer. */
  readonly config: { readonly version: number; readonly revision: string } | null;
  readonly mode: string;
  readonly uptimeMs: number | null;
  readonly state: DataPlaneState;
  readonly reason: string;
  /** How it and its control plane stand; null where its registry is none. */
  readonly xds: XdsReading | null;
}

const EXAMPLES = `
States:
  synced        runs the policy of the registry as it is now
  behind        has not taken a change yet, or refused it
  degraded      works, but something written is not in force there, or its registry is away
                Instances that a process goes on to use although the registry lost them are told beside its state.
  unreachable   registered, but its admin endpoint does not answer
Under a control plane (xds://) those of this user and machine are listed, and others by --admin. SYNC is what it acknowledged of
each type, with what is awaited, missing or refused; the lines below name what is refused and what is passed over.
`;

export function statusCommand(ports: CommandPorts): Command {
  const command = new Command("status")
    .description("list the running processes, their versions and whether they run the current policy")
    .addHelpText("after", EXAMPLES);
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS)))).action(
    action<[], StatusOptions>(ports, (cli, _, options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const { view } = registry;
        const leases = view.leases.filter(inNamespace(options));
        const client = adminClient(cli, options);
        const [infos, snapshots] = await Promise.all([
          readProcesses<ServerInfo>(client, leases, "/server_info", ["instance", "state", "snapshot"]),
          readProcesses<SnapshotView>(client, leases, "/snapshot", ["resources", "problems"]),
        ]);
        const snapshot = await snapshotSeen(registry, options, cli);
        const wanted = wantedPolicy(view, snapshot.resources, (where) => registry.readBy(where));
        const rows = infos.map((info, at) => dataPlane(info, snapshots[at]!, wanted)); // one per lease
        const problems = snapshot.problems.filter(({ severity }) => severity === "error");
        printListing(cli, formatOf(options), {
          rows,
          json: {
            registry: { url: registry.shown, state: problems.length > 0 ? "degraded" : "ok" },
            dataPlanes: rows,
            problems,
          },
          name: ({ name }) => name,
          empty: noProcess(registry),
          columns: [
            { title: "DATA PLANE", cell: ({ name }) => name },
            { title: "SERVICE", cell: ({ service }) => service },
            { title: "PORTS", cell: (row) => row.ports.join(",") },
            { title: "VERSION", cell: ({ version }) => version },
            { title: "CONFIG", cell: ({ config }) => (config === null ? "" : configText(config)) },
            { title: "AGE", cell: ({ uptimeMs }) => (uptimeMs === null ? "" : formatMs(uptimeMs)), align: "right" },
            { title: "STATE", cell: stateText, paint: (text, { state }) => cli.paint(STYLES[state], text) },
            ...(rows.some(({ xds }) => xds !== null) ? XDS_COLUMNS : []),
            { title: "PID", cell: ({ pid }) => `${pid}`, wide: true, align: "right" },
            { title: "MODE", cell: ({ mode }) => mode, wide: rows.every(({ mode }) => mode === "on" || mode === "") },
            { title: "ADMIN", cell: ({ admin }) => admin ?? "", wide: true },
          ],
        });
        for (const row of rows) for (const line of xdsLines(row)) cli.note(line);
        if (problems.length > 0) cli.warn(`the registry holds ${count(problems.length, "problem")}:`);
        for (const problem of problems) cli.note(`  ${problemLine(problem, cli.paintNote)}`);
        return EXIT.ok;
      }),
    ),
  );
}

const STYLES = {
  synced: "green",
  behind: "yellow",
  degraded: "yellow",
  starting: "cyan",
  draining: "cyan",
  unreachable: "red",
} as const;

function stateText({ state, reason }: DataPlane): string {
  return reason === "" ? state : `${state}: ${reason}`;
}

/** What every process should have by now. */
interface WantedPolicy {
  /** Hash by key of every document that can be in force. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Whether a process may have that key; undefined while a file cannot be read, since it may hold any. */
  readonly isKnown: ((key: string) => boolean) | undefined;
  /** By key: the service whose users alone read it; undefined: everybody does. */
  readonly readBy: ReadonlyMap<string, string | undefined>;
}

function wantedPolicy(
  { documents, problems }: RegistryView,
  hashes: ReadonlyMap<string, string>,
  readByOf: (where: string) => string | undefined,
): WantedPolicy {
  const readBy = new Map(documents.map(({ key, origin }) => [key, readByOf(origin.file)]));
  const keys = new Set(readBy.keys());
  const hidden = problems.some(({ severity, resource }) => severity === "error" && resource === "");
  return { hashes, isKnown: hidden ? undefined : (key) => keys.has(key), readBy };
}

function dataPlane(
  { lease, view: info, failure }: Reading<ServerInfo>,
  snapshot: Reading<SnapshotView>,
  wanted: WantedPolicy,
): DataPlane {
  const { namespace, service, instance, pid, inmeshVersion, schemaVersion, address, ports, admin = null } = lease;
  const base = {
    ...{ name: processName(lease), namespace, service, instance, pid, version: inmeshVersion, schemaVersion },
    ...{ address, ports: ports.map(({ number }) => number), admin },
  };
  const away = { ...base, xds: null, config: null, mode: "", uptimeMs: null, state: "unreachable" as const };
  if (info === undefined) return { ...away, reason: failure };
  if (info.instance !== instance) return { ...away, reason: `another process answers at ${admin}` };
  const { version, revision } = info.snapshot;
  return {
    ...{ ...base, config: { version, revision }, mode: info.mode, uptimeMs: info.uptimeMs },
    xds: info.registry.xds ?? null,
    ...judge(info, snapshot, isCompiled(info) ? NOTHING_WANTED : wanted),
  };
}

/** Its policy came compiled: there are no documents to compare. */
function isCompiled({ registry: { xds } }: ServerInfo): boolean {
  return xds !== undefined && xds.profile !== "api";
}

const NOTHING_WANTED: WantedPolicy = { hashes: new Map(), isKnown: undefined, readBy: new Map() };

/** The first that holds: what a process says of itself, then what it lacks, then what it could not use. */
function judge(
  info: ServerInfo,
  { view: snapshot, failure }: Reading<SnapshotView>,
  wanted: WantedPolicy,
): { state: DataPlaneState; reason: string } {
  if (info.state === "starting" || info.state === "draining")
    return { state: info.state, reason: info.registry.reason ?? "" };
  if (info.registry.state === "stale") return { state: "degraded", reason: absence(info.registry) };
  if (snapshot === undefined) return { state: "unreachable", reason: failure };
  const error = snapshot.problems.find(({ severity }: Problem) => severity === "error");
  // A refused document keeps its last version where it was known, so it is nothing to wait for.
  const stale = [...wanted.hashes]
    .filter(([key, hash]) => snapshot.resources[key] !== hash && reads(snapshot, wanted.readBy.get(key)))
    .map(([key]) => key);
  const { isKnown } = wanted;
  const gone = isKnown === undefined ? [] : Object.keys(snapshot.resources).filter((key) => !isKnown(key));
  const behind = [...stale, ...gone];
  if (behind.length > 0) {
    const [first = "", ...others] = behind;
    const refusal = snapshot.problems.find(({ severity, resource }) => severity === "error" && resource === first);
    const text = others.length === 0 ? first : `${first} and ${count(others.length, "other")}`;
    return { state: "behind", reason: refusal === undefined ? text : `${text} (${refusal.code})` };
  }
  const doubt = registryDetails(info.registry).join("; ");
  const awaited = awaitedText(info.registry.xds);
  if (awaited !== "" && error === undefined) return { state: "behind", reason: awaited };
  if (error !== undefined) return { state: "degraded", reason: `${error.code} ${error.resource || error.file}`.trim() };
  return info.state === "degraded" ? { state: "degraded", reason: "it says so" } : { state: "synced", reason: doubt };
}

function absence({ sinceMs, reason = "", stateSavedAt, staleMs = 0 }: ServerInfo["registry"]): string {
  const why = reason === "" ? "" : `: ${reason}`;
  const kept = stateSavedAt === undefined ? "" : `; the state saved ${formatMs(staleMs)} ago is in force`;
  return `registry away for ${formatMs(sinceMs)}${why}${kept}`;
}
