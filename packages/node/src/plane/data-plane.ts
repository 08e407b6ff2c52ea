/**
 * All parts of one mesh. Made at once, so that calls and servers can be taken at once; the registry, the compiler and
 * the admin endpoint are loaded by `start`, while calls wait for the first snapshot. More than 400 lines: each part is a class
 * elsewhere, and what they know of each other is written here.
 */

import { isMainThread } from "node:worker_threads";
import {
  type Clock,
  type Engine,
  MeshError,
  messageOf,
  type PipelineStatus,
  SnapshotStore,
  systemClock,
  systemRandom,
} from "@inmesh/core";
import { EventLog, outcomesOf } from "@inmesh/core/admin";
import type { PolicyFeed } from "@inmesh/core/internal";
import type { GrpcClient } from "@inmesh/grpc";
import { HttpClient, HttpExternalCheck, HttpTransport, Notices, type Undici } from "@inmesh/http/internal";
import { Inbound, type Listener, ServerSecurity, Servers } from "@inmesh/http/server";
import type { Snapshot } from "@inmesh/model";
import { grpcHealth, healthOnAppPort } from "../admin/health.js";
import { remotePages } from "../admin/remote.js";
import { TapPage } from "../admin/tap-page.js";
import { judgeTrustDomain, openIdentity } from "../identity/open-identity.js";
import { makeIdentity } from "../identity/own-identity.js";
import type { ProcessIdentity } from "../identity/process-identity.js";
import { createLog, type Log, type LogScope } from "../log.js";
import { shownConfig } from "../settings/registry-url.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import type { AccessLogPart } from "../telemetry/access-log.js";
import type { ProcessMetrics } from "../telemetry/metrics.js";
import { RecordDumps } from "../telemetry/record-dumps.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { Whereabouts } from "../whereabouts/whereabouts.js";
import { type DiskWarning, DiskWarnings } from "./disk-warnings.js";
import { type DrainResult, drain } from "./drain.js";
import { compileExclusion } from "./exclusion.js";
import { LazyAuthorizer } from "./lazy-authorizer.js";
import { lazyRateLimits } from "./lazy-rate-limits.js";
import { LazyTokens } from "./lazy-tokens.js";
import type { LeaseState } from "./lease-keeper.js";
import type { Membership } from "./membership.js";
import type { OpenRegistry, XdsInsight } from "./open-registry.js";
import type { OperatorPorts } from "./operator-ports.js";
import { ownEngine } from "./own-engine.js";
import { RefusedPolicy } from "./refused-policy.js";
import type { RegistryGuard } from "./registry-guard.js";

export interface DataPlaneOptions {
  readonly settings: MeshSettings;
  /** @default the system's */
  readonly clock?: Clock;
  readonly log?: Log;
  /** Called with the first request. */
  readonly undici: () => Undici;
}

export class DataPlane {
  readonly settings: MeshSettings;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventLog;
  readonly store: SnapshotStore;
  readonly engine: Engine;
  /** Undefined: it has none, and none will come. */
  readonly identity: ProcessIdentity | undefined;
  readonly transport: HttpTransport;
  readonly client: HttpClient;
  /** Of who has asked for it: grpc-client.ts. */
  grpc: GrpcClient | undefined = undefined;
  readonly security: ServerSecurity;
  readonly inbound: Inbound;
  readonly servers: Servers;
  readonly telemetry = new Telemetry();
  readonly taps = new TapPage();
  /** Undefined before the start. */
  metrics: ProcessMetrics | undefined;
  accessLog: AccessLogPart | undefined;
  readonly startedAt: number;
  /** Names of the seams patched in this process. */
  patched: readonly string[] = [];
  draining = false;
  /** Other processes accept connections on the same port: workers of `cluster`. */
  sharesPort = false;
  /** Set by POST /healthcheck/fail. */
  failing = false;
  /** Grows by the registry's own server, before anything is asked of it. */
  #excludes: (host: string, port: number) => boolean;
  #registry: OpenRegistry | undefined;
  #guard: RegistryGuard | undefined;
  #pipeline: PolicyFeed | undefined;
  /** Both undefined before the start; the first also where there is nothing to register. */
  #membership: Membership | undefined;
  #operators: OperatorPorts | undefined;
  readonly whereabouts: Whereabouts;
  readonly #dumps: RecordDumps;
  #started = false;
  #starting: Promise<void> | undefined;
  readonly #refused: RefusedPolicy;
  #failure: string | undefined;
  #leaving: Promise<void> | undefined;
  #drain: Promise<DrainResult> | undefined;
  #closing: Promise<void> | undefined;

