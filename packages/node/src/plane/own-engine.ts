/** The engine of one process, told where its settings and the other parts come in. */

import { type Clock, Engine, type SnapshotStore } from "@inmesh/core";
import type { EventLog } from "@inmesh/core/admin";
import type { PolicyFeed } from "@inmesh/core/internal";
import { HttpHealthProber, type HttpTransport } from "@inmesh/http/internal";
import type { ProcessIdentity } from "../identity/process-identity.js";
import type { LogScope } from "../log.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import type { RegistryGuard } from "./registry-guard.js";
import { trusts } from "./trusts.js";

export interface OwnEngineOptions {
  readonly settings: MeshSettings;
  readonly instance: string;
  readonly clock: Clock;
  readonly store: SnapshotStore;
  readonly identity: ProcessIdentity | undefined;
  readonly transport: HttpTransport;
  readonly events: EventLog;
  readonly noticed: (kind: LogScope) => (message: string) => void;
  readonly excludes: (host: string, port: number) => boolean;
  /** Where others reach this process; empty: unknown. */
  readonly address: () => string;
  /** What comes with the start. */
  readonly pipeline: () => PolicyFeed | undefined;
  readonly guard: () => RegistryGuard | undefined;
  readonly onBreakerOpened: (message: string) => void;
}

/** Of what is said of breakers. */
const BREAKER_OPENED = / opened for \d/;

export function ownEngine(options: OwnEngineOptions): Engine {
  const { settings, instance, clock, store, identity, transport, events, noticed, excludes, address } = options;
  const { configWaitMs, timing, tlsTickets: tickets, forwardHeaders, baggageTrust } = settings;
  const engine = new Engine({
    ...{ store, clock, configWaitMs, timing, address },
    // Off: nothing is the mesh's business.
    excludes: settings.mode === "off" ? () => true : excludes,
    onlyObserves: settings.mode === "observe",
    timesStalls: true,
    instance: `${settings.namespace}.${settings.service}.${instance}`,
    onNotice: noticed("mirror"),
    onShedding: noticed("shedding"),
    onDenied: noticed("access"),
    onUse: (service) => options.pipeline()?.use(service),
    onEndpointRemoved: (state) => {
      transport.onEndpointRemoved(state);
      state.grpc?.retire();
    },
    onEndpointClosed: (endpoint) => options.guard()?.closed(endpoint),
    onHealth: (message) => events.add("health", message),
    onBreaker: (message) => {
      events.add("breaker", message);
      if (BREAKER_OPENED.test(message)) options.onBreakerOpened(message);
    },
    healthProber: new HttpHealthProber({ clock, identity, tickets, onNotice: noticed("tls") }),
  });
  if (forwardHeaders.length > 0) engine.forwardHeaders = new Set(forwardHeaders);
  if (baggageTrust !== "any") engine.trustsBaggage = (peer) => trusts(baggageTrust, peer, identity);
  engine.sinks.add(engine.recorder);
  engine.sinks.add(engine.codeRoutes);
  return engine;
}
