/**
 * What every server does, by the last segment of the path: whatever goes before it is there for rules to match. What
 * happened to a request is kept under its `key`, and told by the server's control port.
 */

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { Behaviour, Question, Reply } from "./server-kind.js";

/** What became of the requests with one key. */
export interface Seen {
  arrived: number;
  /** Whose caller went away before the answer was complete. */
  cut: number;
  /** Of request bodies, so far. */
  bytesIn: number;
  /** Of answers, taken from the source so far. */
  bytesOut: number;
}

interface Kept extends Seen {
  readonly released: Promise<void>;
  release(): void;
}

const CHUNK = Buffer.alloc(64 * 1024, "x");
const FLOOD_BYTES = 256 * 1024 * 1024;

export class Memory {
  readonly #kept = new Map<string, Kept>();

  get(key: string): Kept {
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      let release!: () => void;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      kept = { arrived: 0, cut: 0, bytesIn: 0, bytesOut: 0, released, release };
      this.#kept.set(key, kept);
    }
    return kept;
  }
}

type Ask = (url: string) => Promise<{ readonly status: number; text(): Promise<string> }>;

type Act = (
  question: Question,
  query: URLSearchParams,
  seen: Kept,
  version: string,
  ask: Ask,
) => Promise<Reply> | Reply;

export interface BehaviourOptions {
  readonly memory: Memory;
  /** Of the listener, told in each answer. */
  readonly version: string;
  /** Asks other services, as the application does. */
  readonly ask: Ask;
}

export function behaviour({ memory, version, ask }: BehaviourOptions): Behaviour {
  return async (question) => {
    const { pathname, searchParams } = new URL(question.request.url ?? "/", "http://self");
    const seen = memory.get(searchParams.get("key") ?? "");
    seen.arrived += 1;
    question.response.once("close", () => {
      if (!question.response.writableFinished) seen.cut += 1;
    });
    const act = ACTS[pathname.slice(pathname.lastIndexOf("/") + 1)] ?? notFound;
    let reply: Reply;
    try {
      reply = await act(question, searchParams, seen, version, ask);
    } catch (error) {
      if (question.request.destroyed) return never(); // its caller is gone, in the middle of its body
      throw error;
    }
    return { ...reply, headers: { "x-version": version, "x-pid": String(process.pid), ...reply.headers } };
  };
}

const ACTS: Readonly<Record<string, Act>> = {
  async echo(question, _query, seen, version) {
    const { method, url, headers, socket } = question.request;
    const hash = createHash("sha256");
    for await (const chunk of question.body) {
      seen.bytesIn += chunk.length;
      hash.update(chunk);
    }
    const attempt = seen.arrived;
    const port = socket.remotePort;
    return json({ method, url, headers, version, attempt, bytes: seen.bytesIn, sha256: hash.digest("hex"), port });
  },
  status: (_, query) => ({ status: Number(query.get("code")), headers: {} }),
  gzip: () => ({
    status: 200,
    headers: { "content-type": "text/plain", "content-encoding": "gzip" },
    body: gzipSync("a text that was packed"),
  }),
  big: (_, query) => ({ status: 200, headers: { "x-big": "b".repeat(Number(query.get("bytes"))) }, body: "big" }),
  /** Fails the first requests of the key. */
  async fail(question, query, seen, version, ask) {
    if (seen.arrived > Number(query.get("times"))) {
      seen.bytesIn = 0;
      return ACTS["echo"]!(question, query, seen, version, ask); // it is there
    }
    for await (const _ of question.body); // as a server that decides late
    return { status: Number(query.get("status") ?? 503), headers: {}, body: `failure ${seen.arrived}` };
  },
  /** Breaks the connection of the first requests of the key. */
  async reset(question, query, seen, version, ask) {
    if (seen.arrived > Number(query.get("times"))) return ACTS["echo"]!(question, query, seen, version, ask); // it is there
    question.request.socket.resetAndDestroy();
    return never();
  },
  async slow(question, query, seen, version, ask) {
    if (seen.arrived <= Number(query.get("times") ?? Number.POSITIVE_INFINITY)) await delay(Number(query.get("ms")));
    return ACTS["echo"]!(question, query, seen, version, ask); // it is there
  },
  hang: () => never(),
  /** Begins and never ends. */
  stall: () => stream(async () => never(), "begun "),
  /** The second half comes once somebody says so. */
  gate: (_question, _query, seen) =>
    stream(async (push) => void (await seen.released.then(() => push("second"))), "first "),
  flood(_question, _query, seen) {
    return stream(async (push) => {
      while (seen.bytesOut < FLOOD_BYTES) {
        seen.bytesOut += CHUNK.length;
        await push(CHUNK);
      }
    });
  },
  trailers: () => ({
    status: 200,
    headers: { trailer: "x-sum" },
    body: Readable.from(["with ", "trailers"].map((text) => Buffer.from(text))),
    trailers: { "x-sum": "42" },
  }),
  cut(question, query) {
    const length = query.get("how") === "length" ? { "content-length": "1000" } : undefined;
    const reply = stream(async () => {
      await delay(30); // so that what was written is on its way
      question.request.socket.destroy();
      return never();
    }, "cut short");
    return { ...reply, headers: { ...reply.headers, ...length } };
  },
  moved: ({ request }, query) => ({
    status: Number(query.get("code")),
    headers: { location: `http://${request.headers.host}/landed/echo?${query}` },
  }),
  /** Asks another service in the course of the request. */
  async chain(_, query, _seen, _version, ask) {
    const response = await ask(query.get("to") ?? "");
    return json({ status: response.status, body: await response.text() });
  },
};

function notFound(): Reply {
  return { status: 404, headers: {}, body: "no such act" };
}

function json(value: object): Reply {
  return { status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function never<Value>(): Promise<Value> {
  return new Promise(() => {});
}

/** An answer in pieces, at the pace of whoever sends it on. */
function stream(
  produce: (push: (chunk: string | Buffer) => Promise<void>) => Promise<unknown>,
  ...first: string[]
): Reply {
  let wants: (() => void) | undefined;
  let begun = false;
  const body: Readable = new Readable({
    highWaterMark: 64 * 1024,
    read() {
      wants?.();
      wants = undefined;
      if (!begun) void produce(push).then(() => body.push(null));
      begun = true;
    },
  });
  const push = (chunk: string | Buffer): Promise<void> =>
    new Promise((resolve) => {
      if (body.destroyed) return; // nobody is left to produce for
      if (body.push(chunk)) resolve();
      else wants = resolve;
    });
  for (const text of first) body.push(text);
  return { status: 200, headers: { "content-type": "application/octet-stream" }, body };
}
