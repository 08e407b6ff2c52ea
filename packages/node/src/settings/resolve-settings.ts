/** Option over environment over inmesh.yaml over default. Reads files only to find what nobody said. */

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { OwnLog } from "@inmesh/telemetry/access-log";
import { createLog, type Logger, type LogLevels } from "../log.js";
import { ownLog } from "./access-log.js";
import { defaultService } from "./default-service.js";
import { homeDirectory } from "./home-directory.js";
import { readLevels } from "./log-levels.js";
import { nearest } from "./nearest.js";
import { FOREIGN_VARIABLES, type MeshOptions, SETTING_NAMES, SETTINGS } from "./options.js";
import { schemeOf, shownConfig } from "./registry-url.js";
import { type ParseYaml, readSettingsFile } from "./settings-file.js";
import { isInvalid, type Port } from "./values.js";

/** Labels by which others know what this process calls itself in metrics; `@inmesh/telemetry` reads them. */
const WORKLOAD_LABEL = "inmesh.dev/workload";
const CLUSTER_LABEL = "topology.istio.io/cluster";

/** Everything decided. */
export type MeshSettings = Readonly<
  Omit<
    Required<MeshOptions>,
    | "version"
    | "ports"
    | "serviceAccount"
    | "locality"
    | "weight"
    | "address"
    | "patch"
    | "stateDir"
    | "lease"
    | "adminToken"
    | "healthPath"
    | "tracingSampling"
    | "workload"
    | "cluster"
    | "metricsPort"
    | "metricsMerge"
    | "metricsBuckets"
    | "metricsSeries"
    | "log"
    | "accessLog"
  >
> & {
  /** Undefined: what the process listens on. */
  readonly ports: readonly Port[] | undefined;
  readonly adminToken: string | undefined;
  readonly healthPath: string | undefined;
  readonly tracingSampling: number | undefined;
  readonly serviceAccount: string | undefined;
  readonly locality: string | undefined;
  readonly weight: number | undefined;
  readonly address: string | undefined;
  readonly metricsPort: number | undefined;
  readonly metricsMerge: string | undefined;
  readonly metricsBuckets: MeshOptions["metricsBuckets"];
  readonly metricsSeries: number | undefined;
  readonly stateDir: string | undefined;
  /** Undefined when nobody said: createMesh and register differ. */
  readonly patch: Required<MeshOptions>["patch"] | undefined;
  /** As `patch`. */
  readonly lease: Required<MeshOptions>["lease"] | undefined;
  /** With a logger of the application: in place of lines on stderr. */
  readonly log: { readonly levels: LogLevels; readonly logger: Logger | undefined };
  /** Undefined: what policy says. */
  readonly accessLog: OwnLog | "off" | undefined;
  /** Whether `config` is a folder that exists for nobody yet, so that it may be made. */
  readonly ownConfig: boolean;
};

export interface ResolveContext {
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default process.cwd() */
  readonly cwd?: string;
  /** The application's main file, for the name of a service that nobody named. @default process.argv[1] */
  readonly program?: string | undefined;
  /** Told what is unknown and therefore ignored, one line each. @default stderr */
  readonly warn?: (message: string) => void;
  /** Asked for when there is an inmesh.yaml: most processes have none. */
  readonly parseYaml: () => ParseYaml;
}

/** A setting that cannot be used; `createMesh` throws it as CONFIG_INVALID, `register` prints it. */
export class SettingError extends Error {}

