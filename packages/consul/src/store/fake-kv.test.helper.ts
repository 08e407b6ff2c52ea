/** For tests: a key-value store that answers as Consul 1.8.7 was seen to, and goes wrong when it is told to. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConsulClient } from "../client/consul-client.js";

interface Entry {
  value: Buffer;
  readonly created: number;
  modified: number;
}

export interface Asked {
  readonly method: string;
  /** Decoded, without `/v1`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

/** Asks for a change, not for what is there. */
export function isTransaction({ path, body }: Asked): boolean {
  return path === "/txn" && !body.includes("get-tree");
}

export interface FakeAnswer {
  readonly status: number;
  readonly body: string;
}

interface Verb {
  readonly KV: { readonly Verb: string; readonly Key: string; readonly Value?: string; readonly Index?: number };
}

const MOST = 512 * 1024;

export class FakeKv {
  readonly client: ConsulClient;
  readonly asked: Asked[] = [];
  readonly entries = new Map<string, Entry>();
  /** Called before each answer: what it returns is answered instead. */
  onAsked: (asked: Asked) => FakeAnswer | undefined | Promise<FakeAnswer | undefined> = () => undefined;
  /** Called once a question is answered inside, before the answer is sent: what it returns is sent instead. */
  onAnswered: (asked: Asked) => FakeAnswer | undefined = () => undefined;
  readonly #close: () => Promise<void>;
  #index = 10;

  private constructor(port: number, close: () => Promise<void>) {
    this.client = FakeKv.#clientOf(port);
    this.#port = port;
    this.#close = close;
  }

  readonly #port: number;

  static async start(): Promise<FakeKv> {
    let fake: FakeKv | undefined;
    const server = createServer((request, response) => void fake?.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    fake = new FakeKv((server.address() as AddressInfo).port, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return fake;
  }

  /** Another process, as it were. */
  another(): ConsulClient {
    return FakeKv.#clientOf(this.#port);
  }

  static #clientOf(port: number): ConsulClient {
    return new ConsulClient({
      ...{ host: "127.0.0.1", port, secure: false, token: "s3cret" },
      ...{ prefix: "inmesh", namespace: "default" },
    });
  }

  /** As `consul kv put` does. */
  put(key: string, text: string): void {
    const before = this.entries.get(key);
    const index = ++this.#index;
    this.entries.set(key, { value: Buffer.from(text), created: before?.created ?? index, modified: index });
  }

  text(key: string): string | undefined {
    return this.entries.get(key)?.value.toString("utf8");
  }

  /** Below a prefix, in order. */
  keys(prefix = ""): string[] {
    return [...this.entries.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "", "http://fake");
    const path = decodeURIComponent(url.pathname).replace(/^\/v1/, "");
    const asked = { method: request.method ?? "", path, query: url.searchParams, body: Buffer.concat(chunks) };
    this.asked.push(asked);
    const answer = (await this.onAsked(asked)) ?? this.#answer(asked);
    const { status, body } = this.onAnswered(asked) ?? answer;
    const type = /^[[{]|^(true|false)$/.test(body) ? "application/json" : "text/plain";
    response.writeHead(status, { "content-type": type, "x-consul-index": `${this.#index}` }).end(body);
  }

  #answer({ method, path, query, body }: Asked): FakeAnswer {
    if (path === "/txn") return this.#transaction(body);
    const key = path.replace(/^\/kv\//, "");
    if (method === "GET") return this.#read(key, query);
    const index = Number(query.get("cas"));
    if (body.length > MOST) return { status: 413, body: `Request body(${body.length} bytes) too large` };
    if ((this.entries.get(key)?.modified ?? 0) !== index) return { status: 200, body: "false" };
    if (method === "DELETE") this.entries.delete(key);
    else this.put(key, body.toString("utf8"));
    return { status: 200, body: "true" };
  }

  #read(key: string, query: URLSearchParams): FakeAnswer {
    const found = query.has("recurse") || query.has("keys") ? this.keys(key) : this.keys(key).filter((k) => k === key);
    if (found.length === 0) return { status: 404, body: "" };
    if (query.has("keys")) return { status: 200, body: JSON.stringify(found) };
    return { status: 200, body: JSON.stringify(this.#entriesOf(found)) };
  }

  #entriesOf(keys: readonly string[]): object[] {
    return keys.map((Key) => {
      const { value, created, modified } = this.entries.get(Key)!; // listed just before
      return { Key, Value: value.toString("base64"), Flags: 0, CreateIndex: created, ModifyIndex: modified };
    });
  }

  #transaction(body: Buffer): FakeAnswer {
    if (body.length > MOST) return { status: 413, body: `Request body(${body.length} bytes) too large` };
    const verbs = JSON.parse(body.toString("utf8")) as Verb[];
    if (verbs.length > 64) return { status: 413, body: "Transaction contains too many operations" };
    if (verbs.every(({ KV: { Verb } }) => Verb === "get-tree")) {
      const found = verbs.flatMap(({ KV: { Key } }) => this.#entriesOf(this.keys(Key)));
      return { status: 200, body: JSON.stringify({ Results: found.map((KV) => ({ KV })), Errors: null }) };
    }
    const errors = verbs.flatMap(({ KV: { Verb, Key, Index } }, OpIndex) => {
      const at = this.entries.get(Key)?.modified ?? 0;
      const stale = (Verb === "cas" && at !== Index) || (Verb === "delete-cas" && at !== 0 && at !== Index);
      return stale ? [{ OpIndex, What: `failed to set key "${Key}", index is stale` }] : [];
    });
    if (errors.length > 0) return { status: 409, body: JSON.stringify({ Results: null, Errors: errors }) };
    this.#index += 1; // one for the whole
    const results = verbs.flatMap(({ KV: { Verb, Key, Value } }) => {
      if (Verb.startsWith("delete")) {
        this.entries.delete(Key);
        return [];
      }
      const created = this.entries.get(Key)?.created ?? this.#index;
      this.entries.set(Key, { value: Buffer.from(Value ?? "", "base64"), created, modified: this.#index });
      return [{ KV: { Key, Value: null, CreateIndex: created, ModifyIndex: this.#index } }];
    });
    return { status: 200, body: JSON.stringify({ Results: results, Errors: null }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    await this.#close();
  }
}
