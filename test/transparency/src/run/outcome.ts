/** What became of one test of a suite. */
export interface Outcome {
  /** Relative to the suite's folder. */
  readonly file: string;
  /** With the names of the blocks around it, as far as the test runner tells them. */
  readonly test: string;
  readonly result: "pass" | "fail" | "skip";
  /** Of a failure, its first line. */
  readonly message?: string | undefined;
}

/** Three ways to run a suite. */
export type Way = "bare" | "outside" | "inside";