/** @throws {SettingError} for the first setting that cannot be used: one line, naming it and what was expected */
export function resolveSettings(options: MeshOptions, context: ResolveContext): MeshSettings {
  const { env = process.env, cwd = process.cwd(), program = process.argv[1], parseYaml } = context;
  const { warn = createLog("warn").warn } = context;
  const file = readSettingsFile(cwd, parseYaml);
  warnUnknown(env, file, warn);
  const given = <Name extends keyof MeshOptions>(name: Name): Required<MeshOptions>[Name] | undefined => {
    const { variable, read } = SETTINGS[name];
    const fromEnv = env[variable];
    const sources = [
      { where: `option ${name}`, value: unknownOf(options)[name] },
      { where: variable, value: fromEnv === "" ? undefined : fromEnv },
      { where: `${file.path}: ${name}`, value: file.values[name] },
    ];
    const source = sources.find(({ value }) => value !== undefined && value !== null);
    if (source === undefined) return undefined;
    const value = read(source.value);
    if (!isInvalid(value)) return value as Required<MeshOptions>[Name];
    // What was meant to be a secret is one even where it cannot be used.
    const shown = name === "adminToken" ? "not usable" : show(source.value);
    throw new SettingError(`${source.where} is ${shown}: ${value.invalid}`);
  };
  const version = given("version");
  const workload = given("workload");
  const cluster = given("cluster");
  const service = given("service") ?? defaultService(cwd, program);
  const config = given("config");
  const local = join(cwd, "mesh");
  return {
    service,
    namespace: given("namespace") ?? "default",
    config: typeof config === "string" ? located(config, cwd) : (config ?? (existsSync(local) ? local : homeConfig())),
    ownConfig: config === undefined && !existsSync(local),
    mode: given("mode") ?? "on",
    admin: given("admin") ?? "127.0.0.1:0",
    adminToken: given("adminToken"),
    csds: given("csds") ?? "off",
    profiling: given("profiling") ?? false,
    healthPath: given("healthPath"),
    remoteAdmin: given("remoteAdmin") ?? false,
    labels: {
      app: service,
      ...(version !== undefined && { version }),
      ...(workload !== undefined && { [WORKLOAD_LABEL]: workload }),
      ...(cluster !== undefined && { [CLUSTER_LABEL]: cluster }),
      ...given("labels"),
    },
    ports: given("ports") as readonly Port[] | undefined,
    serviceAccount: given("serviceAccount"),
    identity: identityIn(given("identity") ?? "auto", cwd),
    tlsVisible: given("tlsVisible") ?? false,
    tlsTickets: given("tlsTickets") ?? true,
    jwksAllow: given("jwksAllow") ?? [],
    locality: given("locality"),
    weight: given("weight"),
    tags: given("tags") ?? [],
    stateDir: given("stateDir"),
    instance: given("instance") ?? "",
    address: given("address"),
    lease: given("lease"),
    leaseTtlMs: given("leaseTtlMs") ?? 15_000,
    protectionMs: given("protectionMs") ?? 30_000,
    protectionPercent: given("protectionPercent") ?? 50,
    protectionLeast: given("protectionLeast") ?? 3,
    configWaitMs: given("configWaitMs") ?? 5_000,
    exclude: given("exclude") ?? [],
    patch: given("patch"),
    log: readLog(given("log") ?? "warn"),
    logFormat: given("logFormat") ?? "auto",
    accessLog: ownLog(given("accessLog"), (path) => resolve(cwd, path)),
    timing: given("timing") ?? false,
    tracing: given("tracing") ?? "auto",
    tracingSampling: given("tracingSampling"),
    tracingTrust: given("tracingTrust") ?? "any",
    baggageTrust: given("baggageTrust") ?? "any",
    forwardHeaders: given("forwardHeaders") ?? [],
    tracingEnvoyTags: given("tracingEnvoyTags") ?? false,
    tracingRedact: given("tracingRedact") ?? [],
    metricsPort: given("metricsPort"),
    metricsMerge: given("metricsMerge"),
    metricsBuckets: given("metricsBuckets"),
    metricsSeries: given("metricsSeries"),
    otelMetrics: given("otelMetrics") ?? "auto",
    drainTimeoutMs: given("drainTimeoutMs") ?? 10_000,
    propagationDelayMs: given("propagationDelayMs") ?? 1_000,
  };
}

/** A logger of the application chooses itself what it shows. */
function readLog(log: string | Logger): MeshSettings["log"] {
  if (typeof log !== "string") return { levels: { level: "debug", scopes: {} }, logger: log };
  const levels = readLevels(log, { level: "warn", scopes: {} });
  if (isInvalid(levels)) throw new SettingError(levels.invalid); // it was read before
  return { levels, logger: undefined };
}

/** A URL means the same wherever the process was started. */
function located(config: string, cwd: string): string {
  return schemeOf(config) === undefined ? resolve(cwd, config) : config;
}

/** A folder means the same wherever the process goes. */
function identityIn(identity: MeshSettings["identity"], cwd: string): MeshSettings["identity"] {
  if (typeof identity !== "string") return identity;
  const [kind = "", ...directory] = identity.split(":");
  if (directory.length === 0 || (kind !== "ca" && kind !== "files")) return identity;
  return `${kind}:${resolve(cwd, directory.join(":"))}`;
}

/** Where services of one user meet when nobody says where. */
function homeConfig(): string {
  return join(homeDirectory(), ".inmesh", "mesh");
}

function warnUnknown(
  env: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly values: Readonly<Record<string, unknown>> },
  warn: (message: string) => void,
): void {
  const variables = SETTING_NAMES.map((name): string => SETTINGS[name].variable);
  const strays = Object.keys(env).filter(
    (name) => name.startsWith("INMESH_") && !variables.includes(name) && !FOREIGN_VARIABLES.has(name),
  );
  if (strays.length > 0) warn(`${unknown("environment variable", strays, variables)}`);
  const keys = Object.keys(file.values).filter((key) => !SETTING_NAMES.includes(key as keyof MeshOptions));
  if (keys.length > 0) warn(`${file.path}: ${unknown("key", keys, SETTING_NAMES)}`);
}

function unknown(what: string, names: readonly string[], known: readonly string[]): string {
  const hints = names.map((name) => {
    const close = nearest(name, known);
    return close === undefined ? name : `${name} (did you mean ${close}?)`;
  });
  return `unknown ${what}${names.length > 1 ? "s" : ""} ${hints.join(", ")}: ignored`;
}

function unknownOf(options: MeshOptions): Readonly<Record<string, unknown>> {
  return options as Readonly<Record<string, unknown>>;
}

function show(value: unknown): string {
  const plain = typeof value === "string" ? shownConfig(value) : value;
  const shown = JSON.stringify(plain) ?? String(plain);
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown;
}
