/**
 * One line for each call that ended and each request that was served, as policy (Telemetry, MeshConfig) and the process itself
 * ask for it. Told of records by the engine; costs nothing but a look where nobody asks.
 */

import type { Clock, OutcomeRecord, OutcomeSink, Random } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { atProcess } from "@inmesh/core/internal";
import { type AccessLogPolicy, NO_TELEMETRY_POLICY, type TelemetryPolicy } from "@inmesh/model";
import { OutcomeAttributes } from "../outcome-attributes.js";
import { entryOf } from "./entry.js";
import type { LineContext } from "./fields.js";
import { FileSink } from "./file-sink.js";
import { compileJson, compileText, DEFAULT_TEXT, type WriteLine } from "./format-line.js";
import { jsonLines } from "./json-line.js";
import { LateLogs } from "./late-logs.js";
import type { LineSink } from "./line-sink.js";
import { LineWriter } from "./line-writer.js";
import { compileOtel, type LogSender } from "./otel-sink.js";
import { isWanted, type OwnLog } from "./own-log.js";
import { type LineStream, StreamSink } from "./stream-sink.js";

export interface AccessLogOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** In force at the moment. */
  readonly policy: () => TelemetryPolicy | undefined;
  readonly service: string;
  readonly workload: string;
  readonly stdout: () => LineStream;
  readonly stderr: () => LineStream;
  /** Sends log records where the process has no provider of them; undefined: its environment does not say where to. */
  readonly openLogs: () => Promise<LogSender | undefined>;
  readonly onNotice: (message: string) => void;
}

export interface AccessLogReading {
  /** As it is written: `stdout`, a path, `function`, `otel`. */
  readonly to: string;
  readonly written: number;
  readonly dropped: number;
}

interface Target {
  /** Where its lines go; two of the same are one. */
  readonly place: string;
  readonly write: (record: OutcomeRecord) => void;
}

/** For the last lines of a writer that policy has no use for any more, in ms. */
const CLOSE_MS = 2_000;
/** Paths that policy may have files at, at a time. */
const MOST_WRITERS = 16;

export class AccessLog implements OutcomeSink {
  readonly #options: AccessLogOptions;
  readonly #attributes = new OutcomeAttributes();
  readonly #writers = new Map<string, LineWriter>();
  /** Of targets that have no writer. */
  readonly #counts = new Map<string, { written: number; dropped: number; said: boolean }>();
  #own: OwnLog | undefined;
  #off = false;
  #logs: LateLogs | undefined;
  #compiled: TelemetryPolicy | undefined;
  #outbound: readonly Target[] = [];
  #inbound: readonly Target[] = [];
  readonly #forgetExit: () => void;
  #forgetLastTurn: (() => void) | undefined;

