/** The part of a Consul agent's API that registration uses, in memory, answering as told. */

import http from "node:http";
import type { AddressInfo } from "node:net";
import { ConsulClient } from "../client/consul-client.js";

export interface Registered {
  readonly ID: string;
  readonly Name: string;
  readonly Weights: object;
  readonly Meta: Readonly<Record<string, string>>;
  readonly Check: Readonly<Record<string, string>>;
}

export type Answer = { readonly status: number; readonly text: string } | "never" | "cut";

export class ScriptedAgent {
  readonly services = new Map<string, Registered>();
  /** `PUT /v1/agent/…`, oldest first. */
  readonly requests: string[] = [];
  /** What it answers in place of doing what it is asked. */
  broken: ((request: string) => Answer | undefined) | undefined;
  readonly #server: http.Server;
  readonly #waiting = new Set<() => void>();
  readonly client: ConsulClient;

  private constructor(server: http.Server) {
    this.#server = server;
    server.on("request", (request, response) => void this.#answer(request, response));
    const { port } = server.address() as AddressInfo;
    const target = { host: "127.0.0.1", port, secure: false, prefix: "inmesh", namespace: "default", token: "s3cret" };
    this.client = new ConsulClient(target);
  }

  static async start(): Promise<ScriptedAgent> {
    const server = http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ScriptedAgent(server);
  }

  /** As a restart with empty state. */
  forget(): void {
    this.services.clear();
  }

  /** Resolves when `count` requests have come that say `part`. */
  async came(part: string, count = 1): Promise<void> {
    while (this.requests.filter((line) => line.includes(part)).length < count) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    let text = "";
    for await (const part of request) text += part;
    const line = `${request.method} ${request.url}`;
    const answer = this.broken?.(line) ?? this.#handle(line, text);
    if (answer === "cut") request.socket.destroy();
    else if (answer !== "never") {
      const isJson = answer.text.startsWith("{");
      response
        .writeHead(answer.status, { "content-type": isJson ? "application/json" : "text/plain" })
        .end(answer.text);
    }
    this.requests.push(line);
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #handle(line: string, text: string): Exclude<Answer, string> {
    const done = { status: 200, text: "" };
    if (line.startsWith("PUT /v1/agent/service/register")) {
      const body = JSON.parse(text) as Registered;
      this.services.set(body.ID, body);
      return done;
    }
    const checked = /^PUT \/v1\/agent\/check\/(?:pass|fail)\/service%3A([^?]*)/.exec(line)?.[1];
    if (checked !== undefined) {
      return this.services.has(checked)
        ? done
        : { status: 500, text: `CheckID "service:${checked}" does not have associated TTL` };
    }
    const gone = /^PUT \/v1\/agent\/service\/deregister\/([^?]*)/.exec(line)?.[1];
    if (gone !== undefined) {
      return this.services.delete(gone) ? done : { status: 404, text: `Unknown service ID "${gone}"` };
    }
    if (line.startsWith("GET /v1/agent/services")) {
      const all = [...this.services].map(([id, { Name, ...rest }]) => [id, { ...rest, Service: Name }]);
      return { status: 200, text: JSON.stringify(Object.fromEntries(all)) };
    }
    return { status: 404, text: "no such call" };
  }
}
