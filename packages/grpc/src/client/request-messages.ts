/**
 * What a caller has sent of its request, kept as long as an attempt may need it from the beginning: the very buffers, not
 * copies. Attempts read it at their own pace; once one is answered, what it has sent is let go of.
 */

import type { BodyLoss } from "@inmesh/core/admin";
import type { MessageContext } from "./grpc-call.js";

interface Sent {
  readonly message: Buffer;
  readonly flags: number | undefined;
  /** Tells the caller that it may send more; undefined once it has. */
  callback: MessageContext["callback"];
}

/** Where an attempt writes to. */
export interface MessageTaker {
  sendMessageWithContext(context: MessageContext, message: Buffer): void;
  halfClose(): void;
}

/** Where an attempt counts what it has sent. */
export interface SentTally {
  sentBytes: number;
  sentMessages: number;
}

export class RequestMessages {
  #kept: Sent[] = [];
  /** Messages before `#kept[0]`. */
  #gone = 0;
  #bytes = 0;
  #limit = Number.POSITIVE_INFINITY;
  #ended = false;
  #replayable = true;
  /** Nearly always one. */
  #readers: MessageReader[] = [];
  #copies: MessageCopy[] | undefined = undefined;

  /** Whether it can be sent from its beginning. */
  get replayable(): boolean {
    return this.#replayable;
  }

  /** The caller has nothing more to send. */
  get ended(): boolean {
    return this.#ended;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param limit bytes kept for another attempt; with more there is none */
  keep(limit: number): void {
    this.#limit = limit;
    this.#judge();
  }

  send({ callback, flags }: MessageContext, message: Buffer): void {
    this.#kept.push({ message, flags, callback });
    if (this.#copies !== undefined) for (const copy of this.#copies) copy.take(message);
    this.#bytes += message.length;
    this.#judge();
    for (const reader of this.#readers) reader.pump();
  }

  end(): void {
    this.#ended = true;
    if (this.#copies !== undefined) for (const copy of this.#copies) copy.end(undefined);
    for (const reader of this.#readers) reader.pump();
  }

  /** No further attempt follows: what was sent is needed no more. */
  commit(): void {
    this.#replayable = false;
    this.#forget();
  }

  /** Nobody sends it any more: a caller that waits to send more is told to go on, into nothing. */
  close(): void {
    this.#replayable = false;
    this.#readers = [];
    if (this.#copies !== undefined) for (const copy of this.#copies) copy.end("bodyIncomplete");
    for (const sent of this.#kept) sent.callback?.();
    this.#kept = [];
  }

  /** For somebody else to send; asked for before the first message. @param limit in bytes; of more there is no copy */
  copy(limit: number): MessageCopy {
    const made = new MessageCopy(limit);
    this.#copies = [...(this.#copies ?? []), made];
    return made;
  }

  /** From the beginning. */
  open(taker: MessageTaker, tally: SentTally): MessageReader {
    const reader = new MessageReader(this, taker, tally);
    this.#readers.push(reader);
    reader.pump();
    return reader;
  }

  // ---- from readers ----

  at(index: number): Sent | undefined {
    return this.#kept[index - this.#gone];
  }

  /** Written once: the caller need not wait for anybody. */
  written(sent: Sent): void {
    const { callback } = sent;
    sent.callback = undefined;
    callback?.();
    this.#forget();
  }

  drop(reader: MessageReader): void {
    const index = this.#readers.indexOf(reader);
    if (index >= 0) this.#readers.splice(index, 1);
  }

  #judge(): void {
    if (this.#replayable && this.#bytes > this.#limit) this.commit();
  }

  #forget(): void {
    if (this.#replayable || this.#readers.length === 0) return;
    let needed = Number.POSITIVE_INFINITY;
    for (const { next } of this.#readers) if (next < needed) needed = next;
    if (needed <= this.#gone) return;
    this.#kept.splice(0, needed - this.#gone);
    this.#gone = needed;
  }
}

/** The same messages for a mirror, if all of them come and they are not too much. */
export class MessageCopy {
  readonly messages = new RequestMessages();
  readonly #limit: number;
  #loss: BodyLoss | undefined = undefined;
  #over = false;
  readonly #waiting: ((loss: BodyLoss | undefined) => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(message: Buffer): void {
    if (this.#over) return;
    if (this.messages.bytes + message.length > this.#limit) this.end("bodyTooLarge");
    else this.messages.send({}, message);
  }

  end(loss: BodyLoss | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#loss = loss;
    if (loss === undefined) this.messages.end();
    for (const then of this.#waiting) then(loss);
  }

  whole(then: (loss: BodyLoss | undefined) => void): void {
    if (this.#over) then(this.#loss);
    else this.#waiting.push(then);
  }
}

/** One attempt's way through the messages, one at a time: grpc-js has room for one before its own connection stands. */
export class MessageReader {
  /** Of the message to be sent next. */
  next = 0;
  readonly #messages: RequestMessages;
  readonly #taker: MessageTaker;
  readonly #tally: SentTally;
  #writing = false;
  #halfClosed = false;
  #closed = false;

  constructor(messages: RequestMessages, taker: MessageTaker, tally: SentTally) {
    this.#messages = messages;
    this.#taker = taker;
    this.#tally = tally;
  }

  pump(): void {
    while (!this.#writing && !this.#closed) {
      const sent = this.#messages.at(this.next);
      if (sent === undefined) break;
      this.next += 1;
      this.#writing = true;
      this.#tally.sentBytes += sent.message.length;
      this.#tally.sentMessages += 1;
      const { message, flags } = sent;
      const callback = (): void => this.#written(sent);
      this.#taker.sendMessageWithContext(flags === undefined ? { callback } : { callback, flags }, message);
    }
    if (this.#halfClosed || this.#closed || !this.#messages.ended || this.#messages.at(this.next) !== undefined) return;
    this.#halfClosed = true;
    this.#taker.halfClose();
  }

  close(): void {
    this.#closed = true;
    this.#messages.drop(this);
  }

  #written(sent: Sent): void {
    if (!this.#writing) return;
    this.#writing = false;
    this.#messages.written(sent);
    this.pump();
  }
}
