/** What an engine is made of and whom it tells: of all of this only the store is a must. */

import type { ServiceRef } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { NameResolver } from "../dns/resolver.js";
import type { HealthProber } from "../health/health-prober.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { SnapshotStore } from "../snapshot/store.js";

/** Where snapshots come from: as much of the store as the engine uses. */
export type SnapshotReader = Pick<SnapshotStore, "current" | "subscribe" | "ready">;

export interface EngineOptions {
  readonly store: SnapshotReader;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default the system's */
  readonly random?: Random;
  /** Looks up the names that endpoints have for addresses. @default the system's */
  readonly resolver?: NameResolver;
  /** How long a call waits for the first snapshot, in ms. @default 5_000 */
  readonly configWaitMs?: number;
  /** Hosts that are none of this mesh's business, whatever the registry says; host in lower case. @default none */
  readonly excludes?: (host: string, port: number) => boolean;
  /** Every request goes out as if the mesh were not there; what policy would do is rehearsed. @default false */
  readonly onlyObserves?: boolean;
  /** Of this process, as others see it, for `x-forwarded-for` of mirrored requests and for affinity by source. @default "127.0.0.1" */
  readonly address?: () => string;
  /** Unique among the processes of its kind: which endpoints it uses where policy has it use some of them. @default by chance */
  readonly instance?: string;
  /** Told once of what the calls themselves do not show, such as a mirror that does not exist. @default nobody hears it */
  readonly onNotice?: (message: string) => void;
  /** The process's servers begin to turn requests away, or stop it. @default nobody hears it */
  readonly onShedding?: (message: string) => void;
  /** A rule of access begins to deny, or has stopped: a line of a log, never for callers. @default nobody hears it */
  readonly onDenied?: (message: string) => void;
  /**
   * A call needs a service whose instances its registry tells only while it is in use; said before the call waits for them, and
   * again about once a minute while it is called. Must not throw. @default nobody hears it
   */
  readonly onUse?: (service: ServiceRef) => void;
  /** An endpoint, or a process behind it, left the registry; transports close its connections when they fall idle. */
  readonly onEndpointRemoved?: (state: EndpointState) => void;
  /** Nobody listens at this `address:port`, as a call found out. @default nobody hears it */
  readonly onEndpointClosed?: (endpoint: string) => void;
  /** An endpoint was ejected, or is in use again: a line of a log. @default nobody hears it */
  readonly onHealth?: (message: string) => void;
  /** A circuit breaker opened, is half open, or closed: likewise. @default nobody hears it */
  readonly onBreaker?: (message: string) => void;
  /** Asks endpoints how they are, where policy wants that. @default nobody is asked, and `onHealth` told so */
  readonly healthProber?: HealthProber;
  /**
   * Whether it is noticed that this process stood still while any call is under way, and not only while policy judges by
   * lateness: what the time of a call was lost by is known then. Costs 50 wake-ups a second of a busy process. @default false
   */
  readonly timesStalls?: boolean;
  /** Whether answers say in `x-inmesh-timing` where their time went. @default false */
  readonly timing?: boolean;
}
