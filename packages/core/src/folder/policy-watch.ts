/**
 * Keeps `PolicyFiles` in step with the disk. `fs.watch` says when to look, a rescan at a bounded cost says what it
 * missed: it loses events under load, on network file systems and when a folder is replaced.
 */

import { basename, dirname, join } from "node:path";
import type { Problem } from "@inmesh/model";
import type { Clock, Timer } from "../runtime/clock.js";
import { registryProblem } from "../snapshot/registry-problem.js";
import { errorCode, type FileStat, type FileSystem, TEMPORARY, type Watching } from "./files.js";
import { HISTORY } from "./folder-history.js";
import { LOCK } from "./folder-lock.js";
import type { PolicyFiles } from "./policy-files.js";
import { type PolicyTree, readPolicyTree } from "./policy-tree.js";
import { FileSettler, SETTLE_MS } from "./settle.js";

export interface PolicyWatchOptions {
  readonly root: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly policy: PolicyFiles;
  /** Called after every look: whether policy changed, and why the root could not be read when it could not. */
  readonly onLook: (look: { readonly changed: boolean; readonly failure: string | undefined }) => void;
  /** The folder of leases came, went or changed its mode. */
  readonly onLeaseFolder: () => void;
  /** Between two looks without an event, in ms, while looking is cheap; less than half of it while the watch is deaf. */
  readonly rescanMs: number;
}

/** In ms, from an event to the look it causes: a save is several events. */
const DEBOUNCE_MS = 20;
/** In ms: a look takes 7 us of CPU per file, so a rescan after this much per file takes 0.7 % of a core. */
const RESCAN_MS_PER_FILE = 1;
const MAX_RESCAN_MS = 5_000;
/** In ms, between two looks at a root that cannot be read: nothing tells when it comes back, and looking is cheap. */
const ABSENT_MS = 250;
/** How much sooner a rescan comes once a change was found that no event had told. */
const DEAF_RATIO = 0.4;
/** In ms: changes that arrive together are shown together, but not later than this. */
const HOLD_MS = 500;
/** Each takes a kernel watch; folders beyond are seen by the rescan. */
const MAX_WATCHES = 256;
const READS_AT_ONCE = 16;
const MAX_FILE_BYTES = 8 * 1024 * 1024;

