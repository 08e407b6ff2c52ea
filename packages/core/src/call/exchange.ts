/** The adapter's half of a call: HTTP clients today, gRPC on the same engine. */

import type { BodyLoss } from "../mirror/mirror-tally.js";
import type { Attempt } from "./attempt.js";

/** An answer made by the mesh itself. */
export interface LocalReply {
  readonly status: number;
  /** Flat `[name, value, …]`. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | undefined;
}

export interface Exchange {
  /**
   * Puts `attempt` on the wire towards `attempt.endpoint` with `attempt.headers`, the call's method, path and authority.
   * May be called again, for a retry, after the attempt before was settled. Reports through `attempt.started()`,
   * `head()`, `complete()` and `fail()`; after `head()` returned false it drains or cancels that answer and stays silent.
   */
  send(attempt: Attempt): void;
  /** Whether the request body can be sent once more from its beginning. */
  canReplay(): boolean;
  /** Whether it can be sent while an attempt is out, too. @default no */
  canHedge?(): boolean;
  /** The call waited for the first snapshot, which does not know the host: send it as if the mesh were not there. */
  passThrough(): void;
  /** The caller's answer, made here. Exactly one of reply, fail or a forwarded head per call. */
  reply(reply: LocalReply): void;
  /** The call ends without an answer, or in the middle of one: a MeshError, or the reason the caller aborted with. */
  fail(error: unknown): void;
  /** A copy of the request, asked for before its first attempt. Undefined, or no such method: it cannot be sent twice. */
  mirror?(): MirrorExchange | undefined;
}

/** The half of a call whose answer nobody gets: after `head()`, which returns false, only its draining is left to do. */
export interface MirrorExchange extends Exchange {
  /** Of the body, kept alive until the copy's call is over; at most, where it is not known yet. */
  readonly bytes: number;
  /** @param then told once, at once where the body is at hand: undefined, or why there is no whole body */
  whole(then: (loss: BodyLoss | undefined) => void): void;
}
