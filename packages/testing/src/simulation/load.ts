/** The callers of a simulation: calls of all sorts, alone and in bursts, some of them for an inbound request, some given up on the way. */

import { Call, type Engine, InboundContext } from "@inmesh/core";
import type { Draw } from "./draw.js";
import type { Fleet } from "./fleet.js";
import type { MeshView } from "./mesh-view.js";
import { SimExchange } from "./sim-exchange.js";
import type { SimNetwork } from "./sim-network.js";
import type { World } from "./world.js";

export interface SimCall {
  readonly exchange: SimExchange;
  readonly call: Call;
  readonly idempotent: boolean;
  readonly startedAt: number;
  /** Of the inbound request that it serves, clock ms; Infinity for none. */
  readonly inheritedAt: number;
  /** Attempts that its maker's earlier tries of the same call took, none of which did well. */
  readonly spent: number;
}

/** What somebody wants to call. */
interface Wanted {
  readonly service: string;
  readonly method: string;
  /** Of the inbound request that it is for. */
  readonly context?: InboundContext;
  /** How often its maker makes it anew when it fails. */
  readonly again?: number;
  /** See SimCall. */
  readonly spent?: number;
  /** The one that failed. */
  readonly before?: string;
}

const METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT"];

export interface LoadOptions {
  readonly world: World;
  readonly fleet: Fleet;
  readonly draw: Draw;
  readonly network: SimNetwork;
  readonly view: MeshView;
  readonly engine: Engine;
  readonly durationMs: number;
  readonly callsPerSecond: number;
}

export class Load {
  readonly calls: SimCall[] = [];
  /** By what the engine has of them. */
  readonly byExchange = new Map<SimExchange, SimCall>();
  /** Those that have not heard the last word. */
  readonly waiting = new Set<SimCall>();
  /** Clock ms of the last one, by inbound request. */
  readonly #successes = new WeakMap<InboundContext, number>();
  readonly #options: LoadOptions;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { world, draw, durationMs, callsPerSecond } = options;
    const meanMs = 1_000 / callsPerSecond;
    for (let at = 0; at < durationMs; ) {
      const burst = draw.chance(0.03) ? draw.whole(5, 40) : 1;
      world.later(at, () => {
        for (let count = 0; count < burst; count++) this.#inbound();
      });
      at += draw.ms(0.125, 2 * meanMs * burst);
    }
  }

  /** Nobody waits any more. */
  get over(): boolean {
    return this.waiting.size === 0;
  }

  /** A request that arrives makes one call or several, at once or one after the other, and may repeat what failed. */
  #inbound(): void {
    const { draw, world, fleet } = this.#options;
    const method = draw.oneOf(METHODS);
    if (!draw.chance(0.4)) return this.#start({ service: draw.oneOf(fleet.services), method });
    const deadlineAt = draw.chance(0.7) ? world.now + draw.ms(1, 400) : Number.POSITIVE_INFINITY;
    const above = draw.chance(0.1) ? draw.whole(1, 3) : 0;
    const context = new InboundContext(deadlineAt, [], () => undefined, above);
    for (let count = draw.oneOf([1, 1, 2, 5]); count > 0; count--) {
      const service = draw.oneOf(fleet.services);
      const wait = draw.chance(0.5) ? 0 : draw.ms(0, 30);
      const again = draw.chance(0.2) ? draw.whole(1, 3) : 0;
      const start = (): void => this.#start({ service, method: draw.oneOf(METHODS), context, again });
      if (wait === 0) start();
      else world.later(wait, start);
    }
  }

  #start(wanted: Wanted): void {
    const { draw, world, network, engine, view } = this.#options;
    const { service, method, context, again = 0, spent = 0, before } = wanted;
    const headers = ["x-user", `u${draw.whole(0, 9)}`];
    const keyed = method === "POST" && draw.chance(0.2);
    if (keyed) headers.push("idempotency-key", "k");
    const name = `call ${this.calls.length + 1}`;
    const exchange = new SimExchange({ name, network, replayable: draw.chance(0.8) });
    const call = new Call(exchange, method, "http", service, 80, service, "/", headers);
    exchange.call = call;
    const inForce = view.mode === "on"; // otherwise the inbound request is not looked at
    // One that is past is as good as one that passes now.
    const inheritedAt =
      context !== undefined && inForce ? Math.max(world.now, context.deadlineAt) : Number.POSITIVE_INFINITY;
    const made: SimCall = {
      exchange,
      call,
      idempotent: method !== "POST" || keyed,
      startedAt: world.now,
      inheritedAt,
      spent,
    };
    this.calls.push(made);
    this.byExchange.set(exchange, made);
    this.waiting.add(made);
    const due = inheritedAt === Number.POSITIVE_INFINITY ? "" : `, due ${inheritedAt.toFixed(3)}`;
    world.note(
      `${name}: ${method} ${service}${before === undefined ? "" : `, ${before} anew`}${exchange.replayable ? "" : ", a stream"}${due}`,
    );
    if (draw.chance(0.12)) {
      const patienceMs = draw.ms(0, 120);
      world.later(patienceMs, () => {
        if (exchange.over) return;
        world.note(`${name} is given up by its caller`);
        call.abort(new DOMException("given up", "AbortError"));
      });
    }
    exchange.onOver = () => {
      this.waiting.delete(made);
      const failed = exchange.code !== "" || exchange.status >= 500;
      if (context !== undefined && !failed) this.#successes.set(context, world.now);
      if (again === 0 || !failed || exchange.code === "AbortError") return;
      world.later(draw.ms(0.125, 20), () => {
        // Where another one did well meanwhile, the next is taken for a call of its own.
        const known = (this.#successes.get(context!) ?? -1) < made.startedAt; // only those with a context are made anew
        const taken = known && inForce ? spent + call.attempts : 0;
        this.#start({ ...wanted, again: again - 1, spent: taken, before: name });
      });
    };
    engine.contexts.run(context, () => engine.start(call));
  }
}