  /** @param own `off`: nothing is written, whatever policy says; undefined: what policy says */
  constructor(own: OwnLog | "off" | undefined, options: AccessLogOptions) {
    this.#options = options;
    this.#off = own === "off";
    this.#own = own === "off" ? undefined : own;
    this.#forgetExit = atProcess("exit", () => {
      for (const writer of this.#writers.values()) writer.writeNow();
    });
  }

  ended(record: OutcomeRecord): void {
    const policy = this.#options.policy() ?? NO_TELEMETRY_POLICY;
    if (policy !== this.#compiled) this.#compile(policy);
    const targets = record.direction === "outbound" ? this.#outbound : this.#inbound;
    for (const target of targets) target.write(record);
  }

  read(): readonly AccessLogReading[] {
    const files = [...this.#writers.values()].map(({ name, written, dropped }) => ({ to: name, written, dropped }));
    const others = [...this.#counts].map(([to, { written, dropped }]) => ({ to, written, dropped }));
    return [...files, ...others];
  }

  async flush(timeoutMs: number): Promise<void> {
    const files = [...this.#writers.values()].map((writer) => writer.flush(timeoutMs));
    const sent = this.#logs && settled(this.#options.clock, timeoutMs, this.#logs.flush());
    await Promise.all([...files, sent]);
  }

  async close(): Promise<void> {
    this.#forgetExit();
    this.#forgetLastTurn?.();
    this.#off = true;
    this.#outbound = [];
    this.#inbound = [];
    const files = [...this.#writers.values()].map((writer) => writer.close(CLOSE_MS));
    const sent = this.#logs && settled(this.#options.clock, CLOSE_MS, this.#logs.close());
    await Promise.all([...files, sent]);
    this.#writers.clear();
  }

  #compile(policy: TelemetryPolicy): void {
    this.#compiled = policy;
    if (this.#off) return;
    const own = this.#own === undefined ? [] : [this.#ownTarget(this.#own)];
    const of = (logs: readonly AccessLogPolicy[]): readonly Target[] => [
      ...own,
      // What the process writes itself to the same place is there already.
      ...logs.map((log) => this.#target(log)).filter(({ place }) => !own.some((target) => target.place === place)),
    ];
    this.#outbound = of(policy.client.accessLogs);
    this.#inbound = of(policy.server.accessLogs);
    const used = new Set([...this.#outbound, ...this.#inbound].map(({ place }) => place));
    for (const [place, writer] of this.#writers) {
      if (used.has(place)) continue;
      this.#writers.delete(place);
      void writer.close(CLOSE_MS);
    }
  }

  /** With the first record that nobody else takes. */
  readonly #openedLogs = (): LateLogs => {
    if (this.#logs !== undefined) return this.#logs;
    this.#logs = new LateLogs(this.#options.openLogs, (reason) => {
      this.#options.onNotice(`access log otel: no log records are sent, OpenTelemetry's SDK did not start: ${reason}`);
    });
    this.#forgetLastTurn = atProcess("beforeExit", this.#onLastTurn);
    return this.#logs;
  };

  /** A script that is done: OpenTelemetry's batches would wait for more. */
  readonly #onLastTurn = (): void => void this.flush(CLOSE_MS);

  #ownTarget(own: OwnLog): Target {
    const write = this.#ownWriter(own);
    const { random } = this.#options;
    const chance = (): number => random.next();
    return {
      place: own.to === undefined ? placeOf(own.path) : "function",
      write: (record) => {
        if (isWanted(own, record, chance)) write(record);
      },
    };
  }

  #ownWriter({ to, path, encoding, format, query, maxBytes }: OwnLog): (record: OutcomeRecord) => void {
    const context = this.#context(query);
    if (to !== undefined) {
      return this.#guarded("function", (record) => {
        const entry = entryOf(record, context);
        if (typeof to === "function") to(entry);
        else to.info(entry, `${entry.method} ${entry.path} ${entry.response_code}`);
        return true;
      });
    }
    const line = lineOf(encoding, format, context);
    const writer = this.#writer(path, maxBytes);
    return (record) => writer.write(line(record));
  }

  #target({ provider, filter }: AccessLogPolicy): Target {
    const context = this.#context(false);
    const place = provider.kind === "otel" ? "otel" : placeOf(provider.path);
    const write =
      provider.kind === "otel"
        ? this.#guarded("otel", compileOtel(provider, context, this.#openedLogs))
        : this.#lineTarget(provider.path, lineOf(provider.encoding, provider.format, context));
    if (filter === undefined) return { place, write };
    const attributes = this.#attributes;
    return {
      place,
      write: (record) => {
        attributes.record = record;
        const passes = filter.evaluate(attributes) === true;
        attributes.record = undefined;
        if (passes) write(record);
      },
    };
  }

  #lineTarget(path: string, line: WriteLine): (record: OutcomeRecord) => void {
    const writer = this.#writer(path);
    return (record) => writer.write(line(record));
  }

  /** Of somebody else's code: what it throws is counted and said once. */
  #guarded(name: string, work: (record: OutcomeRecord) => boolean): (record: OutcomeRecord) => void {
    const counts = this.#counts.get(name) ?? { written: 0, dropped: 0, said: false };
    this.#counts.set(name, counts);
    return (record) => {
      try {
        if (work(record)) counts.written++;
        else counts.dropped++;
      } catch (error) {
        counts.dropped++;
        if (counts.said) return;
        counts.said = true;
        const why = messageOf(error);
        this.#options.onNotice(`access log ${name}: it threw, and its entry is lost: ${why}`);
      }
    };
  }

  #context(query: boolean): LineContext {
    const { service, workload } = this.#options;
    return { service, workload, query };
  }

  #writer(path: string, maxBytes?: number): LineWriter {
    const place = placeOf(path);
    const known = this.#writers.get(place);
    if (known !== undefined) return known;
    const { clock, onNotice } = this.#options;
    const full = this.#writers.size >= MOST_WRITERS;
    if (full) onNotice(`access log ${path}: more than ${MOST_WRITERS} files; its lines go to stdout`);
    const writer = new LineWriter({ sink: this.#sink(full ? "stdout" : place, maxBytes), clock, onNotice });
    this.#writers.set(place, writer);
    return writer;
  }

  #sink(place: string, maxBytes: number | undefined): LineSink {
    const { stdout, stderr } = this.#options;
    if (place === "stdout") return new StreamSink("stdout", stdout);
    if (place === "stderr") return new StreamSink("stderr", stderr);
    return new FileSink({ path: place, ...(maxBytes !== undefined && { maxBytes }) });
  }
}

/** Never rejects: OpenTelemetry's own log says what became of it. */
function settled(clock: Clock, timeoutMs: number, sending: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(timeoutMs, resolve);
    const done = (): void => {
      timer.cancel();
      resolve();
    };
    sending.then(done, done);
  });
}

/** The names that containers have for a process's own streams, too. */
function placeOf(path: string): string {
  if (/^(?:stdout|-|\/dev\/stdout|\/dev\/fd\/1|\/proc\/self\/fd\/1)$/.test(path)) return "stdout";
  return /^(?:stderr|\/dev\/stderr|\/dev\/fd\/2|\/proc\/self\/fd\/2)$/.test(path) ? "stderr" : path;
}

function lineOf(
  encoding: "text" | "json",
  format: string | Readonly<Record<string, unknown>> | undefined,
  context: LineContext,
): WriteLine {
  if (typeof format === "string") return compileText(format, context.query);
  if (format !== undefined) return compileJson(format, context.query);
  if (encoding === "text") return compileText(DEFAULT_TEXT, context.query);
  return jsonLines(context);
}
