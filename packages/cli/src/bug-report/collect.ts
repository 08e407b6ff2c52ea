/** What somebody needs who was not there: the programs, policy, the processes and what each of them says, without secrets. */

import { arch, cpus, platform, release, totalmem } from "node:os";
import type { Lease } from "@inmesh/core";
import type { Problem } from "@inmesh/model";
import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import type { AdminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import { readSettingsFile } from "../registry/settings-file.js";
import { VERSION } from "../version.js";
import { type Redactor, secretsOf } from "./redact.js";
import type { TarFile } from "./tar.js";

/** Of each process, and a field that shows that it is what it should be. */
const PAGES: readonly (readonly [path: string, field: string])[] = [
  ["/server_info", "instance"],
  ["/healthz/ready", "ready"],
  ["/config_dump", "configs"],
  ["/snapshot", "resources"],
  ["/registry", "state"],
  ["/clusters", "clusters"],
  ["/listeners", "listeners"],
  ["/stats", "outbound"],
  ["/stack", "routes"],
  ["/requests", "requests"],
  ["/observed", "calls"],
  ["/certs", "identity"],
  ["/events", "events"],
  ["/memory", "allocated"],
];
/** Of the environment: the mesh's own, and what changes how Node runs. */
const VARIABLES =
  /^(?:INMESH_|CONSUL_|OTEL_|NODE_OPTIONS$|NODE_ENV$|NODE_EXTRA_CA_CERTS$|NO_PROXY$|HTTPS?_PROXY$|ISTIO_|POD_)/i;
/** Segments of a path that look more like a key than like a word. */
const KEY_LIKE = /(?<=\/)(?=[^/]*\d)[A-Za-z0-9_~.-]{20,}(?=\/|$)/g;

export interface Collected {
  readonly files: readonly TarFile[];
  /** Pages that could not be had, and why. */
  readonly missing: readonly string[];
}

export interface CollectOptions {
  readonly leases: readonly Lease[];
  readonly problems: readonly Problem[];
  readonly redactor: Redactor;
}

export async function collect(
  cli: Cli,
  registry: OpenRegistry,
  client: AdminClient,
  { leases, problems, redactor }: CollectOptions,
): Promise<Collected> {
  const missing: string[] = [];
  const json = (name: string, value: unknown): TarFile => ({
    name,
    content: `${JSON.stringify(redactor.data(value), null, 2)}\n`,
  });
  const files = [json("about.json", aboutOf(cli, registry)), policyFile(registry, redactor)];
  files.push(json("problems.json", problems), json("processes.json", registry.view.leases));
  for (const [path, field] of PAGES) {
    const readings = await readProcesses<Record<string, unknown>>(client, leases, path, [field]);
    for (const { lease, view, failure } of readings) {
      const name = processName(lease);
      if (view === undefined) missing.push(`${name} ${path}: ${failure}`);
      else
        files.push(
          json(`processes/${fileName(name)}${path.replaceAll("/", "-").replace("-", "/")}.json`, shownPage(path, view)),
        );
    }
  }
  if (missing.length > 0) files.push(json("missing.json", missing));
  return { files, missing };
}

/** What stands in the caller's own environment is secret in what others say, too. */
export function knownSecrets({ io }: Cli): string[] {
  const { config } = readSettingsFile(io.cwd) as { readonly config?: unknown };
  return secretsOf({ ...io.env, ...(typeof config === "string" && { config }) });
}

function aboutOf({ io }: Cli, registry: OpenRegistry) {
  const env = Object.entries(io.env).filter(([name, value]) => VARIABLES.test(name) && value !== undefined);
  return {
    madeAt: new Date(io.clock.wallTime()).toISOString(),
    inmesh: VERSION,
    node: process.versions.node,
    system: { platform: platform(), release: release(), arch: arch(), cpus: cpus().length, memory: totalmem() },
    registry: { url: registry.shown, kind: registry.kind, stale: registry.staleness ?? "" },
    settings: readSettingsFile(io.cwd),
    environment: Object.fromEntries(env.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

function policyFile({ view }: OpenRegistry, redactor: Redactor): TarFile {
  const documents = view.documents.map(({ value }) => stringify(redactor.data(value), { lineWidth: 0 }));
  return { name: "policy.yaml", content: documents.join("---\n") };
}

/** Paths of requests may be keys. */
function shownPage(path: string, view: Record<string, unknown>): unknown {
  if (path !== "/requests" && path !== "/observed") return view;
  return JSON.parse(JSON.stringify(view), (field, value) =>
    field === "path" && typeof value === "string" ? value.replaceAll(KEY_LIKE, "[removed]") : value,
  );
}

/** Of names that a registry gave. */
function fileName(name: string): string {
  return name.replaceAll(/[^a-z0-9-]+/gi, "_").slice(0, 60);
}
