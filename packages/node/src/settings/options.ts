/**
 * Every setting of a mesh, once: the option of `createMesh`, its environment variable, the key in inmesh.yaml, and how
 * text becomes a value. docs/reference/configuration.md shows the same list; a test compares the two.
 */

import type { Registrar, Source } from "@inmesh/core";
import type { CredentialCallback } from "@inmesh/identity";
import type { Document } from "@inmesh/model";
import type { Buckets } from "@inmesh/telemetry";
import type { Logger } from "../log.js";
import { LOG_FORMATS, type LogFormat } from "../log-line.js";
import { ACCESS_LOG_EXPECTS, type AccessLogSetting, accessLog } from "./access-log.js";
import { readBuckets } from "./buckets.js";
import { LEVELS_EXPECT, logSetting } from "./log-levels.js";
import { isConsul, isXds, schemeOf } from "./registry-url.js";
import {
  blocks,
  count,
  dnsLabel,
  duration,
  headerNames,
  httpUrl,
  type Invalid,
  labels,
  list,
  mode,
  oneOf,
  percent,
  port,
  ports,
  type ReadValue,
  seams,
  text,
  truth,
  weight,
} from "./values.js";

/** What `createMesh` takes. Option beats environment beats inmesh.yaml beats default. */
export interface MeshOptions {
  /** Name under which others call this process. DNS label. @default the name in the nearest package.json, else the program's file name */
  readonly service?: string;
  /** DNS label. @default "default" */
  readonly namespace?: string;
  /** The registry: a folder or policy file, `consul://host:8500`, documents, or a `MemoryRegistry` that several meshes share. @default "./mesh" where it exists, else "~/.inmesh/mesh" */
  readonly config?: string | readonly Document[] | SharedRegistry;
  /**
   * `off`: nothing is touched, calls go out as if inmesh were not there. `observe`: they do, too, and what policy would have
   * done is counted. A MeshMode can only restrict further. @default "on"
   */
  readonly mode?: "on" | "observe" | "off";
  /** Admin endpoint: `host:port`, `unix:/path` or `off`. @default "127.0.0.1:0" */
  readonly admin?: string;
  /**
   * Whoever is not on this machine must send it to an admin endpoint that is bound elsewhere, as `authorization: Bearer …`;
   * without one it answers them about its health only. At least 16 characters.
   */
  readonly adminToken?: string;
  /**
   * Client status discovery over gRPC (envoy.service.status.v3), for tools such as grpcdebug: `host:port`, or `off`. Who may ask is
   * decided as for `admin`. @default "off"
   */
  readonly csds?: string;
  /** CPU profiles and heap snapshots may be taken through the admin endpoint: they show what the application does and keeps. @default false */
  readonly profiling?: boolean;
  /** `/healthz`: the application's own ports answer GET `/healthz`, `/healthz/live`, `/healthz/ready` and `/healthz/startup`, for probes. @default none */
  readonly healthPath?: string;
  /**
   * The read-only admin views on the application's own ports under `/.inmesh/`, over mTLS, for whom a rule of an AuthorizationPolicy
   * names that path. @default false
   */
  readonly remoteAdmin?: boolean;
  /** Labels of this instance; subsets and `sourceLabels` choose by them. @default `app`: the service */
  readonly labels?: Readonly<Record<string, string>>;
  /** Short for the label `version`. */
  readonly version?: string;
  /** Ports others call, in place of those the process listens on. */
  readonly ports?: readonly (number | { readonly name: string; readonly number: number })[];
  readonly serviceAccount?: string;
  /**
   * Where the certificate of this process comes from: `off`, `ca` (the registry folder's own), `ca:DIR`, `files:DIR`,
   * `connect` (Consul's), `istio-ca` (of the control plane that `config` names, or `istio-ca:HOST:PORT`), `spiffe` (the agent at
   * SPIFFE_ENDPOINT_SOCKET, or `spiffe:SOCKET`), or a function. `auto`: `ca` with a folder, else `off`. @default "auto"
   */
  readonly identity?: IdentitySource | CredentialCallback;
  /**
   * The application sees that callers of the mesh come over TLS: `req.protocol` is `https` for them then, and absolute URLs,
   * redirects and cookies follow. @default false: hidden, as behind a sidecar
   */
  readonly tlsVisible?: boolean;
  /**
   * Handshakes of the mesh may be shortened by a ticket of an earlier one, as client and as server. Without, every connection proves anew
   * who is at both ends, which takes about twice the time. @default true
   */
  readonly tlsTickets?: boolean;
  /**
   * Addresses and blocks (`127.0.0.1`, `169.254.0.0/16`) from which keys of tokens may be fetched though they are this
   * machine's, this link's or a metadata service's. @default none
   */
  readonly jwksAllow?: readonly string[];
  /** `region/zone/subZone`; or `ecs`, `ec2`, `gce`, `azure`, `auto`: that platform's metadata is asked. */
  readonly locality?: string;
  /** Share of calls among instances of its kind, 1 to 65535. @default 1 */
  readonly weight?: number;
  /** Words by which tools around the registry choose instances: Consul's tags. @default none */
  readonly tags?: readonly string[];
  /** Where the last good policy is kept. @default "$XDG_CACHE_HOME/inmesh" */
  readonly stateDir?: string;
  /** Unique among the instances of the service. DNS label. @default the process id and a random part */
  readonly instance?: string;
  /**
   * Where others reach this process; or `ecs`, `ec2`, `gce`, `azure`, `auto`: that platform's metadata is asked.
   * @default the address its first server is bound to; when that is every address, 127.0.0.1 with a folder, and what
   * docs/reference/consul.md says with Consul
   */
  readonly address?: string;
  /**
   * When this process writes a lease: `always`; `servers`: once it listens; `never`: nobody finds it.
   * @default always; under register, `servers` in test runners and AWS Lambda
   */
  readonly lease?: "always" | "servers" | "never";
  /** How long others keep this process in mind after the last sign of life, in ms, at least 500; a third of it lies between two signs. @default 15_000 */
  readonly leaseTtlMs?: number;
  /**
   * How long instances stay in use that a registry server loses in a mass, all at once, in ms; those that refuse connections
   * go at once. 0: they all do. @default 30_000
   */
  readonly protectionMs?: number;
  /** Of a service's instances: more than this lost at once is a mass, in percent. @default 50 */
  readonly protectionPercent?: number;
  /** And at least so many, unless none is left. @default 3 */
  readonly protectionLeast?: number;
  /** How long a call waits for the first configuration, in ms. @default 5_000 */
  readonly configWaitMs?: number;
  /** Hosts (`api.example.com`, `*.example.com`), `host:port` or `:port` that the mesh leaves alone. */
  readonly exclude?: readonly string[];
  /** Seams to patch in the process: `fetch`, `undici`, `http`, `server`, `grpc`. @default none by createMesh, all by register */
  readonly patch?: readonly Seam[];
  /**
   * Least severe message of the mesh's own on stderr, and of single scopes: `warn,tls:debug`; or a logger such as console or
   * pino, which gets all of them. @default "warn"
   */
  readonly log?: string | Logger;
  /** Of these messages: `text`, `json`; `auto`: text, with time and scope at a terminal. @default "auto" */
  readonly logFormat?: LogFormat;
  /**
   * A line for each call made and each request served: `json`, `text`, `off`, which beats policy, a mapping with more, a logger
   * such as pino, or a function. @default what policy says: Telemetry resources and MeshConfig, else none
   */
  readonly accessLog?: AccessLogSetting;
  /** Answers to calls say in `x-inmesh-timing`, in the format of Server-Timing, where their time went until their head came. @default false */
  readonly timing?: boolean;
  /**
   * Spans of calls and requests. `auto`: one of each, beside whatever other instrumentation runs; `own`: whatever others do;
   * `annotate`: none of ours, more to be read on those of others; `off`: trace headers are passed on. @default "auto"
   */
  readonly tracing?: "auto" | "own" | "annotate" | "off";
  /** Of traces that begin here and that no Telemetry resource speaks of, in percent. @default 1 */
  readonly tracingSampling?: number;
  /**
   * Whose word that a trace is recorded is taken: `mesh`, of callers with a certificate of the mesh, or of all where this
   * process has no certificate itself; `any`; `none`. @default "any"
   */
  readonly tracingTrust?: "mesh" | "any" | "none";
  /** Whose `baggage` goes on to the application and to its calls, as `tracingTrust`. @default "any" */
  readonly baggageTrust?: "mesh" | "any" | "none";
  /** Headers of a request that are handed on to the calls made for it, besides those of traces. */
  readonly forwardHeaders?: readonly string[];
  /** Envoy's names of tags beside ours. @default false */
  readonly tracingEnvoyTags?: boolean;
  /** Keys of queries whose values no span shows, besides those of well-known secrets. */
  readonly tracingRedact?: readonly string[];
  /** Name of the workload in metrics. @default `app`, and `version` behind a hyphen */
  readonly workload?: string;
  /** Cluster of the mesh that this process runs in, as metrics name it. @default "default" */
  readonly cluster?: string;
  /** Port on every address at which metrics alone are read, without a token. @default none: the admin endpoint has them */
  readonly metricsPort?: number;
  /** URL of the application's own metrics, put behind the mesh's in every scrape. @default none */
  readonly metricsMerge?: string;
  /** Bounds of histograms by prefix of names, as Istio's annotation has them: `{"istio":[1,5,10]}`. @default Envoy's */
  readonly metricsBuckets?: Buckets;
  /** Series of one metric; what is beyond goes into one that is called `__overflow__`. @default 2_000 */
  readonly metricsSeries?: number;
  /** OpenTelemetry's metrics, where the process registers a MeterProvider. `auto`: durations are left to instrumentation that counts them. @default "auto" */
  readonly otelMetrics?: "auto" | "on" | "off";
  /** Longest drain on SIGTERM, in ms. @default 10_000 */
  readonly drainTimeoutMs?: number;
  /** Between leaving the registry and closing servers, so that every caller has heard of it, in ms. @default 1000: what the registry promises */
  readonly propagationDelayMs?: number;
}

