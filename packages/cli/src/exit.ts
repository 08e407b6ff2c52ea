/** How a command ends when it cannot do what was asked, and the number the shell gets. */

/** The table stands in docs/reference/cli.md. */
export const EXIT = {
  ok: 0,
  /** What was asked about is bad: problems of severity error, a failed check, nothing by that name. */
  bad: 1,
  /** The command line, or a file it names, is not usable. */
  usage: 2,
  /** The registry or a process cannot be reached. */
  unreachable: 3,
  timeout: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What `inmesh run` ends with: the code of the program it ran, whatever that is. */
export type ChildExitCode = number;

/** An expected failure: printed as it stands, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: ExitCode;
  readonly advice: string;

  /**
   * @param message the fact, without a full stop
   * @param advice what to do about it, a sentence
   */
  constructor(exitCode: ExitCode, message: string, advice: string) {
    super(message);
    this.exitCode = exitCode;
    this.advice = advice;
  }
}

/** Why the operating system refused, in words. @returns undefined for an error of another kind */
export function systemReason(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return REASONS[error.code] ?? error.code;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "no permission",
  EPERM: "no permission",
  EISDIR: "it is a folder",
  ENOTDIR: "part of the path is no folder",
  ENOSPC: "the disk is full",
  EROFS: "the disk is read-only",
  EMFILE: "too many open files",
  ELOOP: "too many symbolic links",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  ETIMEDOUT: "connection timed out",
};
