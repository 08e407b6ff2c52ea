/** Where lines go. One chunk at a time; a sink never throws and never keeps the event loop or the process. */

export interface SinkFault {
  readonly message: string;
  /** Nobody will ever read there again: a closed pipe. */
  readonly dead: boolean;
  /** Lines of the chunk that were not written. */
  readonly lost: number;
}

export interface LineSink {
  /** As people call it: `stdout`, `/var/log/access.log`. */
  readonly name: string;
  /** @param chunk whole lines, each with its end. Resolves when they are written, or with why not; never rejects. */
  write(chunk: string): Promise<SinkFault | undefined>;
  /** While the process exits: what can be written at once. */
  writeNow(chunk: string): void;
  close(): Promise<void>;
}

export function linesIn(chunk: string): number {
  let lines = 0;
  for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", at + 1)) lines++;
  return lines;
}

export function faultText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC") return "no space left on the device (ENOSPC)";
  return error.message;
}