/** A registry inside the process, such as core's `MemoryRegistry`. */
export interface SharedRegistry extends Registrar {
  openSource(): Source;
}

export type IdentitySource =
  | ("auto" | "off" | "ca" | "connect" | "istio-ca" | "spiffe")
  | `${"ca" | "files" | "istio-ca" | "spiffe"}:${string}`;

const IDENTITY_EXPECTS =
  "auto, off, ca, ca:DIR, files:DIR, connect, istio-ca, istio-ca:HOST:PORT, spiffe or spiffe:SOCKET";

export const SEAMS = ["fetch", "undici", "http", "server", "grpc"] as const;
export type Seam = (typeof SEAMS)[number];

/** One row of the table. */
export interface Setting<Value = unknown> {
  readonly variable: `INMESH_${string}`;
  readonly read: ReadValue<Value>;
  /** One line for docs and messages. */
  readonly expects: string;
}

type Settings = { readonly [Name in keyof Required<MeshOptions>]: Setting<Required<MeshOptions>[Name]> };

export const SETTINGS: Settings = {
  service: { variable: "INMESH_SERVICE", read: dnsLabel, expects: "a DNS label" },
  namespace: { variable: "INMESH_NAMESPACE", read: dnsLabel, expects: "a DNS label" },
  config: {
    variable: "INMESH_CONFIG",
    read: config,
    expects: "a folder, a policy file, consul://host:8500 or xds://host:15010",
  },
  mode: { variable: "INMESH_MODE", read: mode, expects: "on, observe or off" },
  admin: { variable: "INMESH_ADMIN", read: admin, expects: "host:port, unix:/path or off" },
  adminToken: { variable: "INMESH_ADMIN_TOKEN", read: adminToken, expects: "at least 16 printable characters" },
  csds: { variable: "INMESH_CSDS", read: hostAndPort, expects: "host:port or off" },
  profiling: { variable: "INMESH_PROFILING", read: truth, expects: "true or false" },
  healthPath: { variable: "INMESH_HEALTH_PATH", read: healthPath, expects: "a path such as /healthz" },
  remoteAdmin: { variable: "INMESH_REMOTE_ADMIN", read: truth, expects: "true or false" },
  labels: { variable: "INMESH_LABELS", read: labels, expects: "key=value, comma-separated" },
  version: { variable: "INMESH_VERSION", read: text, expects: "text" },
  ports: { variable: "INMESH_PORTS", read: ports, expects: "[name:]port, comma-separated" },
  serviceAccount: { variable: "INMESH_SERVICE_ACCOUNT", read: text, expects: "text" },
  identity: {
    variable: "INMESH_IDENTITY",
    read: identity,
    expects: IDENTITY_EXPECTS,
  },
  tlsVisible: { variable: "INMESH_TLS_VISIBLE", read: truth, expects: "true or false" },
  tlsTickets: { variable: "INMESH_TLS_TICKETS", read: truth, expects: "true or false" },
  jwksAllow: { variable: "INMESH_JWKS_ALLOW", read: blocks, expects: "IP addresses and CIDR blocks, comma-separated" },
  locality: {
    variable: "INMESH_LOCALITY",
    read: text,
    expects: "region/zone/subZone, or ecs, ec2, gce, azure or auto",
  },
  weight: { variable: "INMESH_WEIGHT", read: weight, expects: "1 to 65535" },
  tags: { variable: "INMESH_TAGS", read: list, expects: "words, comma-separated" },
  stateDir: { variable: "INMESH_STATE_DIR", read: text, expects: "a folder" },
  instance: { variable: "INMESH_INSTANCE", read: dnsLabel, expects: "a DNS label" },
  address: {
    variable: "INMESH_ADDRESS",
    read: text,
    expects: "an IP address or host name, or ecs, ec2, gce, azure or auto",
  },
  lease: { variable: "INMESH_LEASE", read: oneOf("always", "servers", "never"), expects: "always, servers or never" },
  leaseTtlMs: { variable: "INMESH_LEASE_TTL_MS", read: leaseTtl, expects: "milliseconds, at least 500" },
  protectionMs: { variable: "INMESH_PROTECTION_MS", read: duration, expects: "milliseconds" },
  protectionPercent: { variable: "INMESH_PROTECTION_PERCENT", read: percent, expects: "0 to 100" },
  protectionLeast: { variable: "INMESH_PROTECTION_LEAST", read: count, expects: "a whole number, at least 1" },
  configWaitMs: { variable: "INMESH_CONFIG_WAIT_MS", read: duration, expects: "milliseconds" },
  exclude: { variable: "INMESH_EXCLUDE", read: list, expects: "hosts and ports, comma-separated" },
  patch: { variable: "INMESH_PATCH", read: seams(SEAMS), expects: "fetch, undici, http, server, grpc, or none" },
  log: { variable: "INMESH_LOG", read: logSetting, expects: LEVELS_EXPECT },
  logFormat: { variable: "INMESH_LOG_FORMAT", read: oneOf(...LOG_FORMATS), expects: "auto, text or json" },
  accessLog: { variable: "INMESH_ACCESS_LOG", read: accessLog, expects: ACCESS_LOG_EXPECTS },
  timing: { variable: "INMESH_TIMING", read: truth, expects: "true or false" },
  tracing: {
    variable: "INMESH_TRACING",
    read: (value) => oneOf("auto", "own", "annotate", "off")(value === false ? "off" : value), // YAML 1.1's off
    expects: "auto, own, annotate or off",
  },
  tracingSampling: { variable: "INMESH_TRACING_SAMPLING", read: percent, expects: "0 to 100" },
  tracingTrust: { variable: "INMESH_TRACING_TRUST", read: oneOf("mesh", "any", "none"), expects: "mesh, any or none" },
  baggageTrust: { variable: "INMESH_BAGGAGE_TRUST", read: oneOf("mesh", "any", "none"), expects: "mesh, any or none" },
  forwardHeaders: {
    variable: "INMESH_FORWARD_HEADERS",
    read: headerNames,
    expects: "names of headers, comma-separated",
  },
  tracingEnvoyTags: { variable: "INMESH_TRACING_ENVOY_TAGS", read: truth, expects: "true or false" },
  tracingRedact: { variable: "INMESH_TRACING_REDACT", read: list, expects: "words, comma-separated" },
  workload: { variable: "INMESH_WORKLOAD", read: text, expects: "text" },
  cluster: { variable: "INMESH_CLUSTER", read: text, expects: "text" },
  metricsPort: { variable: "INMESH_METRICS_PORT", read: port, expects: "1 to 65535" },
  metricsMerge: { variable: "INMESH_METRICS_MERGE", read: httpUrl, expects: "an http:// URL" },
  metricsBuckets: {
    variable: "INMESH_METRICS_BUCKETS",
    read: readBuckets,
    expects: 'bounds by prefix of names: {"istio":[1,5,10,50]}',
  },
  metricsSeries: { variable: "INMESH_METRICS_SERIES", read: count, expects: "a whole number, at least 1" },
  otelMetrics: { variable: "INMESH_OTEL_METRICS", read: oneOf("auto", "on", "off"), expects: "auto, on or off" },
  drainTimeoutMs: { variable: "INMESH_DRAIN_TIMEOUT_MS", read: duration, expects: "milliseconds" },
  propagationDelayMs: { variable: "INMESH_PROPAGATION_DELAY_MS", read: duration, expects: "milliseconds" },
};

