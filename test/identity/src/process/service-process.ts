/** The service as a process of its own. Ended by its id, never by a name; all that it prints is kept. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answered, FromService, Told } from "../program/messages.js";

const REGISTER = new URL("../../../../packages/node/dist/register.js", import.meta.url).href;
/** From src and from dist alike: processes are built code, as applications are. */
const PROGRAM = fileURLToPath(new URL("../../dist/program/service.js", import.meta.url));
const STARTS_MS = 20_000;
const ANSWERS_MS = 20_000;

export class ServiceProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Map<number, (answer: Answered) => void>();
  #port = 0;
  #asked = 0;
  #output = "";

  private constructor(name: string, env: Readonly<Record<string, string>>) {
    this.name = name;
    this.#child = fork(PROGRAM, [], {
      execArgv: ["--import", REGISTER],
      env: { PATH: process.env["PATH"] ?? "", ...env, INMESH_SERVICE: name },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#ended = once(this.#child, "exit");
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (text) => {
        this.#output += text;
      });
    }
    this.#child.on("message", (message: FromService) => {
      if (message.type !== "answered") return;
      this.#waiting.get(message.id)?.(message.answer);
      this.#waiting.delete(message.id);
    });
  }

  static async start(name: string, env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const started = new ServiceProcess(name, env);
    try {
      const signal = AbortSignal.timeout(STARTS_MS);
      const ended = started.#ended.then(() => Promise.reject(new Error("it ended")));
      const [message] = (await Promise.race([once(started.#child, "message", { signal }), ended])) as [FromService];
      ended.catch(() => {}); // it ends once it was told to
      if (message.type === "listening") started.#port = message.port;
      return started;
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw new Error(`${name} did not start: ${started.#output}`, { cause: error });
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Its own port, of the application. */
  get port(): number {
    return this.#port;
  }

  /** All that it printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Lets it call. */
  async call(url: string, init?: RequestInit): Promise<Answered> {
    const id = this.#asked++;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} got no answer of ${url}`)), ANSWERS_MS);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#child.send({ id, url, init });
    });
  }

  /** The same, where another one of these services must answer. */
  async ask(url: string, init?: RequestInit): Promise<Told> {
    const { status, text, error } = await this.call(url, init);
    if (status !== 200) throw new Error(`${this.name} asked ${url}: ${status} ${text} ${JSON.stringify(error)}`);
    return JSON.parse(text) as Told;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
