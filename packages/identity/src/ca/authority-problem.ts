/** Why an authority cannot be used, and what to do about it. Holds nothing secret. */
export class AuthorityProblem extends Error {
  override readonly name = "AuthorityProblem";
  /** Without a full stop. */
  readonly fact: string;
  /** A sentence. */
  readonly advice: string;

  constructor(fact: string, advice: string, options?: ErrorOptions) {
    super(`${fact}. ${advice}`, options);
    this.fact = fact;
    this.advice = advice;
  }
}
