/** What outlier detection keeps of one endpoint. Made with its first failure: endpoints that never fail have none. */

export class EndpointOutlier {
  /** Failures in a row, those without an answer included unless they count apart. */
  errors = 0;
  /** Of these 502, 503 and 504, in a row. */
  gatewayErrors = 0;
  /** Failures without an answer in a row, where they count apart. */
  localErrors = 0;
  /** Attempts judged since the last sweep, and the good ones; counted for rates only. */
  readonly answers: Tally = { all: 0, good: 0 };
  /** The same for whether they found the endpoint at all, where that counts apart. */
  readonly arrivals: Tally = { all: 0, good: 0 };
  /** Ejections in a row: each sweep that finds it in use takes one off. */
  times = 0;
  /** Clock ms of the last ejection, and of the sweep that ends it; -1 before the first. */
  ejectedAt = -1;
  readmittedAt = -1;
  /** Why it was ejected: `5 errors in a row`. */
  reason = "";
  /** Since the state exists. */
  ejections = 0;
  /** Times that it was not ejected because as many others as may be were out. */
  spared = 0;

  /** What counts in a row begins anew. */
  forgive(): void {
    this.errors = 0;
    this.gatewayErrors = 0;
    this.localErrors = 0;
  }
}

export interface Tally {
  all: number;
  good: number;
}
