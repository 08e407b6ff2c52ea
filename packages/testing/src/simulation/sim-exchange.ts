/** The caller's half of a call, or of its copy: keeps everything it hears, sensible or not. */

import type { Attempt, Call, Exchange, LocalReply, MirrorExchange } from "@inmesh/core";
import { MeshError } from "@inmesh/core";
import type { SimNetwork } from "./sim-network.js";

/** What a caller can hear. A head is followed by an end or a failure, everything else is the last word. */
export type Word = "head" | "end" | "reply" | "fail" | "passThrough";

export interface SimExchangeOptions {
  /** For the trace: `call 7`. */
  readonly name: string;
  readonly network: SimNetwork;
  /** Whether its request body can be sent twice. */
  readonly replayable: boolean;
}

export class SimExchange implements Exchange {
  readonly name: string;
  readonly network: SimNetwork;
  readonly replayable: boolean;
  readonly heard: Word[] = [];
  /** Handed over to be sent. */
  readonly sends: Attempt[] = [];
  /** Status of the answer that was heard of; 0 for none. */
  status = 0;
  /** Code of the error it ended with. */
  code = "";
  /** Clock ms of the last word; NaN before. */
  endedAt = Number.NaN;
  call: Call | undefined = undefined;
  /** Once it has heard the last word. */
  onOver: () => void = () => {};

  constructor({ name, network, replayable }: SimExchangeOptions) {
    this.name = name;
    this.network = network;
    this.replayable = replayable;
  }

  /** Has heard the last word. */
  get over(): boolean {
    return !Number.isNaN(this.endedAt);
  }

  send(attempt: Attempt): void {
    this.call = attempt.call;
    this.sends.push(attempt);
    this.network.send(this, attempt);
  }

  canReplay(): boolean {
    return this.replayable;
  }

  canHedge(): boolean {
    return this.replayable;
  }

  mirror(): MirrorExchange | undefined {
    return this.network.copy(this);
  }

  passThrough(): void {
    this.#hear("passThrough", "");
  }

  reply({ status }: LocalReply): void {
    this.status = status;
    this.#hear("reply", ` ${status}`);
  }

  fail(error: unknown): void {
    this.code = error instanceof MeshError ? error.code : (error as Error).name;
    this.#hear("fail", ` ${this.code}`);
  }

  /** Its transport passes the beginning of an answer on. */
  head(status: number): void {
    this.status = status;
    this.#hear("head", ` ${status}`);
  }

  /** And its end. */
  end(): void {
    this.#hear("end", "");
  }

  #hear(word: Word, detail: string): void {
    const { world, listener } = this.network;
    this.heard.push(word);
    world.note(`${this.name} hears ${word}${detail}`);
    const last = word !== "head" && !this.over;
    if (last) this.endedAt = world.now;
    listener.heard(this, word);
    if (last) this.onOver();
  }
}

/** The copy of a call's request. Its body is there at once, later, or never. */
export class SimMirror extends SimExchange implements MirrorExchange {
  readonly bytes = 1_000;
  readonly #readyMs: number | undefined;

  /** @param readyMs until its body is whole; undefined: that never happens */
  constructor(options: SimExchangeOptions, readyMs: number | undefined) {
    super(options);
    this.#readyMs = readyMs;
  }

  override canHedge(): boolean {
    return false;
  }

  whole(then: Parameters<MirrorExchange["whole"]>[0]): void {
    const loss = this.#readyMs === undefined ? "bodyIncomplete" : undefined;
    const ms = this.#readyMs ?? 5;
    if (ms === 0) return then(loss);
    this.network.world.later(ms, () => then(loss));
  }
}
