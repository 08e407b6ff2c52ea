/** Why an expression is not taken: it is no CEL, or it is more than inmesh evaluates. */

export class CelFault extends Error {
  override readonly name = "CelFault";

  readonly kind: "syntax" | "unsupported";
  /** In characters, from 0. */
  readonly at: number;

  constructor(kind: "syntax" | "unsupported", message: string, at: number) {
    super(message);
    this.kind = kind;
    this.at = at;
  }
}
