/** What must hold whatever happens. One file each; every one only watches, and none believes what the engine says of itself alone. */

import type { Attempt, Engine } from "@inmesh/core";
import type { Load } from "../load.js";
import type { MeshView } from "../mesh-view.js";
import type { SimExchange, Word } from "../sim-exchange.js";
import type { SimNetwork } from "../sim-network.js";
import type { SimProber } from "../sim-prober.js";
import type { World } from "../world.js";

/** What an invariant may look at. */
export interface Scene {
  readonly world: World;
  readonly engine: Engine;
  readonly network: SimNetwork;
  readonly view: MeshView;
  readonly load: Load;
  readonly prober: SimProber;
}

/** Each part is called where it is there. */
export interface Invariant {
  /** An attempt was handed to the network. */
  sent?(exchange: SimExchange, attempt: Attempt): void;
  /** The network told the engine how an attempt ended, and it has decided what follows. */
  reported?(exchange: SimExchange, attempt: Attempt): void;
  /** Its connection is free, whoever ended it; before anybody is told. */
  freed?(attempt: Attempt): void;
  heard?(exchange: SimExchange, word: Word): void;
  /** A circuit breaker opened, is half open, or closed. */
  breakerChanged?(): void;
  /** Something happened, and everything that follows from it at once. */
  settled?(): void;
  /** Nobody waits for an answer any more, nothing is on its way. */
  drained?(): void;
  /** Nothing was asked for a long time. */
  idle?(): void;
  /** The engine was closed. */
  closed?(): void;
}

export type MakeInvariant = (scene: Scene) => Invariant;
