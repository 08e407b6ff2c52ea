/** Findings about Consul's config entries: they name the entry as a file, `consul:service-router/web`. */

import type { Origin, Problem, Severity } from "@inmesh/model";

export type EntryProblemCode = "IM0730" | "IM0731" | "IM0201";

/** @param origin `service-router/web` */
export function entryProblem(code: EntryProblemCode, severity: Severity, origin: string, message: string): Problem {
  return { code, severity, message, resource: "", path: "", file: `consul:${origin}`, line: 0, column: 0 };
}

/** Of a document made from an entry. */
export function entryOrigin(origin: string): Origin {
  const file = `consul:${origin}`;
  return { file, line: 0, column: 0, locate: () => ({ line: 0, column: 0 }) };
}
