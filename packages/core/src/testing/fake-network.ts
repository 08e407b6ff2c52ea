/** A transport without sockets: endpoints follow scripts, time is the fake clock's, chance the seed's. */

import type { Attempt, HeaderReader } from "../call/attempt.js";
import type { Exchange, LocalReply, MirrorExchange } from "../call/exchange.js";
import type { BodyLoss } from "../mirror/mirror-tally.js";
import type { Clock, Timer } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import { answers, type Behaviour, type Script } from "./behaviour.js";

export class FakeNetwork {
  readonly clock: Clock;
  readonly random: Random;
  /** Every attempt that was written, in order: what the endpoints saw. */
  readonly written: Attempt[] = [];
  /** Attempts handed over and neither ended nor cancelled: connections in use. */
  open = 0;
  readonly #scripts = new Map<string, Script>();
  #otherwise: Script = () => answers();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.clock = clock;
    this.random = random;
  }

  /** @param id `address:port`, or `*` for every endpoint without a script of its own. @default all answer 200 after 1 ms */
  script(id: string, script: Script | Behaviour): this {
    const chosen = typeof script === "function" ? script : () => script;
    if (id === "*") this.#otherwise = chosen;
    else this.#scripts.set(id, chosen);
    return this;
  }

  /** @param replayable whether the request body can be sent twice. @default true */
  exchange({ replayable = true }: { readonly replayable?: boolean } = {}): FakeExchange {
    return new FakeExchange(this, replayable);
  }

  /** How often an endpoint was written to. */
  seen(id: string): number {
    return this.written.filter(({ endpoint }) => endpoint.endpoint.id === id).length;
  }

  choose(attempt: Attempt): Behaviour {
    return (this.#scripts.get(attempt.endpoint.endpoint.id) ?? this.#otherwise)(attempt, this.random);
  }
}

/** What the caller of one call gets to hear. */
export class FakeExchange implements Exchange {
  readonly attempts: Attempt[] = [];
  /** `head 200`, `end`, `reply 301`, `fail TIMEOUT`, `passThrough`, in order. */
  readonly events: string[] = [];
  /** Status that the caller got; 0 for none. */
  status = 0;
  error: unknown = undefined;
  localReply: LocalReply | undefined = undefined;
  /** Copies that were asked for. */
  readonly mirrors: FakeMirror[] = [];
  readonly #network: FakeNetwork;
  readonly #replayable: boolean;

  constructor(network: FakeNetwork, replayable: boolean) {
    this.#network = network;
    this.#replayable = replayable;
  }

  send(attempt: Attempt): void {
    this.attempts.push(attempt);
    new FakeConnection(this.#network, this, attempt).run(this.#network.choose(attempt));
  }

  canReplay(): boolean {
    return this.#replayable;
  }

  canHedge(): boolean {
    return this.#replayable;
  }

  /** The body is at hand where it can be sent twice, else the test says when it is. */
  mirror(): FakeMirror {
    const copy = new FakeMirror(this.#network, this.#replayable);
    this.mirrors.push(copy);
    return copy;
  }

  passThrough(): void {
    this.events.push("passThrough");
  }

  reply(reply: LocalReply): void {
    this.localReply = reply;
    this.status = reply.status;
    this.events.push(`reply ${reply.status}`);
  }

  fail(error: unknown): void {
    this.error = error;
    const { code, name } = error as { code?: string; name?: string };
    this.events.push(`fail ${code ?? name}`);
  }
}

/** The copy of a call's request. */
export class FakeMirror extends FakeExchange implements MirrorExchange {
  readonly bytes = 1_000;
  /** Says that the body is there, or why not. Undefined until somebody asked, or once it was said. */
  finish: ((loss: BodyLoss | undefined) => void) | undefined;
  readonly #atHand: boolean;

  constructor(network: FakeNetwork, atHand: boolean) {
    super(network, true);
    this.#atHand = atHand;
  }

  override canHedge(): boolean {
    return false;
  }

  whole(then: (loss: BodyLoss | undefined) => void): void {
    if (this.#atHand) return then(undefined);
    this.finish = (loss) => {
      this.finish = undefined;
      then(loss);
    };
  }
}

/** One attempt on its way. */
class FakeConnection {
  readonly #network: FakeNetwork;
  readonly #exchange: FakeExchange;
  readonly #attempt: Attempt;
  #timer: Timer | undefined;
  #open = true;

  constructor(network: FakeNetwork, exchange: FakeExchange, attempt: Attempt) {
    this.#network = network;
    this.#exchange = exchange;
    this.#attempt = attempt;
    network.open += 1;
    attempt.abort = () => this.#close(); // even while it is queued
  }

  run(behaviour: Behaviour): void {
    const attempt = this.#attempt;
    switch (behaviour.kind) {
      case "queue":
        return;
      case "refuse":
        return this.#after(behaviour.afterMs, () => {
          this.#close();
          attempt.fail(networkError(behaviour.code, `connect ${behaviour.code} ${attempt.endpoint.endpoint.id}`));
        });
      case "silent":
        return this.#write(false);
      case "reset":
        this.#write(behaviour.reused);
        return this.#after(behaviour.afterMs, () => {
          this.#close();
          attempt.fail(networkError("ECONNRESET", "read ECONNRESET"));
        });
      case "answer":
        this.#write(false);
        return this.#after(behaviour.afterMs, () => this.#answer(behaviour));
    }
  }

  #answer({ status, headers, bodyMs, cut }: Extract<Behaviour, { kind: "answer" }>): void {
    const header: HeaderReader = (name) => headers[name];
    if (!this.#attempt.head(status, header)) return this.#close();
    this.#exchange.status = status;
    this.#exchange.events.push(`head ${status}`);
    this.#after(bodyMs, () => {
      this.#close();
      if (cut) return this.#attempt.fail(networkError("ECONNRESET", "aborted"));
      this.#exchange.events.push("end");
      this.#attempt.complete();
    });
  }

  #write(reused: boolean): void {
    this.#attempt.started(reused, () => this.#close());
    if (this.#open) this.#network.written.push(this.#attempt);
  }

  /** At once for 0 ms: an answer may arrive before `send` returns. */
  #after(ms: number, fn: () => void): void {
    if (!this.#open) return;
    if (ms === 0) return fn();
    this.#timer = this.#network.clock.after(ms, fn);
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#network.open -= 1;
    this.#timer?.cancel();
  }
}

function networkError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
