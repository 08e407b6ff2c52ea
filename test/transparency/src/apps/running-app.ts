/** One process of an app, from its start until a signal has ended it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { AppClient } from "./app-client.js";

export interface StartOptions {
  readonly script: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly port: number;
  readonly ready: string;
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** In ms. */
const START_TIMEOUT = 60_000;
const END_TIMEOUT = 20_000;
const LOOK_EVERY = 50;
/** Of what it printed, in characters. */
const COMPLAINT = 3_000;

export class RunningApp {
  readonly client: AppClient;
  readonly #child: ChildProcess;
  readonly #ended: Promise<End>;
  #printed = "";
  #over = false;

  private constructor({ script, args, folder, env, port }: StartOptions) {
    this.client = new AppClient(port);
    // In a group of its own: some start processes that would outlive them.
    const options = { cwd: folder, env, detached: true, stdio: "pipe" } as const;
    const child = spawn(process.execPath, [script, ...args], options);
    const note = (text: string): void => {
      this.#printed = (this.#printed + text).slice(-COMPLAINT);
    };
    child.stdout.setEncoding("utf8").on("data", note);
    child.stderr.setEncoding("utf8").on("data", note);
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#over = true;
        resolve({ code, signal });
      });
    });
  }

  static async start(options: StartOptions): Promise<RunningApp> {
    const app = new RunningApp(options);
    const deadline = performance.now() + START_TIMEOUT;
    while (
      !(await app.client.ask(options.ready).then(
        ({ status = 0 }) => status < 500,
        () => false,
      ))
    ) {
      if (app.#over || performance.now() > deadline) {
        app.kill();
        throw new Error(`the app does not answer ${options.ready}: ${app.#printed}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
    return app;
  }

  async end(signal: NodeJS.Signals): Promise<End> {
    this.#child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${signal} did not end it: ${this.#printed}`)), END_TIMEOUT);
    });
    try {
      return await Promise.race([this.#ended, late]);
    } finally {
      clearTimeout(timer);
      this.kill();
    }
  }

  /** With everything it started. */
  kill(): void {
    try {
      process.kill(-this.#child.pid!, "SIGKILL"); // it was started, so it has one
    } catch {
      // Nobody of the group is left.
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
