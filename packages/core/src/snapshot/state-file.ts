/**
 * The last good policy on disk, for a start while the registry is away. It decides where requests go, so it is an input
 * to be distrusted: only a file that this user wrote, that nobody else may write, whole and not too old is used.
 *
 * It holds policy documents and the instances last seen, as JSON lines between a header and a checksum; no keys. Endpoints
 * from old leases may be gone: calls find out as they do for any endpoint that refuses.
 */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Document, Problem, Workload } from "@inmesh/model";
import { type Clock, systemClock, type Timer } from "../runtime/clock.js";
import type { UsedService } from "./demand.js";
import { registryProblem } from "./registry-problem.js";
import type { KnownService, Lease } from "./source.js";

/** What a start without registry needs; the parts of a RegistryView by the same names. */
export interface StateContent {
  readonly documents: readonly Document[];
  readonly leases: readonly Lease[];
  /** @default none */
  readonly workloads?: readonly Workload[];
  /** Absent where the registry tells everything anyway. */
  readonly services?: readonly KnownService[];
  /** Services that were called, of a registry that tells instances only of those. @default none */
  readonly used?: readonly UsedService[];
}

/** Whose state it is. Stands in the file, so that one of another registry or service is seen to be that. */
export interface StateOwner {
  /** As it may be shown: no secret. */
  readonly registry: string;
  readonly namespace: string;
  readonly service: string;
}

export interface SavedState extends StateContent {
  /** Wall time, ms since 1970. */
  readonly savedAt: number;
}

export interface StateFileOptions {
  /** See `stateDirectory`. Made, with its parents, at the first save. */
  readonly directory: string;
  readonly owner: StateOwner;
  readonly clock?: Clock;
  /** Older content is left alone, in ms. @default 7 days */
  readonly maxAgeMs?: number;
  /** Told once why the state is not used, and once why it cannot be saved. */
  readonly onWarning?: (warning: Problem) => void;
}

const FORMAT = "inmesh-state";
const SCHEMA = 2;
/** Before it, a file did not say whose it is: its folder's name did, and held documents and leases alone. */
const EARLIER_SCHEMA = 1;
const FILE = "policy.jsonl";
const MAX_AGE_MS = 7 * 24 * 3_600_000;
const MAX_BYTES = 256 * 1024 * 1024;
/** In ms: changes within it are saved together. */
const SAVE_DELAY_MS = 1_000;
/** Lines between two turns of the event loop. */
const LINES_PER_TURN = 256;

/** `$INMESH_STATE_DIR`, else `$XDG_CACHE_HOME/inmesh`, and in it a folder per registry and service. */
export function stateDirectory(
  env: Readonly<Record<string, string | undefined>>,
  { registry, namespace, service }: StateOwner,
  home: () => string = homedir,
): string {
  const base = env["INMESH_STATE_DIR"] || join(env["XDG_CACHE_HOME"] || join(home(), ".cache"), "inmesh");
  const id = createHash("sha256")
    .update(JSON.stringify([registry, namespace, service]))
    .digest("hex")
    .slice(0, 16);
  return join(base, id);
}

export class StateFile {
  /** Several meshes of one process may save the same state at the same moment. */
  static #made = 0;
  readonly #temporary: string;
  readonly #directory: string;
  readonly #path: string;
  readonly #owner: StateOwner;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #onWarning: (warning: Problem) => void;
  /** A document or lease that did not change is not turned into text again. */
  readonly #lines = new WeakMap<object, string>();
  #wanted: StateContent | undefined;
  #saved: StateContent | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failing = false;

  constructor({
    directory,
    owner,
    clock = systemClock,
    maxAgeMs = MAX_AGE_MS,
    onWarning = () => {},
  }: StateFileOptions) {
    this.#directory = directory;
    this.#owner = { registry: owner.registry, namespace: owner.namespace, service: owner.service };
    this.#path = join(directory, FILE);
    this.#temporary = `${this.#path}.${process.pid}-${StateFile.#made++}.tmp`;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#onWarning = onWarning;
  }

