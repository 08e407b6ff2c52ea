/** Where a request is addressed to, and whether that is the mesh's business. Parsed once per origin, kept in a bounded map. */

import { withoutBrackets } from "../security/client-address.js";
import type { Engine } from "./engine.js";

/** `refuse` goes through the engine too, which says why. */
export type Verdict = "mesh" | "pass" | "refuse";

export class Origin {
  /** `http` or `https`. */
  readonly scheme: string;
  /** Lower-case, without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** As a Host header says it: the port is left out where the scheme implies it. */
  readonly authority: string;
  readonly loopback: boolean;
  /** Snapshot version for which `verdict` holds; the snapshot itself would be kept alive by an origin no longer used. */
  judgedAt = -1;
  verdict: Verdict = "pass";
  /** There was a connection when it was asked last: node:http then tells of none being made. */
  connected = false;
  /** Mode `observe`: it is passed on, and policy would have something to say. */
  rehearsed = false;

  constructor({ protocol, hostname, port, host }: URL) {
    this.scheme = protocol.slice(0, -1);
    this.host = withoutBrackets(hostname);
    this.port = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
    this.authority = host;
    this.loopback = isLoopback(this.host);
  }
}

/** Origins may come from users' input: the map is emptied when it is full (pitfalls B8). */
const MOST = 1_024;

export class Origins {
  readonly #engine: Engine;
  readonly #known = new Map<string, Origin | null>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @returns undefined for what is no http origin at all */
  get(origin: string | URL): Origin | undefined {
    const key = typeof origin === "string" ? origin : origin.origin;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = parse(key);
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(key, known);
    }
    return known ?? undefined;
  }

  judge(origin: Origin): Verdict {
    const engine = this.#engine;
    const snapshot = engine.store.current;
    // The registry itself is often on loopback; nothing there waits for the first snapshot.
    if (snapshot === undefined) {
      return origin.loopback || engine.excludes(origin.host, origin.port) ? "pass" : "mesh";
    }
    if (origin.judgedAt !== snapshot.version) {
      const known = engine.lookup(origin.host, origin.port) !== undefined;
      if (engine.excludes(origin.host, origin.port)) origin.verdict = "pass";
      else
        origin.verdict = known
          ? "mesh"
          : !origin.loopback && engine.refuses(origin.host, origin.port)
            ? "refuse"
            : "pass";
      origin.rehearsed = origin.verdict === "pass" && !origin.loopback && isRehearsed(engine, origin);
      origin.judgedAt = snapshot.version;
    }
    return origin.verdict;
  }
}

function isRehearsed({ excludes, rehearsal }: Engine, { host, port }: Origin): boolean {
  return !excludes(host, port) && rehearsal.covers(host, port);
}

/** RFC 6761 §6.3, RFC 1122 §3.2.1.3. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function parse(origin: string): Origin | null {
  if (!URL.canParse(origin)) return null;
  const url = new URL(origin);
  return url.protocol === "http:" || url.protocol === "https:" ? new Origin(url) : null;
}
