/** The scenario of group `drain`: every client calls every service, over and over, while processes of the services drain. */

import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "./client/client.js";
import type { Cell, ServerFacts } from "./messages.js";
import { meets } from "./scenario.js";
import { Trial } from "./trial.js";

/** Between two calls of one client to one service, in ms. */
const PAUSE_MS = 120;

interface Line {
  readonly client: Client;
  readonly server: ServerFacts;
  calls: number;
  readonly failures: string[];
}

export class DrainLoad {
  readonly #lines: readonly Line[];
  readonly #onSpread: () => void;
  /** Processes that answered, by service. */
  readonly #pids = new Map<string, Set<string>>();
  #spread = false;
  #running = true;
  #loops: Promise<unknown> = Promise.resolve();

  /** @param onSpread told when each service was served by two processes */
  constructor(clients: readonly Client[], servers: readonly ServerFacts[], onSpread: () => void) {
    this.#onSpread = onSpread;
    this.#lines = clients.flatMap((client) =>
      servers.filter(({ id }) => meets(client.name, id)).map((server) => ({ client, server, calls: 0, failures: [] })),
    );
    for (const { server } of this.#lines) this.#pids.set(server.id, new Set());
  }

  start(): void {
    const judged = this.#lines.filter(({ client }) => client.lacks.retries === undefined);
    this.#loops = Promise.all(judged.map((line) => this.#loop(line)));
  }

  async stop(): Promise<Omit<Cell, "family">[]> {
    this.#running = false;
    await this.#loops;
    return this.#lines.map((line) => ({
      client: line.client.name,
      server: line.server.id,
      group: "drain",
      scenario: DRAIN_SCENARIO,
      ...verdict(line),
      ms: 0,
    }));
  }

  async #loop(line: Line): Promise<void> {
    const { client, server } = line;
    const trial = new Trial({ client, base: `http://${server.id}`, control: server.control });
    while (this.#running) {
      const method = line.calls++ % 3 === 2 && client.lacks.body === undefined ? "POST" : "GET";
      try {
        const { status, headers, text, broken } = await trial.ask("/slow?ms=30", {
          method,
          ...(method === "POST" && { body: "order" }),
        });
        if (status !== 200 || broken) line.failures.push(`${method} ${status}${broken ? " cut" : ""}: ${text}`);
        this.#note(server.id, headers["x-pid"] ?? "");
      } catch (error) {
        line.failures.push(`${method} ${(error as Error).message} (${String((error as Error).cause)})`);
      }
      await delay(PAUSE_MS);
    }
  }

  #note(server: string, pid: string): void {
    this.#pids.get(server)?.add(pid);
    if (this.#spread || [...this.#pids.values()].some(({ size }) => size < 2)) return;
    this.#spread = true;
    this.#onSpread();
  }
}

/** A kept connection may close under a request that is on its way: who cannot send it again loses it, as without a mesh. */
function verdict({ client, calls, failures }: Line): Pick<Cell, "outcome" | "detail"> {
  if (client.lacks.retries !== undefined) return { outcome: "skip", detail: client.lacks.retries };
  if (failures.length === 0 && calls > 5) return { outcome: "pass", detail: "" };
  return { outcome: "fail", detail: `${failures.length} of ${calls} failed: ${failures[0]}` };
}

export const DRAIN_SCENARIO = "a process of the service drains under load, no call fails";