  /** Undefined when there is none, or none to be trusted; never rejects. */
  async load(): Promise<SavedState | undefined> {
    try {
      const text = await this.#read();
      const found = text === undefined ? undefined : parseState(text, this.#owner);
      if (found === undefined) return undefined;
      // A clock set back makes it look newer than now: no reason to throw it away.
      if (this.#clock.wallTime() - found.savedAt > this.#maxAgeMs)
        throw new Unusable(`it was saved ${new Date(found.savedAt).toISOString()}, too long ago`);
      return found;
    } catch (error) {
      this.#onWarning(
        registryProblem(
          "IM0706",
          "warning",
          `the state in ${this.#path} is not used: ${reasonOf(error)}. Without it a start needs the registry. ${adviceFor(error)}`,
        ),
      );
      return undefined;
    }
  }

  get directory(): string {
    return this.#directory;
  }

  /** @returns why a save would fail now, in a word; undefined when it would not */
  async obstacle(): Promise<string | undefined> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await this.#checkDirectory();
      await access(this.#directory, constants.W_OK);
      return undefined;
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : reasonOf(error);
    }
  }

  /** Written after a moment, together with what changes until then. */
  save(content: StateContent): void {
    this.#wanted = content;
    if (this.#saved !== undefined && sameContent(this.#saved, content)) return;
    this.#timer ??= this.#clock.after(SAVE_DELAY_MS, () => this.#flush());
  }

  /** Writes the same again with today's date: the registry still says so. */
  refresh(): void {
    this.#saved = undefined;
    if (this.#wanted !== undefined) this.save(this.#wanted);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#flush();
    await this.#writing;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const content = this.#wanted;
    if (content === undefined) return;
    const temporary = this.#temporary;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await this.#checkDirectory();
      await unlink(temporary).catch(() => {});
      const handle = await open(temporary, "wx", 0o600);
      try {
        await this.#writeLines(handle, content);
      } finally {
        await handle.close();
      }
      await rename(temporary, this.#path);
      this.#saved = content;
      this.#failing = false;
    } catch (error) {
      await unlink(temporary).catch(() => {});
      if (this.#failing) return;
      this.#failing = true;
      this.#onWarning(
        registryProblem(
          "IM0707",
          "warning",
          `the state cannot be saved in ${this.#directory}: ${reasonOf(error)}. A start while the registry is away will have no policy; point INMESH_STATE_DIR to a folder that this user may write.`,
        ),
      );
    }
  }

  async #writeLines(handle: FileHandle, content: StateContent): Promise<void> {
    const hash = createHash("sha256");
    const write = async (text: string): Promise<void> => {
      hash.update(text);
      await handle.write(text);
    };
    const savedAt = this.#clock.wallTime();
    const { documents, leases, workloads = [], services, used = [] } = content;
    const lists = services === undefined ? {} : { lists: ["services"] };
    await write(`${JSON.stringify({ format: FORMAT, schema: SCHEMA, savedAt, owner: this.#owner, ...lists })}\n`);
    const items: [object, () => object][] = [
      ...documents.map((document): [object, () => object] => [document, () => ({ document: flatten(document) })]),
      ...leases.map((lease): [object, () => object] => [lease, () => ({ lease })]),
      ...workloads.map((workload): [object, () => object] => [workload, () => ({ workload })]),
      ...(services ?? []).map((service): [object, () => object] => [service, () => ({ service })]),
      ...used.map((one): [object, () => object] => [one, () => ({ used: one })]),
    ];
    for (let start = 0; start < items.length; start += LINES_PER_TURN) {
      const lines = items.slice(start, start + LINES_PER_TURN).map(([item, content]) => this.#line(item, content));
      await write(lines.join(""));
    }
    await handle.write(`${JSON.stringify({ sha256: hash.digest("hex") })}\n`);
  }

  #line(item: object, content: () => object): string {
    let line = this.#lines.get(item);
    if (line === undefined) {
      line = `${JSON.stringify(content())}\n`;
      this.#lines.set(item, line);
    }
    return line;
  }

  /** Undefined when there is no file. */
  async #read(): Promise<string | undefined> {
    let handle: FileHandle;
    try {
      await this.#checkDirectory();
      handle = await open(this.#path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      if (isCode(error, "ENOENT")) return undefined;
      throw error;
    }
    try {
      const stat = await handle.stat();
      checkOwner(stat, "the file");
      if (!stat.isFile() || stat.size > MAX_BYTES) throw new Unusable("it is no file of sensible size");
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  }

  async #checkDirectory(): Promise<void> {
    const stat = await lstat(this.#directory);
    if (!stat.isDirectory()) throw new Unusable(`${this.#directory} is no folder`);
    checkOwner(stat, "its folder");
  }
}

/** Why the state must not be used, in words, and what is to be done. */
class Unusable extends Error {
  readonly advice: string;

  constructor(message: string, advice = "Remove the file: the next one is written as soon as the registry answers.") {
    super(message);
    this.advice = advice;
  }
}

function adviceFor(error: unknown): string {
  return error instanceof Unusable ? error.advice : "Remove it, or see that this user may read it.";
}

function checkOwner({ uid, mode }: { readonly uid: number; readonly mode: number }, what: string): void {
  const self = process.getuid?.();
  if (self === undefined) return; // no such thing on this system
  const trust = "Look who wrote it, then remove it or correct its owner and mode.";
  if (uid !== self) throw new Unusable(`${what} belongs to user ${uid}, expected ${self}`, trust);
  if ((mode & 0o022) !== 0)
    throw new Unusable(`${what} can be written by others (mode ${(mode & 0o777).toString(8)})`, trust);
}

function parseState(text: string, owner: StateOwner): SavedState {
  const end = text.lastIndexOf("\n", text.length - 2) + 1;
  const trailer = parseLine(text.slice(end));
  const sha256 = createHash("sha256").update(text.slice(0, end)).digest("hex");
  if (trailer["sha256"] !== sha256) throw new Unusable("its checksum does not match, it is damaged or cut off");
  const [header = "", ...lines] = text.slice(0, end).trimEnd().split("\n");
  const { format, schema, savedAt, owner: found, lists } = parseLine(header);
  if (format !== FORMAT || typeof savedAt !== "number") throw new Unusable("it is no state of inmesh");
  if (schema !== SCHEMA && schema !== EARLIER_SCHEMA)
    throw new Unusable(`its schema is ${String(schema)}, expected ${SCHEMA}`);
  if (schema === SCHEMA) checkStateOwner(found, owner);
  const documents: Document[] = [];
  const leases: Lease[] = [];
  const workloads: Workload[] = [];
  const services: KnownService[] = [];
  const used: UsedService[] = [];
  for (const line of lines) {
    const { document, lease, workload, service, ...rest } = parseLine(line);
    if (document !== undefined) documents.push(unflatten(document as Flat));
    if (lease !== undefined) leases.push(lease as Lease);
    if (workload !== undefined) workloads.push(workload as Workload);
    if (service !== undefined) services.push(service as KnownService);
    if (rest["used"] !== undefined) used.push(rest["used"] as UsedService);
  }
  const tellsServices = Array.isArray(lists) && lists.includes("services");
  return { documents, leases, workloads, ...(tellsServices && { services }), used, savedAt };
}

/** The folder's name says the same, but a file can be copied. */
function checkStateOwner(found: unknown, { registry, namespace, service }: StateOwner): void {
  const saved = (typeof found === "object" && found !== null ? found : {}) as Partial<StateOwner>;
  if (saved.registry === registry && saved.namespace === namespace && saved.service === service) return;
  const text = (owner: Partial<StateOwner>): string =>
    `${owner.namespace ?? "?"}/${owner.service ?? "?"} at ${owner.registry ?? "?"}`;
  throw new Unusable(`it is that of ${text(saved)}, expected ${text({ registry, namespace, service })}`);
}

/** Objects without prototype, as documents hold them. */
function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line, (_, found: unknown) =>
      typeof found === "object" && found !== null && !Array.isArray(found)
        ? Object.assign(Object.create(null), found)
        : found,
    );
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Unusable("it is damaged or cut off");
}

type Flat = Omit<Document, "origin"> & {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly order?: number;
};

function flatten({ origin, ...document }: Document): Flat {
  const { file, line, column, order } = origin;
  return { ...document, file, line, column, ...(order !== undefined && { order }) };
}

/** The text is not kept: every field is located at its document's first line. */
function unflatten({ file, line, column, order, ...document }: Flat): Document {
  const locate = () => ({ line, column });
  return { ...document, origin: { file, line, column, ...(order !== undefined && { order }), locate } };
}

function sameContent(a: StateContent, b: StateContent): boolean {
  return (
    sameItems(a.documents, b.documents) &&
    sameItems(a.leases, b.leases) &&
    sameItems(a.workloads ?? [], b.workloads ?? []) &&
    (a.services === undefined) === (b.services === undefined) &&
    sameItems(a.services ?? [], b.services ?? []) &&
    sameItems(a.used ?? [], b.used ?? [])
  );
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
