/** What those hear who get as far as a request and should not have come so far: nothing of policy, and what to do. */

/** As much of a Rejection as an answer is made of. */
export interface TurnedAway {
  readonly status: number;
  readonly grpcStatus: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** gRPC's UNAUTHENTICATED. */
const UNAUTHENTICATED = 16;

export const NO_PLAINTEXT: TurnedAway = {
  status: 403,
  grpcStatus: UNAUTHENTICATED,
  headers: ["connection", "close"],
  body: "mTLS required\nthis server takes requests over TLS with a certificate of the mesh only",
};

export const OWN_TLS: TurnedAway = {
  status: 403,
  grpcStatus: UNAUTHENTICATED,
  headers: ["connection", "close"],
  body: "mTLS required\nthis server takes requests with a certificate of the mesh only, and cannot ask for one on this port",
};
