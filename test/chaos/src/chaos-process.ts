/** One program of the chaos as a process of its own. Ended and stopped by its id, never by a name. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface ChaosProcessOptions {
  /** `shelf-1`. */
  readonly name: string;
  readonly program: "backend" | "caller" | "crowd";
  /** Under the mesh without a line of its own. */
  readonly register: boolean;
  readonly env: Readonly<Record<string, string>>;
}

const REGISTER = new URL("../../../packages/node/dist/register.js", import.meta.url).href;
/** What is said is answered within this time, in ms. */
const ANSWERS_MS = 20_000;

export class ChaosProcess<To extends object, From extends { readonly type: string }> {
  readonly name: string;
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #errors = "";

  constructor({ name, program, register, env }: ChaosProcessOptions) {
    this.name = name;
    // From src and from dist alike: processes are built code, as applications are.
    this.#child = fork(fileURLToPath(new URL(`../dist/program/${program}.js`, import.meta.url)), [], {
      execArgv: register ? ["--import", REGISTER] : [],
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (text) => {
      this.#errors += text;
    });
    this.#child.setMaxListeners(100); // one for each answer that is waited for
    this.ended = once(this.#child, "exit").then(() => {});
  }

  /** What it printed on stderr. */
  get errors(): string {
    return this.#errors.trim();
  }

  /** The same, once. */
  takeErrors(): string {
    const { errors } = this;
    this.#errors = "";
    return errors;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** A process that is gone hears nothing. */
  send(message: To): void {
    if (this.#child.connected) this.#child.send(message);
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** The next message that fits. @param withinMs beside what the answer itself takes */
  async hear<Kind extends From>(fits: (message: From) => message is Kind, withinMs = 0): Promise<Kind> {
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), ANSWERS_MS + withinMs);
    try {
      return await new Promise((resolve, reject) => {
        const look = (message: From): void => {
          if (!fits(message)) return;
          this.#child.removeListener("message", look);
          resolve(message);
        };
        this.#child.on("message", look);
        abort.signal.addEventListener("abort", () => {
          this.#child.removeListener("message", look);
          reject(new Error(`${this.name} did not answer: ${this.#errors}`));
        });
        void this.ended.then(() =>
          reject(
            new Error(`${this.name} is gone (${this.#child.exitCode ?? this.#child.signalCode}): ${this.#errors}`),
          ),
        );
      });
    } finally {
      clearTimeout(limit);
    }
  }
}
