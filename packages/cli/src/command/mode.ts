/** `inmesh mode`: which mode every process runs and who says so; and switching it for the mesh or a part of it. */

import type { ApplyResult, Lease } from "@inmesh/core";
import type { ServerInfo } from "@inmesh/core/admin";
import { type Document, type Mode, validateDocument } from "@inmesh/model";
import { Argument, Command } from "commander";
import type { Cli } from "../cli.js";
import { EXIT, type ExitCode } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";
import { waitForProcesses } from "../live/wait.js";
import {
  documentsOf,
  isMeant,
  labelsOf,
  labelText,
  type ModeTarget,
  modeDocument,
  modeTarget,
} from "../mode/mode-target.js";
import { collect, formatOf, inNamespace, namespaceOf, withCommon, withRegistry } from "../options.js";
import { LIST_FORMATS, printListing } from "../output/format.js";
import { snapshotSeen } from "../registry/client-context.js";
import { refuseToWrite } from "../registry/control-plane-limits.js";
import { noProcess, type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import { type ChangeOptions, noteOf, withNote, withWait } from "./change.js";
import { action, type CommandPorts } from "./define.js";

interface ModeOptions extends ChangeOptions {
  readonly mesh?: boolean;
  readonly selector?: readonly string[];
}

export interface ProcessMode {
  /** `namespace/instance`. */
  readonly name: string;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly pid: number;
  /** Null when it did not answer. */
  readonly mode: string | null;
  /** `MeshMode/ns/name`; `setting`: its own INMESH_MODE; `default`; empty when it did not answer. */
  readonly from: string;
  readonly reason: string;
}

const EXAMPLES = `
Modes:
  on        policy is in force
  observe   policy is not in force; what it would have done is counted: inmesh stat
  off       policy is not in force; names, endpoints and TLS stay

Examples:
  inmesh mode                                which process runs which mode, and who says so
  inmesh mode off --mesh --wait              switch policy off for everybody, and wait until it is
  inmesh mode observe -n shop                for a namespace
  inmesh mode on shop/web -l version=v2      for workloads of a service

The narrowest document that means a process holds: workload, namespace, mesh. A process started with INMESH_MODE=observe
or off stays at least as narrow. With --wait the exit code is 4 when a process has not taken the change in time, and 1
when one that is meant keeps another mode because something narrower says so.
`;

const OWN_MODE = "Start its processes with INMESH_MODE=off or observe. A MeshMode is kept in a folder or in Consul.";

export function modeCommand(ports: CommandPorts): Command {
  const command = new Command("mode")
    .description("show the mode of every process, or switch policy on, to observe or off")
    .addArgument(new Argument("[mode]", "the mode to switch to").choices(["off", "observe", "on"]))
    .argument("[service]", "service whose workloads are meant")
    .option("--mesh", "the whole mesh is meant")
    .option("-l, --selector <label>", "workloads with this label are meant (repeatable)", collect)
    .option("--dry-run", "say what would change")
    .addHelpText("after", EXAMPLES);
  return withNote(withWait(withRegistry(withCommon(command, LIST_FORMATS), 30_000))).action(
    action<[Mode | undefined, string | undefined], ModeOptions>(ports, async (cli, [mode, service], options) => {
      if (mode !== undefined) refuseToWrite(cli, options, "mode", OWN_MODE);
      return withOpenRegistry(options, cli, (registry) =>
        mode === undefined ? show(cli, registry, options) : change(cli, registry, options, mode, service),
      );
    }),
  );
}

async function show(cli: Cli, registry: OpenRegistry, options: ModeOptions): Promise<ExitCode> {
  const { leases, documents } = registry.view;
  const rows = await readModes(cli, options, leases.filter(inNamespace(options)));
  const root = await rootNamespace(registry, options, cli);
  const resources = documents
    .filter(({ kind, namespace }) => kind === "MeshMode" && [options.namespace ?? namespace, root].includes(namespace))
    .map((document) => resourceView(document, root));
  printModes(cli, options, rows, { processes: rows, resources }, registry);
  for (const { resource, mode, words, file, line } of resources) {
    cli.note(`${resource} (${file}:${line}) says ${mode} for ${words}`);
  }
  return EXIT.ok;
}

async function change(
  cli: Cli,
  registry: OpenRegistry,
  options: ModeOptions,
  mode: Mode,
  service: string | undefined,
): Promise<ExitCode> {
  const { dryRun = false, wait = false, timeout } = options;
  const { documents, leases } = registry.view;
  const root = await rootNamespace(registry, options, cli);
  const target = modeTarget(service, options, namespaceOf(options, cli), root, leases);
  const [before, ...ignored] = documentsOf(target, documents);
  const document = modeDocument(target, mode, documents);
  for (const { key } of ignored) cli.warn(`${key} speaks for ${target.words}, too, and is not used. Delete it.`);
  const note = noteOf(options, cli);
  const results: readonly ApplyResult[] = dryRun
    ? [{ key: document.key, outcome: outcomeOf(before, mode), where: before?.origin.file ?? "" }]
    : await registry.apply([document], note);
  const undo = undoText(target, before, document.key, mode);
  const stored = dryRun ? undefined : (await registry.list()).find(({ key }) => key === document.key);
  const states =
    wait && !dryRun
      ? await waitForProcesses(registry, adminClient(cli, options), cli.io, {
          ...{ expected: new Map([[document.key, stored?.hash]]), places: results },
          timeoutMs: timeout,
          onSynced: ({ name }) => cli.note(`${name} has it`),
        })
      : [];
  const meant = registry.view.leases.filter((lease) => isMeant(target, lease));
  const rows = wait && !dryRun ? await readModes(cli, options, meant) : [];
  const { scope, namespace, labels } = target;
  const json = { mode, scope, namespace, labels, resource: document.key, dryRun, results, undo, processes: rows };
  const format = formatOf(options);
  if (format === "table" || format === "wide") {
    for (const { key, outcome, where } of results) {
      cli.print(`${`${key} ${outcome}${dryRun ? " (dry run)" : ""}  ${where}`.trimEnd()}\n`);
    }
  } else if (format === "name") cli.print(`${document.key}\n`);
  if (rows.length > 0 || format === "json" || format === "yaml") {
    if (format !== "name") printModes(cli, options, rows, json, registry);
  } else if (!wait && !dryRun) cli.note(`Every process of ${target.words} takes it within moments. See: inmesh mode`);
  if (undo !== "") cli.note(`Undo: ${undo}`);
  const behind = states.filter(({ state }) => state !== "synced");
  for (const { name, reason } of behind) cli.warn(`${name} has not taken it: ${reason}`);
  if (behind.length > 0) return EXIT.timeout;
  const others = rows.filter((row) => row.mode !== null && row.mode !== mode);
  for (const { name, mode: other, from } of others) {
    cli.warn(
      `${name} stays ${other}: ${from === "setting" ? "it was started so (INMESH_MODE)" : `${from} is narrower`}`,
    );
  }
  return others.length === 0 ? EXIT.ok : EXIT.bad;
}

async function readModes(cli: Cli, options: ModeOptions, leases: readonly Lease[]): Promise<ProcessMode[]> {
  const readings = await readProcesses<ServerInfo>(adminClient(cli, options), leases, "/server_info", ["mode"]);
  return readings.map(({ lease, view, failure }) => {
    const { namespace, service, instance, pid } = lease;
    const who = { name: processName(lease), namespace, service, instance, pid };
    if (view === undefined) return { ...who, mode: null, from: "", reason: failure };
    return { ...who, mode: view.mode, from: view.modeFrom ?? "", reason: "" };
  });
}

function printModes(
  cli: Cli,
  options: ModeOptions,
  rows: readonly ProcessMode[],
  json: unknown,
  registry: OpenRegistry,
): void {
  const style = (mode: string | null) => (mode === null ? "red" : mode === "on" ? "green" : "yellow");
  printListing(cli, formatOf(options), {
    rows,
    json,
    name: ({ name }) => name,
    empty: noProcess(registry),
    columns: [
      { title: "DATA PLANE", cell: ({ name }) => name },
      { title: "SERVICE", cell: ({ service }) => service },
      {
        title: "MODE",
        cell: ({ mode, reason }) => mode ?? `unknown: ${reason}`,
        paint: (text, { mode }) => cli.paint(style(mode), text),
      },
      { title: "SAID BY", cell: ({ from }) => SAID_BY[from] ?? from },
      { title: "PID", cell: ({ pid }) => `${pid}`, wide: true, align: "right" },
    ],
  });
}

const SAID_BY: Readonly<Record<string, string>> = { setting: "its own INMESH_MODE", default: "nobody (the default)" };

async function rootNamespace(registry: OpenRegistry, options: ModeOptions, cli: Cli): Promise<string> {
  const snapshot = await snapshotSeen(registry, options, cli);
  return snapshot.mesh.rootNamespace;
}

function resourceView(document: Document, root: string) {
  const { key, namespace, origin } = document;
  const labels = labelsOf(document);
  const scope = Object.keys(labels).length > 0 ? "workload" : namespace === root ? "mesh" : "namespace";
  const where = namespace === root ? "the mesh" : `namespace ${namespace}`;
  const words = scope === "workload" ? `workloads with ${labelText(labels)} in ${where}` : where;
  return {
    resource: key,
    scope,
    namespace,
    labels,
    mode: modeOf(document) ?? "not valid",
    words,
    file: origin.file,
    line: origin.line,
  };
}

/** Undefined for a document that is refused. */
function modeOf(document: Document): Mode | undefined {
  const { resource } = validateDocument(document);
  if (resource?.kind !== "MeshMode") return undefined;
  const { mode } = resource.spec;
  return mode === true ? "on" : mode === false ? "off" : mode;
}

function outcomeOf(before: Document | undefined, mode: Mode): ApplyResult["outcome"] {
  if (before === undefined) return "created";
  return modeOf(before) === mode ? "unchanged" : "configured";
}

/** The command that brings back what was there; empty when nothing changes. */
function undoText(target: ModeTarget, before: Document | undefined, key: string, mode: Mode): string {
  if (before === undefined) return `inmesh delete ${key}`;
  const was = modeOf(before);
  return was === undefined || was === mode ? "" : `inmesh mode ${was} ${target.typed}`;
}
