/** What Envoy calls a request that its filters did not let pass: flag and `response_code_details`. */

import { FLAG, type MeshErrorCode } from "@inmesh/core";
import type { AccessRule } from "@inmesh/model";

/** An answer of the mesh in place of the application's. */
export interface Refusal {
  readonly code?: MeshErrorCode;
  readonly status: number;
  readonly grpcStatus: number;
  readonly body: string | Uint8Array;
}

export function refusalFlags(code: MeshErrorCode | undefined, rule: AccessRule | null): number {
  switch (code) {
    case "RATE_LIMITED":
      return FLAG.RL;
    case "RATE_LIMIT_UNAVAILABLE":
      return FLAG.RLSE;
    case "OVERLOADED":
      return FLAG.OM;
    case "DEADLINE_EXCEEDED":
      return FLAG.UT;
    case "ACCESS_DENIED":
      return rule?.action === "CUSTOM" ? FLAG.UAEX : 0;
    default:
      return 0;
  }
}

export function refusalDetails({ code, body }: Refusal, rule: AccessRule | null): string {
  switch (code) {
    case "RATE_LIMITED":
      return "request_rate_limited";
    case "RATE_LIMIT_UNAVAILABLE":
      return "rate_limiter_error";
    case "OVERLOADED":
      return "overload";
    case "DEADLINE_EXCEEDED":
      return "response_timeout";
    case "TOKEN_INVALID":
      return `jwt_authn_access_denied{${typeof body === "string" ? body.replaceAll(/[^\w.-]+/g, "_") : ""}}`;
    case "ACCESS_DENIED":
      if (rule === null) return "rbac_access_denied_matched_policy[none]";
      if (rule.action === "CUSTOM") return "ext_authz_denied";
      return `rbac_access_denied_matched_policy[ns[${rule.policy.namespace}]-policy[${rule.policy.name}]-rule[${rule.rule}]]`;
    case "REQUEST_INVALID":
      return "path_normalization_failed";
    case "CONFIG_UNAVAILABLE":
      return "inmesh_no_policy_yet";
    default:
      return "inmesh_mtls_required"; // came in plaintext where policy takes none
  }
}
