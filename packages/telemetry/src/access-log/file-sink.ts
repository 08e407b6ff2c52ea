/**
 * A file that lines are appended to. Opened with the first of them, again when somebody moved it away (logrotate needs no
 * signal), and set aside as `NAME.1` when it has grown past its bound.
 */

import { constants, openSync, writeSync } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { faultText, type LineSink, linesIn, type SinkFault } from "./line-sink.js";

/** For this user alone: paths and addresses are nobody else's business. An existing file keeps its mode. */
const MODE = 0o600;
/** A FIFO without a reader fails at once instead of waiting for one. Not on Windows. */
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

export interface FileSinkOptions {
  readonly path: string;
  /** Bytes past which it is set aside; absent: never. */
  readonly maxBytes?: number;
}

export class FileSink implements LineSink {
  readonly name: string;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #inode = "";
  #size = 0;
  /** The last write ended within a line. */
  #torn = false;

  constructor({ path, maxBytes = Number.POSITIVE_INFINITY }: FileSinkOptions) {
    this.name = path;
    this.#maxBytes = maxBytes;
  }

  async write(chunk: string): Promise<SinkFault | undefined> {
    let rest = Buffer.from(this.#torn ? `\n${chunk}` : chunk);
    try {
      const file = await this.#open();
      while (rest.length > 0) {
        const { bytesWritten } = await file.write(rest);
        this.#torn = rest[bytesWritten - 1] !== NEWLINE;
        this.#size += bytesWritten;
        rest = rest.subarray(bytesWritten);
      }
      return undefined;
    } catch (error) {
      // A FIFO whose reader went gets another; a file system that is read-only, room again.
      return { message: faultText(error), dead: false, lost: linesIn(rest.toString("latin1")) };
    }
  }

  writeNow(chunk: string): void {
    try {
      // A program that is over within a second has not opened it yet; its descriptor ends with it.
      const descriptor = this.#file?.fd ?? openSync(this.name, FLAGS, MODE);
      writeSync(descriptor, this.#torn ? `\n${chunk}` : chunk);
    } catch {
      // nothing can be said any more
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close().catch(() => {});
  }

  async #open(): Promise<FileHandle> {
    if (this.#file !== undefined && (await this.#isElsewhere())) await this.close();
    if (this.#size > this.#maxBytes) {
      await this.close();
      await rename(this.name, `${this.name}.1`);
    }
    if (this.#file !== undefined) return this.#file;
    const file = await open(this.name, FLAGS, MODE);
    const { dev, ino, size } = await file.stat();
    this.#file = file;
    this.#inode = `${dev}:${ino}`;
    this.#size = size;
    return file;
  }

  async #isElsewhere(): Promise<boolean> {
    const found = await stat(this.name).catch(() => undefined);
    return found === undefined || `${found.dev}:${found.ino}` !== this.#inode;
  }
}

const NEWLINE = 0x0a;