export const SETTING_NAMES = Object.keys(SETTINGS) as readonly (keyof MeshOptions)[];

/** Of the CLI, the build and the tests: theirs to read, not a spelling mistake. */
export const FOREIGN_VARIABLES: ReadonlySet<string> = new Set([
  "INMESH_SERVER",
  "INMESH_SHARED",
  "INMESH_CASES",
  "INMESH_REQUIRE_PEERS",
  "INMESH_TOOLS_DIR",
  "INMESH_CONSUL_BIN",
  "INMESH_CONSUL_VERSION",
]);

function config(value: unknown): string | readonly Document[] | SharedRegistry | Invalid {
  if (Array.isArray(value)) return value as readonly Document[];
  if (typeof value === "object" && value !== null && "openSource" in value) return value as SharedRegistry;
  const path = text(value);
  if (typeof path !== "string") return path;
  const scheme = schemeOf(path);
  // What the URL of a server says is judged when it is opened: most processes need not load what reads it.
  if (scheme === undefined || isConsul(path) || isXds(path)) return path;
  return { invalid: "expected a folder, a policy file, consul://host:8500 or xds://host:15010" };
}

function identity(value: unknown): IdentitySource | CredentialCallback | Invalid {
  if (typeof value === "function") return value as CredentialCallback;
  if (value === false) return "off"; // YAML 1.1 writers mean this
  const source = text(value);
  if (typeof source !== "string") return source;
  const isKnown = /^(?:auto|off|connect|(?:ca|istio-ca|spiffe)(?::.+)?|files:.+)$/.test(source);
  return isKnown ? (source as IdentitySource) : { invalid: `expected ${IDENTITY_EXPECTS}` };
}

