/** What asks Consul again and again, whatever for. */

import type { Clock, Random } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import type { ConsulAnswer, ConsulClient, ConsulRequest } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";

export interface Watch {
  /** Whether it ever had a good answer. */
  readonly answered: boolean;
  /** Why the last question failed; undefined when it did not. */
  readonly failure: ConsulError | undefined;
  /** How long the server that answered last has not heard of its leader, in ms; undefined where it did not say. */
  readonly lagMs: number | undefined;
  start(): void;
  /**
   * The server answers again: waits no longer after a failure, and asks anew what is held since before `since`, in clock
   * ms, as it may be held by nobody.
   */
  renew(since: number): void;
  close(): void;
}

export interface WatchOptions {
  readonly client: Pick<ConsulClient, "ask" | "shown"> & Partial<Pick<ConsulClient, "holds">>;
  readonly clock: Clock;
  readonly random: Random;
  /** Below `/v1`, as `path` makes it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** A good answer. @returns whether it says anything new. @throws {ConsulError} when it is none, or not to be believed */
  readonly onAnswer: (answer: ConsulAnswer) => boolean | Promise<boolean>;
  /** After each answer and each failure: `failure` and `lagMs` are those of now. */
  readonly onSettled: () => void;
}

/** Absent where the server does not say: what streams has 0 and no known leader, always. */
export function lagOf({ headers }: ConsulAnswer): number | undefined {
  const lag = Number(headers["x-consul-lastcontact"] ?? Number.NaN);
  return headers["x-consul-query-backend"] === "streaming" || !Number.isFinite(lag) ? undefined : lag;
}

export function asConsulError(error: unknown, shown: string): ConsulError {
  if (error instanceof ConsulError) return error;
  const message = messageOf(error);
  return new ConsulError("garbled", `${shown}: the answer cannot be understood: ${message}`, { cause: error });
}

/** In ms: those that were told together to renew do it within it. */
export const SPREAD_MS = 500;

/** Stands for a question that was given up by us. */
export const WITHDRAWN = Symbol("withdrawn");

/**
 * One question with a limit by the clock; its connection keeps no process alive.
 * @throws {ConsulError}, or WITHDRAWN when `asking` was aborted
 */
export async function askWithin(
  limitMs: number,
  { client, clock }: Pick<WatchOptions, "client" | "clock">,
  request: Pick<ConsulRequest, "method" | "path" | "query" | "body">,
  asking: AbortController = new AbortController(),
): Promise<ConsulAnswer> {
  let late = false;
  const giveUp = clock.after(limitMs, () => {
    late = true;
    asking.abort();
  });
  try {
    return await client.ask({ ...request, timeoutMs: 0, signal: asking.signal, background: true });
  } catch (error) {
    if (late)
      throw new ConsulError("unreachable", `${client.shown} did not answer within ${Math.round(limitMs / 1_000)} s`);
    throw asking.signal.aborted ? WITHDRAWN : error;
  } finally {
    giveUp.cancel();
  }
}
