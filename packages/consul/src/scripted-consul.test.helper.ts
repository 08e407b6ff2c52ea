/**
 * A server on port 0 that answers as Consul does, as far as a test says: it keeps an index, holds questions that name it
 * until something changes, and does whatever a script says instead. Counts every question.
 */

import http from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or text as it is. */
  readonly body?: unknown;
}

/** What happens to a question: an answer, silence, or half an answer. */
export type Script = (request: AskedRequest) => Answer | "hang" | "cut" | "hold";

export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  readonly body: string;
}

interface Held {
  readonly request: AskedRequest;
  readonly response: http.ServerResponse;
}

const DEADLINE_MS = 5_000;

export class ScriptedConsul {
  readonly requests: AskedRequest[] = [];
  readonly #server = http.createServer((request, response) => this.#take(request, response));
  readonly #bodies = new Map<string, Answer>();
  readonly #scripts = new Map<string, Script>();
  readonly #held = new Set<Held>();
  index = 10;
  /** Further headers of every good answer. */
  headers: Record<string, string> = {};

  static async start(): Promise<ScriptedConsul> {
    const consul = new ScriptedConsul();
    await new Promise<void>((resolve) => consul.#server.listen(0, "127.0.0.1", resolve));
    consul.set("/v1/catalog/services", { consul: [] });
    consul.script("/v1/internal/acl/authorize", () => ({ status: 401, body: "ACL support disabled" }));
    return consul;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `consul://127.0.0.1:${this.port}`;
  }

  /** Body of a path from now on; undefined is 404. Whoever waits for it gets it. */
  set(path: string, body: unknown, status = body === undefined ? 404 : 200): void {
    this.index += 1;
    this.#bodies.set(path, { status, body });
    this.wake(path);
  }

  /** What happens to questions for a path from now on; undefined: answered as usual again. */
  script(path: string, script: Script | undefined): void {
    if (script === undefined) this.#scripts.delete(path);
    else this.#scripts.set(path, script);
  }

  /** Answers what is held for a path, changed or not. */
  wake(path: string): void {
    for (const held of [...this.#held]) {
      if (held.request.path !== path) continue;
      this.#held.delete(held);
      this.#answer(held.request, held.response);
    }
  }

  held(path: string): number {
    return [...this.#held].filter(({ request }) => request.path === path).length;
  }

  count(path: string): number {
    return this.asked(path).length;
  }

  asked(path: string): AskedRequest[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** Ends every connection, as a crash does. */
  cut(): void {
    this.#held.clear();
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(incoming: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://consul");
      const request: AskedRequest = {
        method: incoming.method ?? "",
        path: decodeURI(pathname),
        query: searchParams,
        token: incoming.headers["x-consul-token"] as string | undefined,
        body: Buffer.concat(chunks).toString(),
      };
      this.requests.push(request);
      const asked = Number(searchParams.get("index") ?? 0);
      if (this.#scripts.has(request.path) || asked !== this.index) return this.#answer(request, response);
      this.#hold({ request, response });
    });
  }

  #hold(held: Held): void {
    this.#held.add(held);
    held.response.once("close", () => this.#held.delete(held));
  }

  #answer(request: AskedRequest, response: http.ServerResponse): void {
    const done = this.#scripts.get(request.path)?.(request) ?? this.#bodies.get(request.path) ?? nothing(request.path);
    if (done === "hang") return;
    if (done === "hold") return this.#hold({ request, response });
    if (done === "cut") {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"half":', () => response.destroy());
      return;
    }
    const { status = 200, headers = {}, body } = done;
    const text = typeof body === "string" || body === undefined ? (body ?? "") : JSON.stringify(body);
    response.writeHead(status, {
      "content-type": typeof body === "string" ? "text/plain" : "application/json",
      ...(status < 500 && { "x-consul-index": String(this.index) }),
      ...(status < 400 && { "x-consul-lastcontact": "0", "x-consul-knownleader": "true" }),
      ...{ ...this.headers, ...headers },
    });
    response.end(text);
  }
}

/** What Consul says of what it never heard of. */
function nothing(path: string): Answer {
  return path.startsWith("/v1/kv/") ? { status: 404 } : { body: [] };
}

/** Lets the network go on until `holds`, in real time; the clock of the code under test stands still meanwhile. */
export async function until(holds: () => boolean, what = String(holds)): Promise<void> {
  for (const deadline = performance.now() + DEADLINE_MS; !holds(); ) {
    if (performance.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** An element of a health answer. */
export function healthEntry({
  id,
  service = "web",
  node = "n1",
  status = "passing",
  ...more
}: { id: string; service?: string; node?: string; status?: string } & Readonly<Record<string, unknown>>): object {
  return {
    Node: { Node: node, Address: "10.0.0.1", Datacenter: "dc1", TaggedAddresses: null, Meta: null },
    Service: {
      ...{ ID: id, Service: service, Address: "127.0.0.1", Port: 8080, Tags: [], Meta: {} },
      ...{ Weights: { Passing: 1, Warning: 1 } },
      ...more,
    },
    Checks: [
      { CheckID: "serfHealth", Status: "passing" },
      { CheckID: id, Status: status, Output: "" },
    ],
  };
}

/** An element of a key-value answer. */
export function kvEntry(key: string, text: string, index = 1): object {
  return {
    Key: key,
    Value: Buffer.from(text).toString("base64"),
    CreateIndex: index,
    ModifyIndex: index,
    Flags: 0,
    LockIndex: 0,
  };
}
