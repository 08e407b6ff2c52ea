/** What a process asks for itself, by `accessLog` or INMESH_ACCESS_LOG, whatever policy says. */

import type { OutcomeRecord } from "@inmesh/core";
import type { AccessLogEntry } from "./entry.js";
import { durationMs, isFailure } from "./fields.js";

/** A logger such as pino; `info` gets the entry and a sentence. */
export interface EntryLogger {
  info(entry: AccessLogEntry, message: string): void;
}

export interface OwnLog {
  readonly encoding: "text" | "json";
  /** Envoy's text with operators, or a map of names to such texts; absent: what its encoding has. */
  readonly format?: string | Readonly<Record<string, unknown>>;
  /** A file, `stdout` or `stderr`. */
  readonly path: string;
  /** In place of a file. */
  readonly to?: EntryLogger | ((entry: AccessLogEntry) => void);
  /** Of what neither failed nor was slow, 0–1. */
  readonly sampleRatio: number;
  /** From here on a call is slow and always written; Infinity: none is. */
  readonly slowMs: number;
  readonly query: boolean;
  /** Past which a file is set aside as `NAME.1`, in bytes; absent: never. */
  readonly maxBytes?: number;
}

/** @param chance in [0, 1) */
export function isWanted({ sampleRatio, slowMs }: OwnLog, record: OutcomeRecord, chance: () => number): boolean {
  if (sampleRatio >= 1) return true;
  return isFailure(record) || durationMs(record) >= slowMs || (sampleRatio > 0 && chance() < sampleRatio);
}
