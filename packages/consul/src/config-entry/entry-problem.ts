/** Findings about Consul's config entries: they name the entry as a file, `consul:service-router/web`. */

import type { Origin, Problem, Severity } from "@inmesh/model";

/** Code → when it appears. IM0201 is the model's. */
export const ENTRY_PROBLEMS = {
  IM0730: "a config entry of Consul cannot be understood and is left out",
  IM0731: "a config entry of Consul gives way to policy of the mesh for the same host",
} as const;

export type EntryProblemCode = keyof typeof ENTRY_PROBLEMS | "IM0201" | "IM0004";

/** @param origin `service-router/web` */
export function entryProblem(code: EntryProblemCode, severity: Severity, origin: string, message: string): Problem {
  return { code, severity, message, resource: "", path: "", file: `consul:${origin}`, line: 0, column: 0 };
}

/** Of a document made from an entry. */
export function entryOrigin(origin: string): Origin {
  const file = `consul:${origin}`;
  return { file, line: 0, column: 0, locate: () => ({ line: 0, column: 0 }) };
}
