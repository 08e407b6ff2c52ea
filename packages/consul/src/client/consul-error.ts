/** A question that Consul did not answer as asked. */

/**
 * `refused`: 4xx, asking again the same way is no use (403: the token may not). `failed`: 429 and 5xx. `unreachable`: no
 * connection, no name, no answer in time. `garbled`: an answer that is none: cut off, no JSON, of another shape.
 */
export type ConsulErrorKind = "refused" | "failed" | "unreachable" | "garbled";

export class ConsulError extends Error {
  override readonly name = "ConsulError";
  readonly kind: ConsulErrorKind;
  /** HTTP status; 0 where there was none. */
  readonly status: number;

  /** @param message in words, without the token */
  constructor(
    kind: ConsulErrorKind,
    message: string,
    { status = 0, cause }: { status?: number; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.kind = kind;
    this.status = status;
  }
}
