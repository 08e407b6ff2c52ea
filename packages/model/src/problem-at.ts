/** Makes a Problem point at a field: its path as text, its file, line and column. */

import type { Problem, Severity } from "./problem.js";
import type { Origin, Path } from "./resource.js";

export interface ProblemText {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  /** `Kind/namespace/name`, or empty. */
  readonly resource: string;
}

/** Locating a field may parse its file again, so this belongs where something is wrong, not on the good path. */
export function problemAt(origin: Origin, path: Path, text: ProblemText): Problem {
  const { line, column } = path.length === 0 ? origin : origin.locate(path);
  return { ...text, path: formatPath(path), file: origin.file, line, column };
}

/** `spec.http[0].timeout`; a key that is no plain word is quoted: `metadata.labels["app.kubernetes.io/name"]`. */
export function formatPath(path: Path): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_@$][\w@$-]*$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(shorten(part))}]`;
  }
  return text;
}

/** A found value as a message shows it: quoted, cut to `max` characters. */
export function quote(value: unknown, max = 60): string {
  if (typeof value === "string") return JSON.stringify(shorten(value, max));
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}

function shorten(text: string, max = 60): string {
  return text.length <= max ? text : `${text.slice(0, max)}… (${text.length} characters)`;
}
