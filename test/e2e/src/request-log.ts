/** Counts the bookshop's raw log again, on its own: nothing here is shared with the story that made the claims. */

import { readFileSync } from "node:fs";

export interface LoggedRequest {
  readonly t: number;
  readonly phase: string;
  readonly id: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly user: string;
  readonly status: number;
  readonly version: string;
  readonly error: string;
  readonly ms: number;
  readonly attempts: Readonly<Record<string, number>>;
  readonly cut: readonly string[];
  readonly executed: number;
}

export interface Note {
  readonly t: number;
  readonly killed: string;
}

export interface RequestLog {
  readonly requests: readonly LoggedRequest[];
  readonly notes: readonly Note[];
  /** Times the generator could not keep up. */
  readonly skipped: number;
}

export function readRequestLog(file: string): RequestLog {
  const requests: LoggedRequest[] = [];
  const notes: Note[] = [];
  let skipped = 0;
  for (const line of readFileSync(file, "utf8").trimEnd().split("\n")) {
    const entry = JSON.parse(line);
    if (entry.id !== undefined) requests.push(entry);
    else if (entry.killed !== undefined) notes.push(entry);
    else skipped += 1;
  }
  return { requests, notes, skipped };
}

export function count<T>(all: readonly T[], wanted: (one: T) => boolean): number {
  let found = 0;
  for (const one of all) if (wanted(one)) found += 1;
  return found;
}

export const isFailed = ({ status }: LoggedRequest): boolean => status < 200 || status > 399;
export const isPage = ({ method }: LoggedRequest): boolean => method === "GET";
export const isOrder = ({ method }: LoggedRequest): boolean => method === "POST";
