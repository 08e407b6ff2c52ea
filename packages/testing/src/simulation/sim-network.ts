/** The network of a simulation and everybody on it: whoever is written to answers, fails or falls silent as fleet and faults have it. */

import type { Attempt, HeaderReader } from "@inmesh/core";
import type { Draw } from "./draw.js";
import type { Fault } from "./fault.js";
import type { Fleet, SimEndpoint } from "./fleet.js";
import { type SimExchange, SimMirror, type Word } from "./sim-exchange.js";
import type { World } from "./world.js";

/** Hears of everything that passes between engine, callers and network, at once. */
export interface TrafficListener {
  /** The engine handed an attempt over. */
  sent(exchange: SimExchange, attempt: Attempt): void;
  /** It ended one way or the other, and the engine has decided what follows. */
  reported(exchange: SimExchange, attempt: Attempt): void;
  /** Its connection is free, whoever ended it; before anybody is told. */
  freed(attempt: Attempt): void;
  heard(exchange: SimExchange, word: Word): void;
}

export interface SimNetworkOptions {
  readonly world: World;
  readonly fleet: Fleet;
  readonly draw: Draw;
  readonly listener: TrafficListener;
}

/** What becomes of an attempt. */
interface Plan {
  /** Until the connection stands, in ms; 0 where one was there. */
  readonly connectMs: number;
  readonly reused: boolean;
  readonly end: "answer" | "cut" | "reset" | "refuse" | "stale" | "hang";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** From the connection to the head, and from there to the end of the body, in ms. */
  readonly headMs: number;
  readonly bodyMs: number;
  /** Clock ms at which a silent endpoint breaks the connection. */
  readonly until: number;
}

const NO_HEADERS: Readonly<Record<string, string>> = {};

export class SimNetwork {
  readonly world: World;
  readonly listener: TrafficListener;
  /** Attempts handed over, whose connections are not free yet. */
  readonly open = new Set<SimConnection>();
  /** Attempts that reached an endpoint, wholly or in part. */
  written = 0;
  copies = 0;
  /** Refused by a mesh in front of an application, which never saw them. */
  readonly unprocessed = new WeakSet<Attempt>();
  readonly #fleet: Fleet;
  readonly #draw: Draw;

  constructor({ world, fleet, draw, listener }: SimNetworkOptions) {
    this.world = world;
    this.listener = listener;
    this.#fleet = fleet;
    this.#draw = draw;
  }

  send(exchange: SimExchange, attempt: Attempt): void {
    const { id } = attempt.endpoint.endpoint;
    this.world.note(`${exchange.name} attempt ${attempt.number} to ${id}`);
    const connection = new SimConnection(this, exchange, attempt, this.#fleet.get(id));
    this.open.add(connection);
    this.listener.sent(exchange, attempt);
    connection.run(this.#plan(this.#fleet.get(id)));
  }

  copy({ name, replayable }: SimExchange): SimMirror | undefined {
    const draw = this.#draw;
    if (draw.chance(0.05)) return undefined;
    this.copies += 1;
    const readyMs = replayable ? 0 : draw.chance(0.2) ? undefined : draw.ms(0.5, 20);
    return new SimMirror({ name: `copy ${this.copies} of ${name}`, network: this, replayable: true }, readyMs);
  }

  #plan({ faults, medianMs, spread, errorRatio }: SimEndpoint): Plan {
    const draw = this.#draw;
    const reused = draw.chance(0.7);
    const plan = {
      connectMs: reused ? 0 : draw.ms(0.125, 2),
      reused,
      end: draw.chance(0.01) && reused ? ("stale" as const) : ("answer" as const),
      status: draw.chance(errorRatio) ? draw.oneOf([500, 502, 503, 429]) : draw.oneOf([200, 200, 200, 204, 404]),
      headers: NO_HEADERS,
      headMs: draw.chance(0.03) ? 0 : draw.skewed(medianMs, spread),
      bodyMs: draw.chance(0.5) ? 0 : draw.ms(0, 10),
      until: 0,
    };
    const met = [...faults].find(({ kind, ratio }) => kind !== "partition" && draw.chance(ratio));
    return met === undefined ? plan : { ...plan, ...afflict(met, plan, draw) };
  }
}

function afflict({ kind, until }: Fault, plan: Plan, draw: Draw): Partial<Plan> {
  switch (kind) {
    case "errors":
      return { status: draw.oneOf([500, 502, 503, 504]) };
    case "overload": {
      const headers = draw.oneOf([
        { "x-inmesh-not-processed": "true" },
        { "retry-after": "1" },
        { "x-envoy-overloaded": "true" },
        { "x-inmesh-retried": "true" },
      ]);
      return { status: draw.oneOf([429, 503]), headers, headMs: draw.ms(0, 2) };
    }
    case "resets":
      return { end: "reset", headMs: draw.chance(0.5) ? draw.ms(0, 3) : plan.headMs };
    case "cuts":
      return { end: "cut" };
    case "hangs":
      return { end: "hang", until };
    case "slow":
      return { headMs: plan.headMs * 20, bodyMs: plan.bodyMs * 20 };
    case "refusals":
      return { end: "refuse", reused: false, connectMs: draw.oneOf([0, 0.125, 5]) };
    case "partition":
      return {};
  }
}

/** One attempt on its way. */
class SimConnection {
  readonly attempt: Attempt;
  readonly exchange: SimExchange;
  /** That it was picked from; the call may go on to another one. */
  readonly cluster: string;
  readonly #network: SimNetwork;
  readonly #endpoint: SimEndpoint;
  #timer: { cancel(): void } | undefined;
  #closed = false;

