/** `inmesh dev` as a child of a test: what it printed, what it is told, and how it ended. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const INMESH = join(ROOT, "packages/cli/bin/inmesh.js");

export interface DevProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Program instead of the `node` that runs the test. */
  readonly node?: string;
}

export class DevProcess {
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #waiters = new Set<() => void>();
  /** What the session leaves behind on purpose, its log, goes with the test. */
  readonly #temporary = mkdtempSync(join(tmpdir(), "inmesh-e2e-"));
  #text = "";

  /** @param args of `inmesh` */
  constructor(args: readonly string[], { cwd = ROOT, env = {}, node = process.execPath }: DevProcessOptions = {}) {
    const { NODE_OPTIONS: _, VITEST: __, NODE_ENV: ___, ...inherited } = process.env;
    this.#child = spawn(node, [INMESH, ...args], {
      cwd,
      env: {
        ...inherited,
        PATH: `${dirname(node)}:${process.env["PATH"]}`,
        INMESH_DEV_KEYS: "1",
        TMPDIR: this.#temporary,
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#text += chunk.toString();
        for (const wake of this.#waiters) wake();
      });
    }
    this.#child.stdin?.on("error", () => {}); // a key pressed after the end
    this.ended = new Promise((resolve) => this.#child.on("close", (code, signal) => resolve({ code, signal })));
  }

  /** Everything printed so far. */
  get text(): string {
    return this.#text;
  }

  /** Pids of the services that said they are ready. */
  get pids(): number[] {
    return [...this.#text.matchAll(/\(pid (\d+)\) is ready/g)].map(([, pid]) => Number(pid));
  }

  /** Folders of the session that should be gone after it. */
  get leftovers(): string[] {
    return readdirSync(this.#temporary).filter((name) => name.startsWith("inmesh-dev-"));
  }

  press(key: string): void {
    this.#child.stdin?.write(key);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits for text after `from`. @throws when the process ends without it; the test's own bound ends a wait for ever */
  async until(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#text.slice(from));
      if (found !== null) return found;
      const ended = await Promise.race([this.ended, new Promise<undefined>((resolve) => this.#onText(resolve))]);
      if (ended !== undefined && pattern.exec(this.#text.slice(from)) === null) {
        throw new Error(`it ended (${ended.code ?? ended.signal}) without ${pattern}:\n${this.#text.slice(-3_000)}`);
      }
    }
  }

  /** For the end of a test that failed half-way. */
  async dispose(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 12_000);
    await this.ended;
    clearTimeout(timer);
    rmSync(this.#temporary, { recursive: true, force: true, maxRetries: 5 });
  }

  #onText(resolve: (value: undefined) => void): void {
    const wake = (): void => {
      this.#waiters.delete(wake);
      resolve(undefined);
    };
    this.#waiters.add(wake);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The command behind `npm start`, without the `npm`: its pre-script installs and builds, which has happened. */
export function startCommand(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const [node, inmesh, ...args] = String(scripts.start).split(" ");
  if (node !== "node" || inmesh !== "packages/cli/bin/inmesh.js") throw new Error(`npm start runs ${scripts.start}`);
  return args;
}
