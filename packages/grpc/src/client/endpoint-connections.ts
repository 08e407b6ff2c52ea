/**
 * Connections of one kind of client to one endpoint: one, and more only while calls would wait for streams on it, as far as
 * `maxConnections` allows (Envoy's pool of HTTP/2 grows likewise). An endpoint may always have one.
 */

import type { Clock, Timer } from "@inmesh/core";
import type { ClusterLimits } from "@inmesh/core/internal";
import type { EndpointChannel } from "./endpoint-channel.js";

/** A connection beyond the first that nobody uses is closed after this, where policy says nothing. In ms. */
const SPARE_IDLE_MS = 60_000;
/** After one beyond the first could not be made no further one is tried for so long, in ms. */
const PAUSE_MS = 5_000;

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

  /** Where a call goes, which is counted there until `left`. @param most calls at once on a connection, by policy */
  enter(most: number): EndpointChannel {
    const [only] = this.#channels;
    // The usual case: one connection with room.
    if (this.#channels.length === 1 && !only!.closed && only!.streams < Math.min(most, this.#mostOf(only!))) {
      only!.streams += 1;
      return only!;
    }
    const channel = this.#choose(most);
    channel.streams += 1;
    this.#idle.get(channel)?.cancel();
    this.#idle.delete(channel);
    return channel;
  }

  left(channel: EndpointChannel): void {
    channel.streams -= 1;
    if (channel.streams > 0 || channel.closed || this.#channels.length < 2) return;
    const { clock, idleMs } = this.#options;
    const timer = clock.after(idleMs || SPARE_IDLE_MS, () => {
      if (channel.streams === 0 && this.#channels.length > 1) this.#drop(channel);
    });
    this.#idle.get(channel)?.cancel();
    this.#idle.set(channel, timer);
  }

  /** It stands now, and it is known what it carries. @returns whether a call that waited for it had better go elsewhere */
  isCrowded(channel: EndpointChannel, most: number): boolean {
    return channel.streams > Math.min(most, this.#mostOf(channel)) && this.#mayOpen(most);
  }

  /** One that stands, for calls that waited for a connection which cannot be made. */
  instead(failed: EndpointChannel): EndpointChannel | undefined {
    const other = leastUsed(this.#channels.filter((each) => each !== failed && !each.closed && each.ready));
    if (other === undefined) return undefined;
    this.#triedAt = this.#options.clock.now();
    this.#drop(failed);
    other.streams += 1;
    return other;
  }

  close(): void {
    for (const timer of this.#idle.values()) timer.cancel();
    this.#idle.clear();
    for (const channel of this.#channels) channel.close();
    this.#channels = [];
  }

  #choose(most: number): EndpointChannel {
    this.#tidy();
    const roomy = this.#channels.filter((each) => each.streams < Math.min(most, this.#mostOf(each)));
    const known = roomy.find(({ ready }) => ready) ?? roomy[0];
    if (known !== undefined) return known;
    if (this.#channels.length === 0 || this.#mayOpen(most)) {
      const made = this.#options.open();
      this.#channels.push(made);
      return made;
    }
    // It waits for a stream there: HTTP/2 has a queue of its own.
    return leastUsed(this.#channels.filter(({ ready }) => ready)) ?? this.#channels[0]!; // one at least, see above
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
    return most ?? this.#most;
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
