/** One child process: what it was started as, whether it lives, and every way to end it. */

import { type ChildProcess, spawn } from "node:child_process";
import { LineSplitter } from "./line-splitter.js";
import { groupLives, signalGroup } from "./process-group.js";
import type { ProcessSpec } from "./process-spec.js";

export interface InstanceExit {
  /** Null when a signal ended it, or when it could not be started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
}

export interface InstanceOptions {
  /** `reviews-2`: unique in the session, never given twice. */
  readonly id: string;
  readonly spec: ProcessSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (instance: Instance, line: string) => void;
  /** Called once, after everything the child started is gone too. */
  readonly onExit: (instance: Instance, exit: InstanceExit) => void;
}

/** Asked at this pace whether a group that was told to end has ended. */
const LOOK_MS = 25;

export class Instance {
  readonly id: string;
  readonly spec: ProcessSpec;
  /** 0 when it could not be started. */
  readonly pid: number;
  readonly startedAt = performance.now();
  /** Somebody wants it gone: its end is no crash. */
  endWanted = false;
  readonly ended: Promise<InstanceExit>;
  readonly #child: ChildProcess;
  #exit: InstanceExit | undefined;

  constructor({ id, spec, env, onLine, onExit }: InstanceOptions) {
    this.id = id;
    this.spec = spec;
    const [program, ...args] = spec.command as readonly [string, ...string[]]; // at least one word, by parseProcessSpecs
    this.#child = spawn(program, args, {
      cwd: spec.cwd,
      env,
      detached: process.platform !== "win32", // leader of a group of its own
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      const splitter = new LineSplitter((line) => onLine(this, line));
      stream?.on("data", (chunk: Buffer) => splitter.push(chunk));
      stream?.on("end", () => splitter.end());
    }
    this.ended = new Promise((resolve) => {
      const end = (exit: InstanceExit): void => {
        if (this.#exit !== undefined) return;
        this.#exit = exit;
        // What its leader left behind serves nobody; told to end, it drains, as the workers of a cluster do.
        if (this.pid !== 0 && !this.endWanted) signalGroup(this.pid, "SIGKILL");
        onExit(this, exit);
        resolve(exit);
      };
      this.#child.on("exit", (code, signal) => end({ code, signal }));
      this.#child.on("error", (error) => end({ code: null, signal: null, error }));
    });
  }

  get exit(): InstanceExit | undefined {
    return this.#exit;
  }

  /** @returns whether there was anything left to signal */
  signal(signal: NodeJS.Signals): boolean {
    return this.pid !== 0 && this.#exit === undefined && signalGroup(this.pid, signal);
  }

  /** SIGTERM, and SIGKILL for whatever of the group still lives after `graceMs`. */
  async stop(graceMs: number): Promise<InstanceExit> {
    this.endWanted = true;
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.pid !== 0 && signalGroup(this.pid, "SIGKILL"), graceMs);
    try {
      return await this.ended;
    } finally {
      while (this.pid !== 0 && groupLives(this.pid)) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      clearTimeout(timer);
    }
  }
}
