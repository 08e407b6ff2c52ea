/**
 * Connections of one kind of client to one endpoint: one, and more only while calls would wait for streams on it, as far as
 * `maxConnections` allows (Envoy's pool of HTTP/2 grows likewise). An endpoint may always have one. Beyond that calls wait here for
 * a stream, as many as `http1MaxPendingRequests` allows.
 */

import type { Attempt, Clock, MeshError, Timer } from "@inmesh/core";
import { type ClusterLimits, WaitingLine } from "@inmesh/core/internal";
import type { EndpointChannel } from "./endpoint-channel.js";

/** A connection beyond the first that nobody uses is closed after this, where policy says nothing. In ms. */
const SPARE_IDLE_MS = 60_000;
/** After one beyond the first could not be made no further one is tried for so long, in ms. */
const PAUSE_MS = 5_000;

/** A call for which no connection has room. */
export interface WaitingCall {
  readonly attempt: Attempt;
  /** Calls at once on a connection, by policy. */
  readonly most: number;
  /** It waits no longer, and is counted there. */
  placed(channel: EndpointChannel): void;
}

export interface EndpointConnectionsOptions {
  readonly open: () => EndpointChannel;
  readonly limits: ClusterLimits;
  readonly clock: Clock;
  /** Of policy, in ms; 0 where it says none. */
  readonly idleMs: number;
}

export class EndpointConnections {
  readonly #options: EndpointConnectionsOptions;
  /** The oldest first. */
  #channels: EndpointChannel[];
  readonly #idle = new Map<EndpointChannel, Timer>();
  readonly #waiting = new WaitingLine<WaitingCall>();
  /** Calls that the server takes on one connection, as the last one that stood had it. */
  #most = Number.POSITIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EndpointConnectionsOptions) {
    this.#options = options;
    this.#channels = [options.open()];
  }

  /** What all of them were made by. */
  get first(): EndpointChannel | undefined {
    this.#tidy();
    return this.#channels[0];
  }

  get size(): number {
    return this.#channels.length;
  }

  /**
   * Where a call goes, which is counted there until `left`.
   * @param most calls at once on a connection, by policy
   * @returns undefined: none has room, and no further one may be opened; the call may `wait`
   */
  enter(most: number): EndpointChannel | undefined {
    const [only] = this.#channels;
    // The usual case: one connection with room.
    if (this.#channels.length === 1 && !only!.closed && only!.streams < Math.min(most, this.#mostOf(only!))) {
      only!.streams += 1;
      return only!;
    }
    const channel = this.#choose(most);
    if (channel === undefined) return undefined;
    channel.streams += 1;
    this.#idle.get(channel)?.cancel();
    this.#idle.delete(channel);
    return channel;
  }

  /** Until it is placed, or gives up. @returns why it may not, counted */
  wait(call: WaitingCall): MeshError | undefined {
    const { limits } = this.#options;
    const { attempt } = call;
    if (limits.pending >= limits.maxPending) {
      return limits.overflow("pending", attempt.call, attempt.call.cluster!.config); // an attempt has an endpoint, so its call has a cluster
    }
    if (limits.connections >= limits.maxConnections) limits.overflows.connections += 1; // as Envoy counts it
    limits.wait(attempt);
    this.#waiting.add(call);
    return undefined;
  }

  giveUp(call: WaitingCall): void {
    this.#waiting.delete(call);
  }

  /** @param begun it had a stream there */
  left(channel: EndpointChannel, begun: boolean): void {
    channel.streams -= 1;
    if (begun) channel.begun -= 1;
    if (this.#waiting.size > 0) this.#serve();
    if (channel.streams > 0 || channel.closed || this.#channels.length < 2) return;
    const { clock, idleMs } = this.#options;
    const timer = clock.after(idleMs || SPARE_IDLE_MS, () => {
      if (channel.streams === 0 && this.#channels.length > 1) this.#drop(channel);
    });
    this.#idle.get(channel)?.cancel();
    this.#idle.set(channel, timer);
  }

  /** It stands now, and it is known what it carries. @returns whether a call that waited for it has to go elsewhere */
  isCrowded(channel: EndpointChannel, most: number): boolean {
    return channel.begun >= Math.min(most, this.#mostOf(channel));
  }

  /** A connection that calls waited for cannot be made. @returns whether another one stands, which they may enter */
  isSpare(failed: EndpointChannel): boolean {
    if (!this.#channels.some((each) => each !== failed && !each.closed && each.ready)) return false;
    this.#triedAt = this.#options.clock.now();
    this.#drop(failed);
    return true;
  }

  /** Calls that have begun finish, and so do those that wait: they have HTTP/2's own queue. */
  close(): void {
    this.#tidy();
    const open = leastUsed(this.#channels);
    while (open !== undefined && this.#waiting.size > 0) this.#place(leastUsed(this.#channels) ?? open);
    for (const timer of this.#idle.values()) timer.cancel();
    this.#idle.clear();
    for (const channel of this.#channels) channel.close();
    this.#channels = [];
  }

  /** Whoever has waited longest comes first. */
  #serve(): void {
    for (let { first } = this.#waiting; first !== undefined; { first } = this.#waiting) {
      const channel = this.enter(first.most);
      if (channel === undefined) return;
      channel.streams -= 1;
      this.#place(channel);
    }
  }

  #place(channel: EndpointChannel): void {
    const call = this.#waiting.shift();
    if (call === undefined || call.attempt.phase === "settled") return;
    channel.streams += 1;
    this.#options.limits.resume(call.attempt);
    call.placed(channel);
  }

  #choose(most: number): EndpointChannel | undefined {
    this.#tidy();
    const roomy = this.#channels.filter((each) => each.streams < Math.min(most, this.#mostOf(each)));
    const known = roomy.find(({ ready }) => ready) ?? roomy[0];
    if (known !== undefined) return known;
    if (this.#channels.length > 0 && !this.#mayOpen(most)) return undefined;
    const made = this.#options.open();
    this.#channels.push(made);
    return made;
  }

  /** Or another that is on its way has room. */
  #mayOpen(most: number): boolean {
    const { limits, clock } = this.#options;
    if (this.#channels.some((each) => !each.ready && !each.closed && each.streams < Math.min(most, this.#most)))
      return true;
    return limits.connections < limits.maxConnections && clock.now() - this.#triedAt >= PAUSE_MS;
  }

  #mostOf(channel: EndpointChannel): number {
    const most = channel.mostStreams;
    if (most !== undefined) this.#most = most;
    return Math.max(1, most ?? this.#most); // who takes none for the moment has calls wait in HTTP/2's queue
  }

  #drop(channel: EndpointChannel): void {
    this.#idle.get(channel)?.cancel();
    this.#idle.delete(channel);
    this.#channels = this.#channels.filter((each) => each !== channel);
    channel.close();
  }

  #tidy(): void {
    if (this.#channels.some(({ closed }) => closed)) this.#channels = this.#channels.filter(({ closed }) => !closed);
  }
}

function leastUsed(channels: readonly EndpointChannel[]): EndpointChannel | undefined {
  return channels.reduce<EndpointChannel | undefined>(
    (best, each) => (best === undefined || each.streams < best.streams ? each : best),
    undefined,
  );
}
