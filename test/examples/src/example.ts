/** An example, started as its README says: `npm start -w examples/NAME`. */

import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { ROOT } from "../../e2e/src/dev-process.js";

export class Example {
  readonly ended: Promise<number | null>;
  readonly url: string;
  readonly #child: ChildProcess;
  #text = "";
  #wake: () => void = () => {};

  /** @param webPort where its web listens; none for an example that is one program and no `inmesh dev` */
  constructor(name: string, webPort?: number, env: Readonly<Record<string, string>> = {}) {
    this.url = `http://127.0.0.1:${webPort}`;
    const session = webPort === undefined ? {} : { INMESH_DEV_KEYS: "1", WEB_PORT: String(webPort) };
    const { NODE_OPTIONS: _, VITEST: __, NODE_ENV: ___, FORCE_COLOR: ____, ...inherited } = process.env;
    // Plain text, wherever the tests run. The pre-script installs and builds, which has happened, and forgets the results of the tests that run now.
    this.#child = spawn("npm", ["start", "--silent", "--ignore-scripts", "-w", `examples/${name}`], {
      cwd: ROOT,
      env: { ...inherited, ...session, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#text += chunk;
        this.#wake();
      });
    }
    this.#child.stdin?.on("error", () => {}); // pressed after the end
    this.ended = new Promise((resolve) => this.#child.on("close", (code) => resolve(code)));
  }

  get text(): string {
    return this.#text;
  }

  /** Pids of the services that said they are ready. */
  get pids(): number[] {
    return [...this.#text.matchAll(/\(pid (\d+)\) is ready/g)].map(([, pid]) => Number(pid));
  }

  /** Resolves when so many services are ready. The test's own bound ends a wait for ever. */
  async ready(count: number): Promise<void> {
    while (this.pids.length < count) {
      const ended = await Promise.race([
        this.ended,
        new Promise<"text">((resolve) => {
          this.#wake = () => resolve("text");
        }),
      ]);
      if (ended !== "text") throw new Error(`it ended (${ended}) before ${count} services were ready:\n${this.#text}`);
    }
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await fetch(`${this.url}${path}`, { headers: { connection: "close", ...headers } });
    return `${answer.status} ${await answer.text()}`;
  }

  /** Asks until the answer is as wanted: a new service is known within a fraction of a second. */
  async until(
    path: string,
    wanted: RegExp | (() => boolean),
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    for (;;) {
      const answer = await this.get(path, headers);
      if (typeof wanted === "function" ? wanted() : wanted.test(answer)) return answer;
    }
  }

  /** As the key `q`. */
  async quit(): Promise<number | null> {
    this.#child.stdin?.write("q");
    const timer = setTimeout(() => this.#child.kill("SIGTERM"), 15_000);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
