/** A request that exists only to be matched. */

import type { MatchRequest } from "@inmesh/model";

export class MatchProbe implements MatchRequest {
  readonly method = "GET";
  readonly authority = "reviews";
  readonly scheme = "http";
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  header(): undefined {
    return undefined;
  }
}
