/** Collects what validation finds in one document. Positions are looked up at the end, and only for what was found. */

import type { Problem, Severity } from "../problem.js";
import { problemAt, quote } from "../problem-at.js";
import type { Document, Path } from "../resource.js";

/** Istio's code for a document that its validation refuses, and for one that it only warns about. */
export const INVALID = "IST0106";
export const DOUBTFUL = "IST0133";

interface Finding {
  readonly severity: Severity;
  readonly code: string;
  readonly path: Path;
  readonly message: string;
}

export class Report {
  readonly #findings: Finding[] = [];
  /** Namespace of the document: what `.` means in it. */
  readonly namespace: string;
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
    this.namespace = document.namespace;
  }

  /** @param path from the top of the document @param message fact and way out, as sentences */
  error(path: Path, message: string, code = INVALID): void {
    this.#findings.push({ severity: "error", code, path, message });
  }

  warn(path: Path, message: string, code = DOUBTFUL, severity: "warning" | "info" = "warning"): void {
    this.#findings.push({ severity, code, path, message });
  }

  /** An error when `fault` is a message: for checks that say what is wrong, or undefined. */
  check(path: Path, fault: string | undefined): void {
    if (fault !== undefined) this.error(path, fault);
  }

  /** An error unless `value` lies between the two. Absent values pass. */
  range(path: Path, value: number | undefined, least: number, most: number): void {
    if (value === undefined || (value >= least && value <= most)) return;
    this.error(path, `found ${quote(value)}, expected ${least} to ${most}. Correct the number.`);
  }

  get hasErrors(): boolean {
    return this.#findings.some(({ severity }) => severity === "error");
  }

  problems(): Problem[] {
    const { key, origin } = this.#document;
    return this.#findings.map(({ path, ...text }) => problemAt(origin, path, { ...text, resource: key }));
  }
}
