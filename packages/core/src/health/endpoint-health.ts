/** What the health checks of one endpoint found. */

export class EndpointHealth {
  /** Checks in a row with the same result. */
  successes = 0;
  failures = 0;
  /** Of all, since the state exists. */
  checks = 0;
  /** Clock ms of the last one; -1 before the first. */
  checkedAt = -1;
  /** What it found: `200`, `no answer within 1000 ms`. */
  found = "";
  /** Clock ms since when it is out; -1 while it is not. */
  unhealthySince = -1;
}
