/**
 * Who called what on the servers of this process: what least privilege is written from (`inmesh authz suggest`). Costs two
 * look-ups per request, and grows no further than its bounds whatever callers send.
 */

import type { PeerIdentity } from "@inmesh/model";
import { withoutQuery } from "../call/without-query.js";
import type { Clock } from "../runtime/clock.js";
import { pathTemplate } from "./path-template.js";

export interface ObservedCallsView {
  readonly calls: readonly ObservedCall[];
  /** Requests of callers, methods or paths beyond the bounds: they are in no line. */
  readonly beyond: number;
}

export interface ObservedCall {
  /** Principal; empty: in plaintext. */
  readonly caller: string;
  readonly method: string;
  /** Without query, as the application sees it; `{*}` for a segment that names one of many. */
  readonly path: string;
  readonly count: number;
  /** Of those: access was denied. */
  readonly denied: number;
  /** Ms since the first and the last of them. */
  readonly firstAgoMs: number;
  readonly lastAgoMs: number;
}

interface Seen {
  count: number;
  denied: number;
  readonly firstAt: number;
  lastAt: number;
}

/** Paths as they came, until there are so many of one caller and method; then their templates are counted. */
const MOST_PATHS = 256;
const MOST_METHODS = 16;
const MOST_CALLERS = 256;
const LONGEST_PATH = 1_024;

export class ObservedCalls {
  readonly #clock: Clock;
  /** By principal, then method, then path. */
  readonly #callers = new Map<string, Map<string, Map<string, Seen>>>();
  /** Those that hold templates by now. */
  readonly #folded = new WeakSet<ReadonlyMap<string, Seen>>();
  #beyond = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param target with query, as the application sees it */
  add(peer: PeerIdentity | undefined, method: string, target: string, denied: boolean): void {
    const caller = peer === undefined ? "" : peer.principal;
    const paths = this.#paths(caller, method);
    const path = withoutQuery(target);
    const seen = paths?.get(path) ?? (paths && this.#first(paths, path));
    if (seen === undefined) {
      this.#beyond += 1;
      return;
    }
    seen.count += 1;
    if (denied) seen.denied += 1;
    seen.lastAt = this.#clock.now();
  }

  read(): ObservedCallsView {
    const now = this.#clock.now();
    const calls: ObservedCall[] = [];
    for (const [caller, methods] of this.#callers) {
      for (const [method, paths] of methods) {
        for (const [path, { count, denied, firstAt, lastAt }] of templated(paths)) {
          calls.push({ caller, method, path, count, denied, firstAgoMs: now - firstAt, lastAgoMs: now - lastAt });
        }
      }
    }
    return { calls, beyond: this.#beyond };
  }

  #paths(caller: string, method: string): Map<string, Seen> | undefined {
    const methods = this.#callers.get(caller) ?? this.#add(this.#callers, caller, MOST_CALLERS);
    return methods && (methods.get(method) ?? this.#add(methods, method, MOST_METHODS));
  }

  #add<Value>(map: Map<string, Map<string, Value>>, key: string, most: number): Map<string, Value> | undefined {
    if (map.size >= most) return undefined;
    const made = new Map<string, Value>();
    map.set(key, made);
    return made;
  }

  #first(paths: Map<string, Seen>, path: string): Seen | undefined {
    if (path.length > LONGEST_PATH) return undefined;
    const full = paths.size >= MOST_PATHS;
    if (full) this.#fold(paths);
    const key = full ? pathTemplate(path) : path;
    const known = paths.get(key);
    if (known !== undefined || paths.size >= MOST_PATHS) return known;
    const now = this.#clock.now();
    const seen = { count: 0, denied: 0, firstAt: now, lastAt: now };
    paths.set(key, seen);
    return seen;
  }

  /** Once: what was folded holds templates from then on. */
  #fold(paths: Map<string, Seen>): void {
    if (this.#folded.has(paths)) return;
    this.#folded.add(paths);
    const folded = templated(paths);
    paths.clear();
    for (const [template, seen] of folded) paths.set(template, seen);
  }
}

function templated(paths: ReadonlyMap<string, Seen>): Map<string, Seen> {
  const found = new Map<string, Seen>();
  for (const [path, seen] of paths) {
    const template = pathTemplate(path);
    const known = found.get(template);
    if (known === undefined) found.set(template, { ...seen });
    else {
      const { count, denied, firstAt, lastAt } = seen;
      found.set(template, {
        count: known.count + count,
        denied: known.denied + denied,
        firstAt: Math.min(known.firstAt, firstAt),
        lastAt: Math.max(known.lastAt, lastAt),
      });
    }
  }
  return found;
}
