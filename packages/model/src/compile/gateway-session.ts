/** `sessionPersistence` of a rule. policy-semantics §5.3; gateway-api.sigs.k8s.io/geps/gep-1619. */

import type { GatewayAnyRuleSpec } from "../kind/gateway-grpc-route.js";
import type { GatewayMatchSpec } from "../kind/gateway-http-route.js";
import type { SessionPolicy } from "../snapshot/route.js";
import { durationMs } from "./duration-ms.js";

export interface SessionRule {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Of the rule in its document. */
  readonly index: number;
}

/** @param path of the match: a cookie goes back to it and to what is below it, as the specification has it */
export function compileSession(
  session: GatewayAnyRuleSpec["sessionPersistence"],
  rule: SessionRule,
  path: GatewayMatchSpec["path"],
): SessionPolicy | undefined {
  if (session === undefined) return undefined;
  const kind = session.type === "Header" ? "header" : "cookie";
  // The same in every process that runs the rule, and not another rule's.
  const own = `inmesh-session-${rule.kind}-${rule.namespace}-${rule.name}-${rule.index}`.toLowerCase();
  const name = session.sessionName || (kind === "header" ? `x-${own}` : own);
  return {
    kind,
    name: kind === "header" ? name.toLowerCase() : name,
    path: path?.type === "RegularExpression" ? "/" : (path?.value ?? "/"),
    permanent: session.cookieConfig?.lifetimeType === "Permanent",
    absoluteMs: durationMs(session.absoluteTimeout, 0),
    idleMs: durationMs(session.idleTimeout, 0),
  };
}
