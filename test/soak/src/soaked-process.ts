/** One process of the shop under the mesh, with a probe in it. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Counts, FromProbe, Sample } from "./messages.js";

export interface SoakedProcessOptions {
  /** `web-1`. */
  readonly name: string;
  readonly file: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const REGISTER = new URL("../../../packages/node/dist/register.js", import.meta.url).href;
const PROBE = new URL("./probe.js", import.meta.url).href;
/**
 * V8 goes on compiling for many minutes at this rate, and its code and feedback live on the heap: 100 to 350 KB a minute
 * that are no leak (heap snapshots 95 s apart differ in little else). Interpreted code, with its feedback allocated at the
 * first call and nothing thrown away to be compiled again, shows what the programs keep.
 */
const STEADY_CODE = ["--no-opt", "--no-sparkplug", "--no-lazy-feedback-allocation", "--no-flush-bytecode"];
/** A sample, and a drain, take no longer. In ms. */
const ANSWERS_MS = 30_000;

export class SoakedProcess {
  readonly name: string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly #child: ChildProcess;
  #errors = "";
  #out = "";

  constructor({ name, file, args = [], env }: SoakedProcessOptions) {
    this.name = name;
    this.#child = fork(file, args, {
      execArgv: [...STEADY_CODE, "--expose-gc", "--import", REGISTER, "--import", PROBE],
      env: { PATH: process.env["PATH"], ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (text) => {
      this.#errors += text;
    });
    this.#child.stdout?.on("data", (text) => {
      this.#out += text;
    });
    this.ended = once(this.#child, "exit").then(([code, signal]) => ({ code, signal }));
  }

  /** What it printed on stderr. */
  get errors(): string {
    return this.#errors;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** It said that it listens. */
  async listening(): Promise<void> {
    while (!/ listens on /.test(this.#out)) {
      const more = once(this.#child.stdout!, "data"); // piped
      const gone = this.ended.then(({ code }) => {
        throw new Error(`${this.name} ended with ${code} before it listened: ${this.#errors}`);
      });
      await Promise.race([more, gone]);
    }
  }

  async sample(): Promise<Sample> {
    this.#child.send({ type: "sample" });
    return (await this.#next("sample")).sample;
  }

  /** @returns what still keeps it */
  async drain(): Promise<readonly string[]> {
    this.#child.send({ type: "drain" });
    return (await this.#next("drained")).active;
  }

  /** Ends the shopper's rounds. */
  async stop(): Promise<Counts> {
    this.#child.send({ type: "stop" });
    return this.#next("counts");
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #next<Type extends FromProbe["type"]>(type: Type): Promise<Extract<FromProbe, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} did not answer "${type}"`)), ANSWERS_MS);
      const look = (message: FromProbe): void => {
        if (message.type !== type) return;
        clearTimeout(timer);
        this.#child.removeListener("message", look);
        resolve(message as Extract<FromProbe, { type: Type }>);
      };
      this.#child.on("message", look);
      void this.ended.then(() => reject(new Error(`${this.name} is gone: ${this.#errors}`)));
    });
  }
}

/** A program of the bookshop. */
export function bookshop(name: string): string {
  return fileURLToPath(new URL(`../../../examples/bookshop/services/${name}.js`, import.meta.url));
}
