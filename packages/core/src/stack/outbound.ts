/**
 * The outbound stages of a route, top (application) to bottom (wire). Above them, for every call: `observe`,
 * `deadline`, `resolve` and `route`, in engine.ts, because they decide which stack this is. Below them `pick` and
 * `send`. The order is the contract; each line says what fixes its place.
 */

import { affinity } from "../filter/affinity.js";
import { cors } from "../filter/cors.js";
import { destination } from "../filter/destination.js";
import { endpointAuthority } from "../filter/endpoint-authority.js";
import { fault } from "../filter/fault.js";
import { localAnswer } from "../filter/local-answer.js";
import { mirror } from "../filter/mirror.js";
import { perTryTimeout } from "../filter/per-try-timeout.js";
import { rehearse } from "../filter/rehearse.js";
import { retry } from "../filter/retry.js";
import { rewrite } from "../filter/rewrite.js";
import { session } from "../filter/session.js";
import { statistics } from "../filter/statistics.js";
import { timeout } from "../filter/timeout.js";
import type { Stage } from "./stack.js";

export const OUTBOUND: readonly Stage[] = [
  // Above everything that policy could do: it sees the request as the caller made it.
  rehearse,
  // Above whatever may answer or end a call: each that the rule got counts, once.
  statistics,
  // Above timeout and retry: an injected abort is never retried, an injected delay does not count against the timeout
  // (policy-semantics §0.9). Above destination: decided before the weighted choice (§1.8).
  fault,
  // Below fault, as Envoy's filters stand (§0.9); above the answers below, which a browser may need permission for.
  cors,
  // Redirects and direct responses need no destination and are not combinable with faults.
  localAnswer,
  // Above destination: a session stays in its own, whatever the weights say.
  session,
  // Once per request, so that retries stay in the destination that was drawn (§1.4).
  destination,
  // Below destination, whose header operations it applies together with the route's; above retry: done once.
  rewrite,
  // Below destination, whose cluster may not care; below rewrite, as Envoy hashes what the rule made of the request. Above
  // retry: attempts agree.
  affinity,
  // Below rewrite: copies say what the request says (§10.7). Above timeout and retry: once per request, and never limited.
  mirror,
  // Above retry: one limit over all attempts and waits.
  timeout,
  // Above pick: each attempt picks anew.
  retry,
  // Below retry and below pick: each attempt has its own, and what it cuts off counts for the endpoint.
  perTryTimeout,
  // Below pick, whose endpoint it names; nothing else looks at what an attempt is addressed to.
  endpointAuthority,
];

/** Roles every call passes, for display; see engine.ts. */
export const ENTRY_ROLES = [
  { role: "observe", describe: "counts and times the call, keeps it in the list of last requests", parameters: "" },
  { role: "deadline", describe: "takes over the deadline and trace headers of the inbound request", parameters: "" },
  { role: "resolve", describe: "finds the virtual host of the authority in the pinned snapshot", parameters: "" },
  { role: "route", describe: "finds the first rule that matches", parameters: "" },
] as const;

/** `send` is below the stages of attempts, the others above them. */
export const EXIT_ROLES = [
  { role: "drops", describe: "turns a share of the calls away, if the control plane wants it", parameters: "" },
  { role: "breaker", describe: "refuses while the circuit breaker is open, if policy has one", parameters: "" },
  {
    role: "limit",
    describe: "refuses what is beyond the requests that the cluster may have under way",
    parameters: "",
  },
  { role: "pick", describe: "chooses an endpoint of the cluster and holds it until the answer's end", parameters: "" },
  { role: "send", describe: "hands the attempt to the transport", parameters: "" },
] as const;
