/** What a check found. */

export interface Finding {
  readonly status: "ok" | "warning" | "error";
  /** The fact. */
  readonly message: string;
  /** What to do about it; empty when all is well. */
  readonly hint: string;
}

export interface Section {
  readonly name: string;
  readonly findings: readonly Finding[];
}

export function ok(message: string): Finding {
  return { status: "ok", message, hint: "" };
}

export function warning(message: string, hint: string): Finding {
  return { status: "warning", message, hint };
}

export function error(message: string, hint: string): Finding {
  return { status: "error", message, hint };
}
