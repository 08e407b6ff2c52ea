/** What the steps of a scenario work with: one client, one server, a key of their own. */

import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { Client, Incoming, Outgoing } from "./client/client.js";
import type { Seen } from "./server/behaviour.js";

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Outgoing["body"];
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** The body broke off; `text` is what came before. */
  readonly broken: boolean;
}

/** What `echo` tells of the request that reached it. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  readonly attempt: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly port: number;
}

export interface TrialOptions {
  readonly client: Client;
  /** `http://host`. */
  readonly base: string;
  /** Port that tells what the server saw. */
  readonly control: number;
}

export class Trial {
  readonly client: Client;
  readonly base: string;
  readonly host: string;
  readonly key: string = randomBytes(6).toString("hex");
  tallied: { readonly v1: number; readonly v2: number } | undefined = undefined;
  readonly #control: number;

  constructor({ client, base, control }: TrialOptions) {
    this.client = client;
    this.base = base;
    this.host = new URL(base).host;
    this.#control = control;
  }

  /** The head of the answer, its body still to be read. */
  open(path: string, { method = "GET", headers = {}, body, signal }: Ask = {}): Promise<Incoming> {
    const url = `${this.base}${path}${path.includes("?") ? "&" : "?"}key=${this.key}`;
    return this.client.call({ url, method, headers, body, signal });
  }

  async ask(path: string, options: Ask = {}): Promise<Answer> {
    const { status, headers, body, trailers } = await this.open(path, options);
    const chunks: Uint8Array[] = [];
    let broken = false;
    try {
      for await (const chunk of body) chunks.push(chunk);
    } catch {
      broken = true;
    }
    const bytes = Buffer.concat(chunks);
    const packed = headers["content-encoding"] === "gzip" && !this.client.decompresses;
    return { status, headers, text: String(packed ? gunzipSync(bytes) : bytes), trailers: trailers?.() ?? {}, broken };
  }

  async echo(path: string, options: Ask = {}): Promise<Echo & { readonly status: number }> {
    const { status, text } = await this.ask(path, options);
    if (status !== 200) throw new Error(`${status}: ${text}`);
    return { status, ...(JSON.parse(text) as Echo) };
  }

  /** What the server knows of this trial's requests. */
  async seen(): Promise<Seen> {
    return (await (await fetch(`http://127.0.0.1:${this.#control}/seen?key=${this.key}`)).json()) as Seen;
  }

  async release(): Promise<void> {
    await (await fetch(`http://127.0.0.1:${this.#control}/release?key=${this.key}`)).text();
  }

  /** How a promise ended that has to end soon. */
  async ending(promise: Promise<unknown>, ms = 3_000): Promise<"resolved" | "rejected" | "still pending"> {
    const cancel = new AbortController();
    const outcome = promise.then(
      () => "resolved" as const,
      () => "rejected" as const,
    );
    const late = delay(ms, "still pending" as const, { signal: cancel.signal }).catch(() => "still pending" as const);
    const ended = await Promise.race([outcome, late]);
    cancel.abort();
    return ended;
  }

  /** Counts towards the share that the whole run is judged by. */
  tally(v1: number, v2: number): void {
    this.tallied = { v1, v2 };
  }

  /** What the server knows once it has seen at least this much. */
  async until(least: Partial<Seen>): Promise<Seen> {
    const query = new URLSearchParams({ key: this.key, least: JSON.stringify(least) });
    const response = await fetch(`http://127.0.0.1:${this.#control}/until?${query}`);
    const seen = (await response.json()) as Seen;
    if (response.status !== 200) throw new Error(`wanted ${JSON.stringify(least)}, found ${JSON.stringify(seen)}`);
    return seen;
  }
}

/** Runs work several times, some at a time. */
export async function times<Value>(count: number, work: () => Promise<Value>, atOnce = 8): Promise<Value[]> {
  const results: Value[] = [];
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) results.push(await work());
  };
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, worker));
  return results;
}
