/**
 * The session that a request belongs to: where it is to go, and what its caller is told. A mark names an endpoint of one
 * cluster by a hash, so that it shows no address and leads nowhere but to endpoints of the rule's own destinations. It says
 * when the session began and when it was last used, in seconds, where the rule limits that: what a caller claims there
 * concerns nobody else.
 */

import { createHash } from "node:crypto";
import type { Destination, HeaderOps, SessionPolicy } from "@inmesh/model";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Call } from "./call.js";

/** 96 bits in base64url. */
const ID_LENGTH = 16;
const MARK = /^([\w-]{16})(?:\.([0-9a-z]{1,9})\.([0-9a-z]{1,9}))?$/;
const RADIX = 36;

export interface SessionMark {
  readonly id: string;
  /** Wall time in s; 0 where the rule has no limit of time. */
  readonly began: number;
  readonly used: number;
}

export class CallSession {
  readonly #policy: SessionPolicy;
  readonly #nowS: number;
  readonly #brought: SessionMark | undefined;
  readonly #endpoints: MarkedEndpoints;
  /** Where the endpoint of the session is; undefined for a new session, and when it is gone. */
  readonly destination: Destination | undefined;

  /**
   * @param brought by the request, and not over
   * @param clusterOf of one of the rule's destinations
   */
  constructor(
    policy: SessionPolicy,
    brought: SessionMark | undefined,
    nowS: number,
    endpoints: MarkedEndpoints,
    destinations: readonly Destination[],
    clusterOf: (destination: Destination) => ClusterRuntime | undefined,
  ) {
    this.#policy = policy;
    this.#nowS = nowS;
    this.#brought = brought;
    this.#endpoints = endpoints;
    this.destination =
      brought &&
      destinations.find((destination) => {
        const cluster = clusterOf(destination);
        return cluster !== undefined && this.endpointIn(cluster) !== undefined;
      });
  }

  /** Where the session goes as long as that endpoint is well. Asked again at each attempt: instances may have come meanwhile. */
  endpointIn(cluster: ClusterRuntime): EndpointState | undefined {
    return this.#brought && this.#endpoints.of(cluster).get(this.#brought.id);
  }

  /** For the caller: undefined when its own is still right, and for an answer that no endpoint gave. */
  mark({ attempt, cluster }: Pick<Call, "attempt" | "cluster">): HeaderOps | undefined {
    if (attempt === undefined || cluster === undefined || attempt.status === 0) return undefined;
    const id = endpointMark(cluster.config.name, attempt.endpoint);
    const { idleMs, absoluteMs } = this.#policy;
    const same = this.#brought?.id === id;
    if (same && idleMs === 0) return undefined;
    const began = same ? this.#brought.began : this.#nowS;
    const timed = idleMs > 0 || absoluteMs > 0;
    const value = timed ? `${id}.${began.toString(RADIX)}.${this.#nowS.toString(RADIX)}` : id;
    if (this.#policy.kind === "header") return { remove: [], set: [[this.#policy.name, value]], add: [] };
    // Percent signs double: the path may have some, and the value is text, not a format.
    const line = this.#cookie(value, began).replaceAll("%", "%%");
    return { remove: [], set: [], add: [["set-cookie", line]] };
  }

  #cookie(value: string, began: number): string {
    const { name, path, permanent, absoluteMs } = this.#policy;
    const left = began + Math.ceil(absoluteMs / 1_000) - this.#nowS;
    return [`${name}=${value}`, ...(permanent ? [`Max-Age=${left}`] : []), `Path=${path}`, "HttpOnly"].join("; ");
  }
}

/** Endpoints of clusters by their marks: made once per list of endpoints, whatever its length. */
export class MarkedEndpoints {
  readonly #byList = new WeakMap<readonly EndpointState[], ReadonlyMap<string, EndpointState>>();

  of({ states, config }: ClusterRuntime): ReadonlyMap<string, EndpointState> {
    const known = this.#byList.get(states);
    if (known !== undefined) return known;
    const made = new Map(states.map((state) => [endpointMark(config.name, state), state]));
    this.#byList.set(states, made);
    return made;
  }
}

/** Undefined for what is no mark, and for a session that is over. */
export function readMark(text: string, { absoluteMs, idleMs }: SessionPolicy, nowS: number): SessionMark | undefined {
  const [, id, began = "", used = ""] = MARK.exec(text) ?? [];
  if (id === undefined) return undefined;
  const mark = { id, began: secondsOf(began), used: secondsOf(used) };
  const isOver = (since: number, limitMs: number): boolean => limitMs > 0 && nowS - since >= limitMs / 1_000;
  return isOver(mark.began, absoluteMs) || isOver(mark.used, idleMs) ? undefined : mark;
}

/** A state is one cluster's, and its address never changes: hashed once, not at every answer. */
const MARKS = new WeakMap<EndpointState, string>();

/** Of an endpoint as it stands in marks: the same in every process. */
function endpointMark(cluster: string, state: EndpointState): string {
  let mark = MARKS.get(state);
  if (mark === undefined) {
    const hash = createHash("sha256").update(`${cluster}\0${state.endpoint.id}`);
    mark = hash.digest("base64url").slice(0, ID_LENGTH);
    MARKS.set(state, mark);
  }
  return mark;
}

function secondsOf(text: string): number {
  return text === "" ? 0 : Number.parseInt(text, RADIX);
}
