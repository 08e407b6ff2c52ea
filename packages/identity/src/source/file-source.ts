/**
 * Certificates that somebody else writes into a folder and renews there. The folder is watched and not its files, because
 * Kubernetes swaps a symbolic link in it; and it is looked at every few seconds all the same, because a folder may be a
 * link itself, and not every file system tells of changes. What changes while it is read is read again (pitfalls T2).
 */

import { watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CredentialSource, GivenCredentials } from "@inmesh/core";
import { type Clock, sleep, type Timer } from "@inmesh/core";
import { checkCredentials } from "./checked-credentials.js";
import { type FileLayout, filesOf, layoutOf, NoFiles } from "./file-layouts.js";

export interface FileSourceOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Told once of a key that others may read. */
  readonly onWarning?: (message: string) => void;
  /** Between two looks, in ms. @default 5,000 */
  readonly lookMs?: number;
  /** Files that do not belong together are read again for so long: a writer may be in the middle. In ms. @default 2,000 */
  readonly patienceMs?: number;
}

/** After a sign of change: writers write several files. In ms. */
const SETTLE_MS = 50;
/** Between two readings, in ms. */
const BETWEEN_MS = 100;
/** Of one file, in bytes: a bundle of hundreds of roots is smaller. */
const MOST_BYTES = 4 * 1_024 * 1_024;
/** Permission of anybody at all to read. */
const OTHERS_READ = 0o004;

export class FileSource implements CredentialSource {
  readonly renewal = "tells";
  readonly description: string;
  readonly #options: FileSourceOptions;
  #warned = false;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.description = `files in ${options.directory}`;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    const { clock, patienceMs = 2_000 } = this.#options;
    const until = clock.now() + patienceMs;
    for (;;) {
      try {
        const given = await this.#read();
        checkCredentials(given, clock.wallTime());
        return given;
      } catch (error) {
        if (error instanceof NoFiles || clock.now() >= until) throw error;
      }
      await sleep(clock, BETWEEN_MS, signal);
    }
  }

  watch(onChange: () => void): () => void {
    const { directory, clock, lookMs = 5_000 } = this.#options;
    let last: string | undefined;
    let soon: Timer | undefined;
    let ended = false;
    const look = async (): Promise<void> => {
      const signature = await this.#signature();
      if (ended || signature === last) return;
      const first = last === undefined;
      last = signature;
      if (!first) onChange();
    };
    const settle = (): void => {
      soon?.cancel();
      soon = clock.after(SETTLE_MS, () => void look());
    };
    const unwatch = watchFolder(directory, settle);
    const every = clock.every(lookMs, () => void look());
    void look();
    return () => {
      ended = true;
      unwatch();
      every.cancel();
      soon?.cancel();
    };
  }

  async #read(): Promise<GivenCredentials> {
    const layout = await this.#layout();
    const before = await this.#signature();
    const [certificateChain = "", privateKey = "", roots = ""] = await Promise.all(
      filesOf(layout).map((file) => this.#file(file)),
    );
    if ((await this.#signature()) !== before) throw new Error("its files change while they are read");
    await this.#warnOfReaders(layout);
    return { certificateChain, privateKey, roots };
  }

  async #layout(): Promise<FileLayout> {
    const { directory } = this.#options;
    const names = await readdir(directory).catch((error: unknown) => {
      throw new NoFiles(`${directory} cannot be read (${codeOf(error)})`);
    });
    return layoutOf(names);
  }

  async #file(name: string): Promise<string> {
    const path = join(this.#options.directory, name);
    try {
      const { size } = await stat(path);
      if (size > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
      return await readFile(path, "utf8");
    } catch (error) {
      throw new Error(`${path} cannot be read (${codeOf(error)})`);
    }
  }

  /** Changes whenever one of the files does, or another stands in its place. */
  async #signature(): Promise<string> {
    const layout = await this.#layout().catch(() => undefined);
    if (layout === undefined) return "";
    const parts = filesOf(layout).map(async (file) => {
      const found = await stat(join(this.#options.directory, file)).catch(() => undefined);
      return found && `${found.dev}:${found.ino}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`;
    });
    return (await Promise.all(parts)).join(" ");
  }

  async #warnOfReaders({ privateKey }: FileLayout): Promise<void> {
    if (this.#warned || process.platform === "win32") return;
    const path = join(this.#options.directory, privateKey);
    if (((await stat(path)).mode & OTHERS_READ) === 0) return;
    this.#warned = true;
    this.#options.onWarning?.(
      `everybody on this machine may read the private key ${path}: chmod o-r it (Kubernetes: defaultMode 0440 of the volume)`,
    );
  }
}

/** @returns ends it. A folder that is not there, or cannot be watched, is only looked at */
function watchFolder(directory: string, onEvent: () => void): () => void {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent);
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
