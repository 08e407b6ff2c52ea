/**
 * What a process remembered of its last requests, as text that outlives it: a line that says whose and why, then a line for each
 * outcome, newest first.
 */

import type { OutcomeView } from "../admin/outcome-view.js";

export type DumpCause =
  /** A circuit breaker opened. */
  | "breaker"
  /** The process was asked to end. */
  | "end"
  /** It died of an error that nobody caught. */
  | "crash";

export interface DumpHead {
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly pid: number;
  readonly cause: DumpCause;
  /** What exactly, in words. */
  readonly reason: string;
  /** Unix ms. */
  readonly at: number;
}

export interface Dump extends DumpHead {
  readonly outcomes: readonly OutcomeView[];
}

/** Folder of dumps in a state directory, and how their files end. */
export const DUMP_FOLDER = "recorder";
export const DUMP_ENDING = ".jsonl";
/** A reader reads no more of a file, and a writer writes less: 256 outcomes of a few KB at the most. */
export const MOST_DUMP_BYTES = 4 * 1024 * 1024;

const FORMAT = "inmesh-recorder-1";

export function dumpText({ outcomes, ...head }: Dump): string {
  const lines = [JSON.stringify({ format: FORMAT, ...head })];
  let length = lines[0]?.length ?? 0;
  for (const outcome of outcomes) {
    const line = JSON.stringify(outcome);
    length += line.length + 1;
    if (length > MOST_DUMP_BYTES / 4) break; // a character may be four bytes; the newest came first
    lines.push(line);
  }
  return `${lines.join("\n")}\n`;
}

/** Undefined for what is none, or of a version that is not known. A last line that was cut off is left out. */
export function parseDump(text: string): Dump | undefined {
  const [first = "", ...rest] = text.split("\n");
  const head = parsed<DumpHead & { readonly format?: string }>(first);
  if (head?.format !== FORMAT || typeof head.at !== "number" || typeof head.service !== "string") return undefined;
  const { namespace, service, instance, pid, cause, reason, at } = head;
  const outcomes = rest.flatMap((line) => {
    const outcome = parsed<OutcomeView>(line);
    return isOutcome(outcome) ? [outcome] : [];
  });
  return { namespace, service, instance, pid, cause, reason, at, outcomes };
}

function parsed<Value>(line: string): Value | undefined {
  try {
    return JSON.parse(line) as Value;
  } catch {
    return undefined;
  }
}

/** Enough of one that a reader does not stumble. */
export function isOutcome(value: unknown): value is OutcomeView {
  if (typeof value !== "object" || value === null) return false;
  const { direction, wallMs, durationMs, attempts, ledger, host, traceId } = value as Partial<OutcomeView>;
  return (
    (direction === "inbound" || direction === "outbound") &&
    [wallMs, durationMs].every(Number.isFinite) &&
    Array.isArray(attempts) &&
    typeof ledger === "object" &&
    ledger !== null &&
    typeof host === "string" &&
    typeof traceId === "string"
  );
}