  constructor({ settings, clock = systemClock, log = openLog(settings), undici }: DataPlaneOptions) {
    this.settings = settings;
    this.instance = settings.instance || `${process.pid}-${systemRandom.int(36 ** 5).toString(36)}`;
    this.clock = clock;
    this.log = log;
    this.startedAt = clock.now();
    this.events = new EventLog(clock);
    this.#refused = new RefusedPolicy(this.events, log);
    this.#excludes = compileExclusion(settings.exclude);
    this.store = new SnapshotStore({
      clock,
      explain: () => this.#failure ?? this.#registry?.source.status.reason,
      onListenerError: (error) =>
        log.scope("config").error(`a part of the mesh did not take a new snapshot: ${String(error)}`),
    });
    const noticed = (kind: LogScope) => (message: string) => {
      log.scope(kind).warn(message);
      this.events.add(kind, message);
    };
    this.identity = makeIdentity(settings, clock, noticed("identity"));
    const { identity } = this;
    this.transport = new HttpTransport({
      ...{ clock, undici, identity, onNotice: noticed("tls") },
      tickets: settings.tlsTickets,
    });
    this.whereabouts = new Whereabouts({
      ...{ settings, clock, env: process.env },
      onChange: () => this.#onListeners(this.servers.listeners),
      onWarning: noticed("address"),
    });
    const { namespace, service } = settings;
    this.#dumps = new RecordDumps({
      clock,
      head: { namespace, service, instance: this.instance, pid: process.pid },
      outcomes: () => outcomesOf(this.engine.recorder.read()),
      // A disk that takes nothing has been warned of, for what matters more.
      onWarning: (message) => {
        log.info(message);
        this.events.add("telemetry", message);
      },
    });
    this.telemetry.add(this.#dumps);
    const { store, instance, events, transport } = this;
    this.engine = ownEngine({
      ...{ settings, instance, clock, store, identity, transport, events, noticed },
      excludes: (host, port) => this.#excludes(host, port),
      address: () => this.whereabouts.address(this.servers.listeners)?.address ?? "",
      pipeline: () => this.#pipeline,
      guard: () => this.#guard,
      onBreakerOpened: (message) => this.#dumps.breakerOpened(message),
    });
    const notices = new Notices(noticed("clients"));
    this.client = new HttpClient({ engine: this.engine, transport: this.transport, undici, notices });
    const { guard } = this.engine;
    guard.tokens = new LazyTokens({ clock, allowed: settings.jwksAllow, onNotice: noticed("tokens") });
    const ownHost = `${settings.service}.${settings.namespace}.svc.`;
    const isOwn = (host: string): boolean => host.startsWith(ownHost);
    guard.external = new HttpExternalCheck({
      client: this.client,
      isOwn,
      grpc: new LazyAuthorizer(this, noticed("access")),
      onNotice: noticed("access"),
    });
    this.engine.gate.rateLimitServices = lazyRateLimits(this);
    const { tlsVisible } = settings;
    this.security = new ServerSecurity({
      ...{ clock, snapshots: store, identity, tlsVisible, onNotice: noticed("security") },
      tunnels: settings.identity === "connect",
      tickets: settings.tlsTickets,
      hearsPlaintext: settings.healthPath !== undefined,
      leavesHeaders: settings.mode === "observe",
    });
    const { security } = this;
    this.inbound = new Inbound(this.engine, security);
    if (settings.healthPath !== undefined) this.inbound.reserved = healthOnAppPort(this, settings.healthPath);
    if (settings.remoteAdmin) this.inbound.remote = remotePages(this);
    if (settings.mode === "on") this.inbound.health = grpcHealth(this);
    const onChange = (listeners: readonly Listener[]): void => this.#onListeners(listeners);
    this.servers = new Servers({ inbound: this.inbound, clock, security, guard, onChange });
    this.store.subscribe((snapshot) => this.#onSnapshot(snapshot));
  }

  get pipeline(): PipelineStatus | undefined {
    return this.#pipeline?.status;
  }

  get registryUrl(): string {
    const { config } = this.settings;
    return this.#registry?.url ?? (typeof config === "string" ? shownConfig(config) : "memory");
  }

  /** Undefined: its registry is no control plane, or is not open yet. */
  get xds(): XdsInsight | undefined {
    return this.#registry?.xds;
  }

  /** Undefined: this process has none to write. */
  get leaseState(): LeaseState | undefined {
    return this.#membership?.state;
  }

  /** See LeaseKeeper. */
  get leaseFailures(): number {
    return this.#membership?.failures ?? 0;
  }

  /** Advertised ports, in order. */
  get ports(): readonly number[] {
    return this.#membership?.ports ?? [];
  }

  /** `host:port` of client status discovery; undefined: it is off. */
  get clientStatusAddress(): string | undefined {
    return this.#operators?.clientStatusAddress;
  }

  get adminUrl(): string | undefined {
    return this.#operators?.adminUrl;
  }

  /** It was ready at some time. */
  get hasStarted(): boolean {
    this.#started ||= this.ready;
    return this.#started;
  }

  /** Servers may be called, as far as configuration goes. */
  get ready(): boolean {
    return this.store.current !== undefined && !this.draining && !this.failing;
  }

  get state(): "starting" | "ready" | "degraded" | "draining" {
    if (this.draining) return "draining";
    const status = this.#pipeline?.status;
    if (status === undefined || status.state === "starting") return "starting";
    return status.state === "degraded" || status.source.state === "stale" ? "degraded" : "ready";
  }

  /** Opens the registry and registers this process; idempotent. Resolves when both were tried; never rejects. */
  start(): Promise<void> {
    this.#starting ??= this.#start().then(
      () => void this.#greet(),
      (error: unknown) => {
        this.#failure = messageOf(error);
        this.log.error(`the mesh did not start: ${this.#failure}`);
      },
    );
    return this.#starting;
  }

  /**
   * Leaves the registry: resolves when no new calls are sent here any more, after about `propagationDelayMs`. Whoever
   * comes later waits for the same; an abort of the first one's ends the wait for all.
   * @param limitMs time for this and what comes after it
   */
  leave(signal: AbortSignal, limitMs: number): Promise<void> {
    this.#leaving ??= this.#leave(signal, limitMs);
    return this.#leaving;
  }

  /** See `drain.ts`. Whoever asks first says how long it may take; the others hear how it went. */
  drain(timeoutMs: number): Promise<DrainResult> {
    this.#drain ??= drain(this, timeoutMs);
    return this.#drain;
  }

  /** Frees everything; calls made later fail. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #leave(signal: AbortSignal, limitMs: number): Promise<void> {
    this.draining = true;
    this.events.add("drain", "leaving the registry");
    this.#dumps.leaving();
    this.inbound.retireConnections();
    await this.#membership?.leave(signal, limitMs);
  }

  /** Once: with its first configuration, or when that is long in coming. */
  async #greet(): Promise<void> {
    if (!isMainThread || this.log.levels.level === "off") return;
    await this.store.ready(this.settings.configWaitMs).catch(() => {});
    if (this.#closing !== undefined) return;
    const { startLine } = await import("./start-line.js");
    this.log.info(startLine(this));
  }

  async #start(): Promise<void> {
    const { settings, clock, log } = this;
    const [
      { openRegistry },
      { RegistryGuard },
      { Pipeline },
      model,
      { openTracing },
      { ProcessMetrics },
      { AccessLogPart },
    ] = await Promise.all([
      import("./open-registry.js"),
      import("./registry-guard.js"),
      import("@inmesh/core/internal"),
      import("@inmesh/model"),
      import("../telemetry/tracing.js"),
      import("../telemetry/metrics.js"),
      import("../telemetry/access-log.js"),
    ]);
    if (this.#closing !== undefined) return;
    openTracing(this);
    this.metrics = new ProcessMetrics(this);
    this.telemetry.add(this.metrics);
    void this.metrics.open();
    if (settings.accessLog !== "off") {
      this.accessLog = new AccessLogPart(this);
      this.telemetry.add(this.accessLog);
    }
    const warn = (message: string): void => {
      log.scope("registry").warn(message);
      this.events.add("registry", message);
    };
    const disk = new DiskWarnings({
      write: warn,
      registry: () => this.registryUrl,
      state: () => this.#registry?.state,
    });
    const onWarning = (warning: DiskWarning): void => void disk.take(warning);
    const { namespace, service, labels, serviceAccount, exclude } = settings;
    this.#excludes = compileExclusion([...exclude, ...this.whereabouts.excluded]);
    await this.whereabouts.learnLocality();
    const { locality } = this.whereabouts;
    const registry = await openRegistry({
      ...{ settings, clock, env: process.env, onWarning, locality, identity: this.identity },
      random: systemRandom,
    });
    this.#registry = registry;
    if (registry.state !== undefined) this.#dumps.open(registry.state.directory);
    const guard = new RegistryGuard({
      ...{ registry, settings, clock, log: log.scope("registry") },
      onEvent: (message) => this.events.add("registry", message),
      pipeline: () => this.pipeline,
    });
    this.#guard = guard;
    const server = registry.server === undefined ? [] : [registry.server];
    this.#excludes = compileExclusion([...exclude, ...server, ...this.whereabouts.excluded]);
    const self = {
      ...{ namespace, service, labels },
      ...(serviceAccount !== undefined && { serviceAccount }),
      ...(locality && { locality }),
    };
    const { store } = this;
    this.#pipeline =
      registry.feed?.({ store, client: self, clock }) ??
      new Pipeline({
        ...{ source: guard.source, store, client: self, clock },
        validate: model.validateDocument,
        compile: model.compile,
        ...(registry.state && { state: registry.state }),
      });
    this.#pipeline.serve?.(this.servers.listeners);
    this.#pipeline.start();
    const known = openIdentity(this, registry, () => this.#onListeners(this.servers.listeners)); // the lease tells of it
    // Worker threads call and are served in the name of their process, which has the lease.
    if (!isMainThread) return;
    const { OperatorPorts } = await import("./operator-ports.js");
    this.#operators = new OperatorPorts(this);
    if (settings.lease === "never") return this.#operators.open();
    const [{ Membership }] = await Promise.all([
      import("./membership.js"),
      this.#operators.open(), // the lease tells both
      this.whereabouts.learnAddress(registry.shared),
    ]);
    this.#membership = new Membership(this);
    this.#membership.open(registry, guard.source, model.SCHEMA_VERSION, (message) =>
      warn(`this process is not registered, so others do not find it: ${message}`),
    );
    // Callers find a member of the mesh at its address: it should be able to say who it is.
    await known;
    if (this.#closing === undefined && !this.draining) await this.#membership.say(this.servers.listeners);
  }

  #onSnapshot({ version, revision, mode }: Snapshot): void {
    this.#started ||= this.ready;
    this.events.add("config", `snapshot ${version} in force, revision ${revision}, mode ${mode}`);
    this.#refused.tell(this.#pipeline?.status.refused ?? []);
    judgeTrustDomain(this);
  }

  #onListeners(listeners: readonly Listener[]): void {
    void this.start(); // the lease tells of these listeners when the registry is open
    if (!this.draining) this.#pipeline?.serve?.(listeners); // requests on open connections are judged to the end
    if (!this.draining) void this.#membership?.say(listeners);
  }

  async #close(): Promise<void> {
    this.draining = true;
    await this.#starting;
    this.whereabouts.close();
    await this.#membership?.withdraw();
    await this.#operators?.close();
    await this.identity?.close();
    this.#guard?.close();
    await this.#pipeline?.close();
    await this.telemetry.close();
    this.engine.close();
    this.security.close();
    this.grpc?.close();
    await this.transport.destroy(new MeshError("DRAINING", "the mesh was closed"));
  }
}

function openLog({ log: { levels, logger }, logFormat }: MeshSettings): Log {
  return createLog(levels, { logger, format: logFormat });
}