function leaseTtl(value: unknown): number | Invalid {
  const ms = duration(value);
  // The table of a reader looks four times a second.
  return typeof ms !== "number" || ms >= 500 ? ms : { invalid: "expected at least 500 milliseconds" };
}

function admin(value: unknown): string | Invalid {
  if (value === false) return "off"; // YAML 1.1 writers mean this
  const where = text(value);
  if (typeof where !== "string" || where === "off" || /^unix:.+/.test(where)) return where;
  const port = /^(?:\[[0-9a-fA-F:.]+\]|[^:/\s]+):(\d{1,5})$/.exec(where)?.[1];
  return port !== undefined && Number(port) < 65_536 ? where : { invalid: "expected host:port, unix:/path or off" };
}

function hostAndPort(value: unknown): string | Invalid {
  const where = admin(value);
  return typeof where === "string" && where.startsWith("unix:") ? { invalid: "expected host:port or off" } : where;
}

function adminToken(value: unknown): string | Invalid {
  const token = text(value);
  if (typeof token !== "string") return token;
  return /^[!-~]{16,}$/.test(token) ? token : { invalid: "expected at least 16 printable characters" };
}

function healthPath(value: unknown): string | Invalid {
  const path = text(value);
  if (typeof path !== "string") return path;
  const isPath = /^(?:\/[A-Za-z0-9._~-]+)+$/.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);
  return isPath ? path : { invalid: "expected a path such as /healthz" };
}