export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #settler: FileSettler;
  readonly #watches = new Map<string, { readonly id: string; readonly watching: Watching }>();
  #timer: Timer | undefined;
  #dueAt = Infinity;
  #looking: Promise<void> | undefined;
  #closed = false;
  /** An event came since the last look. */
  #heard = false;
  #fileCount = 0;
  #deaf = false;
  /** What the last look left to be looked at again, as ms. */
  #restless: number | undefined;
  /** Something changed that was not shown yet, since when. */
  #heldSince: number | undefined;
  #problems: readonly Problem[] = [];
  #watchFailure: string | undefined;

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#settler = new FileSettler(options.clock);
  }

  /** The first look needs no timer: ours keep no process alive, and a script may be waiting for just this. */
  start(): void {
    this.#start();
  }

  /** About the folder rather than about a file in it. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unwatch(() => true);
    await this.#looking;
  }

  #lookIn(ms: number): void {
    const at = this.#options.clock.now() + ms;
    if (this.#closed || at >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = at;
    if (this.#looking !== undefined) return; // its end arms the timer
    this.#timer = this.#options.clock.after(ms, () => this.#start());
  }

  #start(): void {
    const { clock } = this.#options;
    this.#dueAt = Infinity;
    this.#looking = this.#look().then((againInMs) => {
      this.#looking = undefined;
      const restMs = Math.min(MAX_RESCAN_MS, this.#fileCount * RESCAN_MS_PER_FILE);
      const rescanMs = this.#options.rescanMs * (this.#deaf ? DEAF_RATIO : 1);
      const dueAt = Math.min(this.#dueAt, clock.now() + (againInMs ?? Math.max(rescanMs, restMs)));
      this.#dueAt = Infinity;
      this.#lookIn(Math.max(0, dueAt - clock.now()));
    });
  }

  /** One look at the whole folder. @returns ms after which to look again because something is not at rest */
  async #look(): Promise<number | undefined> {
    const { files, root, onLook, clock } = this.#options;
    let tree: PolicyTree;
    try {
      tree = await readPolicyTree(files, root);
    } catch (error) {
      this.#unwatch(() => true); // a folder that comes back is another one
      if (!this.#closed) onLook({ changed: false, failure: describeFailure(root, error) });
      return Math.min(ABSENT_MS, this.#options.rescanMs);
    }
    if (this.#closed) return undefined;
    this.#fileCount = tree.files.size;
    const heard = this.#heard;
    this.#heard = false;
    const { read, gone, againInMs } = this.#settler.decide(tree.files, (path) => isBelow(path, tree.hidden));
    if (heard) this.#deaf = false;
    else if (againInMs !== undefined && this.#restless === undefined) this.#deaf = true;
    this.#restless = againInMs;
    let changed = false;
    for (const path of gone) {
      this.#settler.drop(path);
      changed = this.#options.policy.remove(path) || changed;
    }
    for (let start = 0; start < read.length; start += READS_AT_ONCE) {
      const batch = read.slice(start, start + READS_AT_ONCE);
      const results = await Promise.all(batch.map((path) => this.#read(path, tree.files.get(path)!))); // decided from these
      changed = results.includes(true) || changed;
    }
    if (this.#closed) return undefined;
    this.#rewatch(tree.directories);
    changed = this.#note(tree) || changed;
    if (changed) this.#heldSince ??= clock.now();
    const show = this.#heldSince !== undefined && (againInMs === undefined || clock.now() - this.#heldSince >= HOLD_MS);
    if (show) this.#heldSince = undefined;
    onLook({ changed: show, failure: undefined });
    return againInMs;
  }

  async #read(path: string, stat: FileStat): Promise<boolean> {
    const { files, root, policy } = this.#options;
    const name = path === "" ? basename(root) : path;
    if (stat.bytes > MAX_FILE_BYTES) {
      this.#settler.take(path, stat);
      return policy.unreadable(name, `it has ${stat.bytes} bytes, more than ${MAX_FILE_BYTES}`);
    }
    try {
      const text = await files.read(join(root, path));
      // Written to while it was read: what stood before is better than a part.
      const torn = policy.has(name) && (await files.stat(join(root, path))).signature !== stat.signature;
      if (torn) {
        this.#lookIn(SETTLE_MS);
        return false;
      }
      this.#settler.take(path, stat);
      return policy.update(name, text);
    } catch (error) {
      const code = errorCode(error);
      return code === "ENOENT" ? false : policy.unreadable(name, code); // looked for again at every look
    }
  }

  #rewatch(directories: ReadonlyMap<string, FileStat>): void {
    const { root, files } = this.#options;
    // The folder around a single file: a rename replaces the file and its watch with it.
    const wanted: ReadonlyMap<string, FileStat | undefined> =
      directories.size > 0 ? directories : new Map([["..", undefined]]);
    this.#unwatch((path, id) => !wanted.has(path) || (wanted.get(path)?.id ?? "") !== id);
    for (const [path, stat] of wanted) {
      if (this.#watches.has(path)) continue;
      if (this.#watches.size >= MAX_WATCHES) return;
      const directory = path === ".." ? dirname(root) : join(root, path);
      try {
        const watching = files.watch(
          directory,
          ({ name }) => {
            // Its own name: the folder itself was moved or removed, and this watch is dead.
            if (name === basename(directory)) this.#unwatch((other) => other === path);
            this.#onEvent(name);
          },
          () => {
            this.#unwatch((other) => other === path);
            this.#lookIn(DEBOUNCE_MS);
          },
        );
        this.#watches.set(path, { id: stat?.id ?? "", watching });
        this.#watchFailure = undefined;
        this.#lookIn(DEBOUNCE_MS); // what happened between the listing and the watch
        this.#options.onLeaseFolder();
      } catch (error) {
        this.#watchFailure = errorCode(error);
        return;
      }
    }
  }

  #unwatch(which: (path: string, id: string) => boolean): void {
    for (const [path, { id, watching }] of this.#watches) {
      if (!which(path, id)) continue;
      watching.close();
      this.#watches.delete(path);
    }
  }

  #onEvent(name: string | null): void {
    // Our own leases and files half written. Other dot names count: Kubernetes swaps a ConfigMap by renaming `..data`.
    if (name === LEASES) return this.#options.onLeaseFolder();
    if (name?.endsWith(TEMPORARY) || name?.startsWith(LOCK) || name === HISTORY) return;
    this.#heard = true;
    this.#lookIn(DEBOUNCE_MS);
  }

  /** Findings about the folder. @returns whether they changed */
  #note({ hidden, truncated }: PolicyTree): boolean {
    const { root } = this.#options;
    const locked = [...hidden].filter(([, code]) => code !== "ENOENT"); // gone while we looked: next time it is not listed
    const problems = locked.map(([path, code]) =>
      registryProblem(
        "IM0702",
        "error",
        `folder ${path} cannot be listed: ${code}. What its files last said stays in force; make it readable for this user.`,
        { file: path },
      ),
    );
    if (truncated)
      problems.push(
        registryProblem(
          "IM0705",
          "error",
          `${root} holds more files or deeper folders than a registry may. The rest is left out; is it the right folder?`,
        ),
      );
    if (this.#watchFailure !== undefined)
      problems.push(
        registryProblem(
          "IM0709",
          "warning",
          `${root} cannot be watched: ${this.#watchFailure}. Changes are found by looking, up to ${MAX_RESCAN_MS} ms late; raise the system's limit of file watches.`,
        ),
      );
    const same = problems.map(({ message }) => message).join() === this.#problems.map(({ message }) => message).join();
    if (!same) this.#problems = problems;
    return !same;
  }
}

/** Name of the folder of leases. */
export const LEASES = ".workloads";

function isBelow(path: string, folders: ReadonlyMap<string, string>): boolean {
  for (const folder of folders.keys()) if (path.startsWith(`${folder}/`)) return true;
  return false;
}

function describeFailure(root: string, error: unknown): string {
  const code = errorCode(error);
  if (code === "ENOENT") return `${root} does not exist`;
  if (code === "EACCES" || code === "EPERM") return `${root} cannot be read by this user (${code})`;
  return `${root} cannot be read (${code})`;
}
