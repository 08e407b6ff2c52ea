/** A finding about configuration. A value, never thrown: what stops a call is a MeshError. */

export type Severity = "error" | "warning" | "info";

export interface Problem {
  /** Istio's own code (`IST0101`) where one exists, else ours (`IM0102`). See docs/reference/problems.md. */
  readonly code: string;
  readonly severity: Severity;
  /** One sentence of fact (what, found, expected), one of consequence, one of action. */
  readonly message: string;
  /** `Kind/namespace/name`; empty when the file could not be read as documents. */
  readonly resource: string;
  /** Path of the field: `spec.http[0].timeout`; empty for the document as a whole. */
  readonly path: string;
  /** As given by whoever read the file; empty for documents that came from no file. */
  readonly file: string;
  /** 1-based; 0 when unknown. */
  readonly line: number;
  /** 1-based; 0 when unknown. */
  readonly column: number;
}

/** Worst severity among `problems`, or undefined when there are none. */
export function worstSeverity(problems: readonly Problem[]): Severity | undefined {
  if (problems.some((problem) => problem.severity === "error")) return "error";
  if (problems.some((problem) => problem.severity === "warning")) return "warning";
  return problems.length > 0 ? "info" : undefined;
}
