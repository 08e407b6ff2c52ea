/**
 * Ends our children when we can no longer do it ourselves: killed with -9, out of memory, a terminal torn away.
 * A small process that holds one end of a pipe and knows which groups live; when the pipe breaks, it cleans up.
 * A child cannot do this for itself: an unmodified program does not notice that its parent is gone.
 */

import { type ChildProcess, spawn } from "node:child_process";
import type { ResourceRef } from "@inmesh/model";
import { reaperProgram } from "../own-files.js";

/** Documents that we applied and must take back. */
export interface Undo {
  /** The registry. */
  readonly config: string;
  readonly documents: readonly ResourceRef[];
}

export class Reaper {
  readonly #groups = new Set<number>();
  readonly #paths = new Set<string>();
  #undo: Undo | undefined;
  #process: ChildProcess | undefined;

  /** Children of this group are ended when we are gone. */
  watch(pid: number): void {
    this.#groups.add(pid);
    this.#tell();
  }

  forget(pid: number): void {
    if (this.#groups.delete(pid)) this.#tell();
  }

  /** A file or folder of ours that must not outlive us. */
  watchPath(path: string): void {
    this.#paths.add(path);
    this.#tell();
  }

  forgetPath(path: string): void {
    if (this.#paths.delete(path)) this.#tell();
  }

  /** Documents of ours that must not outlive us; each time all of them. */
  undo({ config, documents }: Undo): void {
    const refs = documents.map(({ kind, namespace, name }) => ({ kind, namespace, name }));
    this.#undo = refs.length === 0 ? undefined : { config, documents: refs };
    this.#tell();
  }

  /** We have cleaned up ourselves. */
  close(): void {
    this.#groups.clear();
    this.#paths.clear();
    this.#undo = undefined;
    if (this.#process !== undefined) this.#tell();
    this.#process?.stdin?.end();
    this.#process = undefined;
  }

  /** The whole state every time: a reader that missed a line is right again after the next. */
  #tell(): void {
    this.#process ??= startReaper();
    this.#process.stdin?.write(
      `${JSON.stringify({ groups: [...this.#groups], paths: [...this.#paths], undo: this.#undo })}\n`,
    );
  }
}

function startReaper(): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env; // it needs nothing that the user preloads
  const child = spawn(process.execPath, [reaperProgram()], {
    detached: true, // a session of its own: what ends us must not end it
    stdio: ["pipe", "ignore", "ignore"],
    env,
  });
  child.on("error", () => {}); // without it we still clean up on every normal way out
  child.stdin?.on("error", () => {});
  child.unref();
  if (child.stdin !== null && "unref" in child.stdin && typeof child.stdin.unref === "function") child.stdin.unref();
  return child;
}