  constructor(network: SimNetwork, exchange: SimExchange, attempt: Attempt, endpoint: SimEndpoint) {
    this.#network = network;
    this.exchange = exchange;
    this.attempt = attempt;
    this.#endpoint = endpoint;
    this.cluster = attempt.call.cluster?.config.name ?? "";
    attempt.abort = () => this.#cancel(); // even before it stands
  }

  run(plan: Plan): void {
    if (plan.connectMs > 0 || this.#cutOff() !== undefined) return this.#connect(plan, this.#network.world.now);
    this.#connected(plan);
  }

  #connect(plan: Plan, since: number): void {
    const { connectTimeoutMs } = this.attempt.call.cluster!.config.policy.connection; // it was picked from it
    this.#after(plan.connectMs, () => {
      const until = this.#cutOff();
      if (until === undefined) return this.#connected(plan);
      const { now } = this.#network.world;
      const givesUpAt = since + connectTimeoutMs;
      // SYNs are lost: somebody's timer says so, or the way is free again before.
      if (until < givesUpAt) return this.#after(until - now, () => this.#connected(plan));
      this.#after(Math.max(0, givesUpAt - now), () => this.#fails("UND_ERR_CONNECT_TIMEOUT"));
    });
  }

  #connected(plan: Plan): void {
    if (plan.end === "refuse") return this.#fails("ECONNREFUSED");
    this.attempt.started(plan.reused, () => this.#cancel());
    if (this.#closed) return;
    this.#network.written += 1;
    if (plan.end === "stale") return this.#fails("ECONNRESET");
    const { now } = this.#network.world;
    if (plan.end === "hang") return this.#after(Math.max(0, plan.until - now), () => this.#fails("ECONNRESET"));
    this.#after(plan.headMs, () => this.#reaches(() => this.#answer(plan)));
  }

  #answer({ end, status, headers, bodyMs }: Plan): void {
    if (end === "reset") return this.#fails("ECONNRESET");
    const header: HeaderReader = (name) => headers[name];
    const { attempt, exchange } = this;
    const network = this.#network;
    if ("x-inmesh-not-processed" in headers) network.unprocessed.add(attempt);
    const passedOn = attempt.head(status, header);
    if (!passedOn) {
      network.world.note(`${exchange.name} attempt ${attempt.number} is answered ${status}, which nobody gets`);
      this.#close();
      return network.listener.reported(exchange, attempt);
    }
    exchange.head(status);
    this.#after(bodyMs, () =>
      this.#reaches(() => {
        if (end === "cut") return this.#fails("ECONNRESET");
        this.#close();
        exchange.end();
        attempt.complete();
        network.listener.reported(exchange, attempt);
      }),
    );
  }

  #fails(code: string): void {
    this.#network.world.note(`${this.exchange.name} attempt ${this.attempt.number} fails: ${code}`);
    this.#close();
    this.attempt.fail(Object.assign(new Error(`${code} ${this.#endpoint.id}`), { code }));
    this.#network.listener.reported(this.exchange, this.attempt);
  }

  /** What is lost on the way is sent again once there is one. */
  #reaches(act: () => void): void {
    const until = this.#cutOff();
    if (until === undefined) return act();
    this.#after(until - this.#network.world.now, act);
  }

  /** When the partition that cuts the endpoint off ends; undefined where none does. */
  #cutOff(): number | undefined {
    let until: number | undefined;
    for (const fault of this.#endpoint.faults) {
      if (fault.kind === "partition" && fault.until > this.#network.world.now)
        until = Math.max(until ?? 0, fault.until);
    }
    return until;
  }

  /** At once for 0 ms: an answer may arrive before `send` returns. */
  #after(ms: number, act: () => void): void {
    if (this.#closed) return;
    if (ms === 0) return act();
    this.#timer = this.#network.world.arrives(ms, act);
  }

  #cancel(): void {
    if (this.#closed) return;
    this.#network.world.note(`${this.exchange.name} attempt ${this.attempt.number} is cancelled`);
    this.#close();
  }

  #close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#network.open.delete(this);
    this.#network.listener.freed(this.attempt);
  }
}

export type { SimConnection };
