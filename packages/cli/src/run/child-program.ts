/**
 * The child of `inmesh run`. Its streams are ours. Off a terminal it leads a process group, so that a signal reaches
 * all of `npm start` and nothing outlives it; on a terminal it stays in ours, where it may read keys and where Ctrl-C
 * reaches everything by itself.
 */

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { groupLives, signalGroup } from "../dev/process-group.js";
import { Reaper } from "../dev/reaper.js";
import { parentOf } from "./process-tree.js";

export interface ChildProgramOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** @default whether standard input is a terminal */
  readonly onTerminal?: boolean;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
}

/** Between SIGTERM and SIGKILL for what the program leaves behind, in ms. */
const GRACE_MS = 3_000;
/** The same when a signal has told it to end already: a drain takes up to 10 s, and a second signal would cut it. */
const DRAIN_MS = 15_000;
const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
const LOOK_MS = 25;

export class ChildProgram {
  /** 0 when it could not be started. */
  readonly pid: number;
  readonly ended: Promise<ProgramExit>;
  readonly #onTerminal: boolean;
  readonly #reaper: Reaper | undefined;
  #toldToEnd = false;

  constructor({ command, cwd, env, onTerminal = process.stdin.isTTY === true }: ChildProgramOptions) {
    this.#onTerminal = onTerminal || process.platform === "win32";
    const [program = "", ...args] = command;
    const child = spawn(program, args, { cwd, env, stdio: "inherit", detached: !this.#onTerminal });
    this.pid = child.pid ?? 0;
    if (this.pid !== 0 && !this.#onTerminal) {
      this.#reaper = new Reaper();
      this.#reaper.watch(this.pid); // should we be killed ourselves
    }
    this.ended = new Promise((resolve) => {
      child.on("exit", (code, signal) => resolve({ code, signal }));
      child.on("error", (error) => resolve({ code: null, signal: null, error }));
    });
  }

  /** Gives a signal that came to us to the program. */
  pass(signal: NodeJS.Signals): void {
    if (this.pid === 0) return;
    this.#toldToEnd ||= ENDING.includes(signal);
    if (!this.#onTerminal) {
      signalGroup(this.pid, signal);
      return;
    }
    if (signal === "SIGINT" || signal === "SIGQUIT" || signal === "SIGCONT") return; // the terminal told it already
    for (const pid of [this.pid, ...descendants(this.pid)]) {
      try {
        process.kill(pid, signal);
      } catch {
        // it is gone
      }
    }
  }

  /** Ends what the program started and left behind. @returns whether something had to be told to end */
  async endRest(): Promise<boolean> {
    const { pid } = this;
    const left = !this.#onTerminal && pid !== 0 && groupLives(pid);
    let told = false;
    if (left && !this.#toldToEnd) told = signalGroup(pid, "SIGTERM");
    const killAt = performance.now() + (this.#toldToEnd ? DRAIN_MS : GRACE_MS);
    while (left && groupLives(pid)) {
      if (performance.now() >= killAt) told = signalGroup(pid, "SIGKILL") || told;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    this.#reaper?.close();
    return told;
  }
}

/** Where the system has /proc; elsewhere none are known. */
function descendants(root: number): number[] {
  let entries: string[];
  try {
    entries = readdirSync("/proc");
  } catch {
    return [];
  }
  const parents = entries.flatMap((entry) => (/^\d+$/.test(entry) ? [[Number(entry), parentOf(Number(entry))]] : []));
  const found = new Set([root]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const [pid = 0, parent] of parents) if (parent !== undefined && found.has(parent)) found.add(pid);
  }
  found.delete(root);
  return [...found];
}
