/** What the chaos says to the programs it starts, and what they answer. One message of IPC each. */

/** How a backend answers from now on, or one request asks to be answered (header `x-chaos`). */
export type FaultKind =
  /** 503 before anything was carried out. */
  | "error"
  /** Carried out, head and half of the body sent, then a TCP reset. */
  | "reset-after-headers"
  /** Carried out, then a head that comes a byte at a time. */
  | "slow-head"
  /** Carried out, the head at once, the body a byte at a time. */
  | "slow-body"
  /** The event loop stands still before the answer. */
  | "stall";

export interface Fault {
  readonly kind: FaultKind;
  /** Share of the requests, 0–1. */
  readonly ratio: number;
  /** Only the backend of this number; absent: all of them. */
  readonly at?: number;
}

export type ToBackend =
  /** Connections stay, nothing is read or answered any more, and nobody new is let in: what a peer looks like whose machine is gone. */
  | { readonly type: "half-open" }
  /** One request takes so long, in ms, from now on. */
  | { readonly type: "work-ms"; readonly ms: number }
  /** Forgets what was cached. */
  | { readonly type: "forget" }
  /** Asks how late the event loop came since this was asked last, or since its first connection. */
  | { readonly type: "lateness" };

export type FromBackend =
  | { readonly type: "listening"; readonly port: number }
  /** With how many connections were handed to the application since: their handshakes are over. */
  | ({ readonly type: "lateness"; readonly connections: number } & Lateness);

/** Of an event loop, in ms. */
export interface Lateness {
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the part for which the process itself was at work. */
  readonly ownP99Ms: number;
  readonly ownMaxMs: number;
}

/** To a process that is many callers. */
export type ToCrowd = { readonly type: "finish" };

export type FromCrowd =
  /** Each of them has been answered once. */
  | { readonly type: "ready" }
  | {
      readonly type: "ended";
      readonly sent: number;
      /** By reason. */
      readonly failures: Readonly<Record<string, number>>;
    };

export interface Load {
  /** First part of the ids of its requests, unique in a run. */
  readonly name: string;
  readonly perSecond: number;
  readonly seconds: number;
  /** Share of plain POSTs, and of POSTs with an Idempotency-Key, 0–1; the rest are GETs. */
  readonly posts: number;
  readonly keyedPosts: number;
  readonly fault?: Fault;
  /** What each request asks for: one of so many things. Absent: each its own. */
  readonly things?: number;
  /** The caller stands still for so long, in ms, again and again. */
  readonly stallMs?: number;
}

export type ClientKind = "mesh" | "agent" | "opossum" | "cockatiel" | "retry-agent";

export type ToCaller = RunLoad | FinishLoad;

/** The load sends nothing more; what it sent is waited for. */
export interface FinishLoad {
  readonly type: "finish";
  readonly load: string;
}

export interface RunLoad {
  readonly type: "run";
  readonly client: ClientKind;
  readonly load: Load;
  /** For clients that have no mesh. */
  readonly origins: readonly string[];
}

export type Method = "GET" | "POST" | "POST+key";

export interface Outcome {
  readonly id: string;
  readonly method: Method;
  /** When it was sent, in ms since the load began. */
  readonly at: number;
  readonly ms: number;
  /** 0: no answer. */
  readonly status: number;
  /** The whole answer was read, and it is the one for this id. */
  readonly ok: boolean;
  /** Of a failure: the mesh's code, else the error's; `status 503` for an answer of the backend. */
  readonly reason: string;
}

export type FromCaller =
  | { readonly type: "ready" }
  /** A mesh for a load is there. */
  | { readonly type: "mesh"; readonly load: string; readonly adminUrl: string }
  | {
      readonly type: "outcomes";
      readonly load: string;
      readonly outcomes: readonly Outcome[];
      /** The longest time that its event loop stood still without being asked to, in ms. */
      readonly lateMs: number;
    };
