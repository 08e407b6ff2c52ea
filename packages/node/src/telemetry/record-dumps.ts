/**
 * Dumps of the flight recorder in the state directory, so that it outlives the process: when a circuit breaker opens, at the end, and
 * when the process dies of an error. For this user only, without queries, headers and bodies, and bounded in size and number.
 */

import { chmodSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@inmesh/core";
import type { OutcomeView } from "@inmesh/core/admin";
import { atProcess, DUMP_ENDING, DUMP_FOLDER, type DumpCause, type DumpHead, dumpText } from "@inmesh/core/internal";
import type { TelemetryPart } from "./telemetry.js";

/** Files of one service in one state directory; the oldest leave first. One process writes one for each cause at the most. */
const MOST_FILES = 24;
/** From a breaker's opening to the dump, in ms: the call that opened it is to be in it. */
const SETTLE_MS = 250;
/** Breakers that open one after the other are in one dump. */
const BETWEEN_MS = 10_000;

export interface RecordDumpsOptions {
  readonly clock: Clock;
  readonly head: Pick<DumpHead, "namespace" | "service" | "instance" | "pid">;
  /** What is remembered, newest first. */
  readonly outcomes: () => readonly OutcomeView[];
  /** Told once that nothing can be written. */
  readonly onWarning: (message: string) => void;
}

export class RecordDumps implements TelemetryPart {
  readonly #options: RecordDumpsOptions;
  #folder: string | undefined;
  #timer: { cancel(): void } | undefined;
  #dumpedAt = Number.NEGATIVE_INFINITY;
  #failed = false;
  #forgetCrash: (() => void) | undefined;

  constructor(options: RecordDumpsOptions) {
    this.#options = options;
  }

  /** From here on there is a place to write to, and a crash is noticed. @param directory state directory of the service */
  open(directory: string): void {
    this.#folder = join(directory, DUMP_FOLDER);
    this.#forgetCrash = atProcess("uncaughtExceptionMonitor", (error, origin) =>
      this.write("crash", `${origin}: ${nameOf(error)}`),
    );
  }

  breakerOpened(reason: string): void {
    const { clock } = this.#options;
    if (this.#folder === undefined || this.#timer !== undefined) return;
    const delayMs = Math.max(SETTLE_MS, this.#dumpedAt + BETWEEN_MS - clock.now());
    this.#timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#dumpedAt = clock.now();
      this.write("breaker", reason);
    });
  }

  /** The process leaves the mesh; said again when it has drained, with what ended meanwhile. */
  leaving(): void {
    this.write("end", "the process left the mesh");
  }

  async flush(): Promise<void> {
    this.leaving();
  }

  close(): void {
    this.#timer?.cancel();
    this.#forgetCrash?.();
    this.#forgetCrash = undefined;
    this.#folder = undefined;
  }

  /** At once, since a process that dies waits for nobody: some milliseconds for a full ring. Never throws. */
  write(cause: DumpCause, reason: string): void {
    const folder = this.#folder;
    if (folder === undefined) return;
    const { clock, head, outcomes, onWarning } = this.#options;
    try {
      const remembered = outcomes();
      if (remembered.length === 0) return;
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700);
      const name = `${head.instance.replace(/[^\w.-]/g, "_").slice(0, 100)}-${cause}${DUMP_ENDING}`;
      const path = join(folder, name);
      const temporary = `${path}.${head.pid}.tmp`;
      unlinkQuietly(temporary); // "wx" below follows no link that somebody left there
      const text = dumpText({ ...head, cause, reason, at: clock.wallTime(), outcomes: remembered });
      writeFileSync(temporary, text, { mode: 0o600, flag: "wx" });
      renameSync(temporary, path);
      prune(folder, name);
    } catch (error) {
      if (this.#failed) return;
      this.#failed = true;
      onWarning(
        `the last requests cannot be written to ${folder}: ${nameOf(error)}. inmesh why knows them while this process runs`,
      );
    }
  }
}

function prune(folder: string, written: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(DUMP_ENDING) && name !== written)
    .flatMap((name) => {
      const path = join(folder, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? [] : { path, at: found.mtimeMs };
    })
    .sort((one, other) => other.at - one.at);
  for (const { path } of files.slice(MOST_FILES - 1)) unlinkQuietly(path);
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone, or never there.
  }
}

/** Its class and code: what the application's errors say may be a secret. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return "code" in error && typeof error.code === "string" ? `${error.name} ${error.code}` : error.name;
}
