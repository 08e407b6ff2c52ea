/**
 * A request body that can be read once, offered to several attempts: what was read is kept while it is small, and a later
 * attempt gets it again before the rest. Beyond the cap the body is passed on and forgotten, and the attempt that sent
 * it is the last (pitfalls R2).
 */

import { Readable } from "node:stream";
import { BodyCopy } from "./body-copy.js";

/** Linkerd's figure, unless policy says another; what mirrors keep of a body always. In bytes. */
export const REPLAY_CAP_BYTES = 64 * 1024;

type Source = AsyncIterator<unknown> | Iterator<unknown>;

export interface ReplayBodyOptions {
  /** The body itself broke: nothing a peer did, so nothing to try again. */
  readonly onError: (error: unknown) => void;
  readonly capBytes?: number;
}

export class ReplayBody {
  readonly #stream: NodeJS.ReadableStream | undefined;
  readonly #source: Source;
  #capBytes: number;
  #kept: unknown[] | undefined = [];
  #keptBytes = 0;
  #reading: Promise<void> | undefined;
  #ended = false;
  #failed = false;
  #error: unknown;
  #view: View | undefined;
  #copy: BodyCopy | undefined;

  constructor(body: object, { onError, capBytes = REPLAY_CAP_BYTES }: ReplayBodyOptions) {
    this.#capBytes = capBytes;
    if (isStream(body)) {
      this.#stream = body;
      // Stays for good: a body that breaks after its call has ended must not take the process with it (pitfalls P11).
      body.on("error", onError);
    }
    this.#source = iterate(body);
  }

  /** What policy allows to keep; to be said before anybody has begun to read. */
  keep(bytes: number): void {
    this.#capBytes = bytes;
  }

  /** Everything read so far is still here. */
  canReplay(): boolean {
    return this.#kept !== undefined && !this.#failed;
  }

  /** The body from its beginning, for one attempt. What an earlier attempt still holds of it ends at once. */
  open(): AsyncIterable<unknown> {
    this.#view = new View(this);
    return this.#view;
  }

  /** For somebody else, who gets it when it is read to its end. To be asked before anybody has begun to read. */
  copy(): BodyCopy {
    this.#copy ??= new BodyCopy();
    return this.#copy;
  }

  /** No further attempt follows: nothing has to be kept. */
  commit(): void {
    if (this.#view === undefined || this.#kept === undefined) return;
    this.#view.rest = this.#kept.slice(this.#view.index);
    this.#kept = undefined;
  }

  /** The call is over, with or without the whole body having been sent. */
  close(reason: unknown): void {
    this.#view = undefined;
    this.#kept = undefined;
    if (this.#ended || this.#failed) return;
    this.#ended = true;
    this.#copy?.lose("bodyIncomplete");
    const stream = this.#stream as Readable | undefined;
    if (stream !== undefined) stream.destroy?.(reason instanceof Error ? reason : undefined);
    else void Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  failedWith(error: unknown): boolean {
    return this.#failed && this.#error === error;
  }

  /** @throws what the body threw, or when the attempt that asks is not the last one */
  async next(view: View): Promise<IteratorResult<unknown>> {
    for (;;) {
      if (view !== this.#view) throw new Error("the attempt that sent this body is over");
      if (view.rest !== undefined && view.rest.length > 0) return { done: false, value: view.rest.shift() };
      const kept = this.#kept;
      if (kept !== undefined && view.index < kept.length) return { done: false, value: kept[view.index++] };
      if (this.#failed) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      this.#reading ??= this.#read();
      await this.#reading;
    }
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#ended = true;
        this.#copy?.end();
      } else this.#take(value);
    } catch (error) {
      this.#failed = true;
      this.#error = error;
      this.#copy?.lose("bodyIncomplete");
    } finally {
      this.#reading = undefined;
    }
  }

  #take(chunk: unknown): void {
    const kept = this.#kept;
    this.#keptBytes += byteLength(chunk);
    if (this.#keptBytes <= REPLAY_CAP_BYTES) this.#copy?.take(chunk);
    else this.#copy?.lose("bodyTooLarge");
    if (kept !== undefined && this.#keptBytes <= this.#capBytes) {
      kept.push(chunk);
      return;
    }
    const view = this.#view;
    if (view === undefined) return;
    view.rest ??= [];
    if (kept !== undefined) view.rest.push(...kept.slice(view.index));
    view.rest.push(chunk);
    this.#kept = undefined;
  }
}

/** One attempt's reading of the body. */
class View implements AsyncIterableIterator<unknown> {
  readonly #body: ReplayBody;
  index = 0;
  /** Chunks that are kept for nobody else any more. */
  rest: unknown[] | undefined = undefined;

  constructor(body: ReplayBody) {
    this.#body = body;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<unknown>> {
    return this.#body.next(this);
  }

  /** The source outlives the attempt. */
  return(): Promise<IteratorResult<unknown>> {
    return Promise.resolve({ done: true, value: undefined });
  }
}

function isStream(body: object): body is NodeJS.ReadableStream {
  const { pipe, on } = body as { pipe?: unknown; on?: unknown };
  return typeof pipe === "function" && typeof on === "function";
}

function iterate(body: object): Source {
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = body as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >;
  if (typeof later === "function") return later.call(body);
  if (typeof now === "function") return now.call(body);
  // Streams older than Readable, such as those of the form-data package.
  const wrapped = new Readable().wrap(body as NodeJS.ReadableStream);
  wrapped.on("error", () => {}); // the iterator throws it, and the body itself is listened to
  return wrapped[Symbol.asyncIterator]();
}

function byteLength(chunk: unknown): number {
  if (typeof chunk === "string") return Buffer.byteLength(chunk);
  return ArrayBuffer.isView(chunk) ? chunk.byteLength : Number.POSITIVE_INFINITY; // nothing we know how to keep
}
