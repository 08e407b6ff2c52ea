/** `vs/reviews`, `VirtualService/shop/reviews`, `dr`: kinds and resources as people type them. */

import { KINDS, type Kind } from "@inmesh/model";
import { nearestName } from "@inmesh/model/internal";
import { CliError, EXIT } from "../exit.js";

export interface ResourceQuery {
  readonly kind: Kind;
  /** Absent: every namespace. */
  readonly namespace?: string;
  /** Absent: every resource of the kind. */
  readonly name?: string;
}

/** kubectl's short names, and what a hurried person types. */
const SHORT: Readonly<Record<string, Kind>> = {
  vs: "VirtualService",
  dr: "DestinationRule",
  se: "ServiceEntry",
  we: "WorkloadEntry",
  wg: "WorkloadGroup",
  svc: "Service",
  ns: "Namespace",
  mode: "MeshMode",
  cb: "CircuitBreaker",
  rl: "RateLimit",
  pa: "PeerAuthentication",
  ra: "RequestAuthentication",
  ap: "AuthorizationPolicy",
  telemetry: "Telemetry",
  mesh: "MeshConfig",
};

/** @param text `KIND`, `KIND/NAME` or `KIND/NAMESPACE/NAME` @throws {CliError} */
export function parseResourceName(text: string, namespace: string | undefined): ResourceQuery {
  const [kindText = "", first, second, ...rest] = text.split("/");
  if (rest.length > 0 || first === "" || second === "") {
    throw new CliError(EXIT.usage, `"${text}" names no resource`, "Write KIND, KIND/NAME or KIND/NAMESPACE/NAME.");
  }
  const kind = parseKind(kindText);
  if (second !== undefined && first !== undefined) return { kind, namespace: first, name: second };
  return {
    kind,
    ...(namespace !== undefined && { namespace }),
    ...(first !== undefined && { name: first }),
  };
}

function parseKind(text: string): Kind {
  const wanted = text.toLowerCase();
  const plain = (name: string): boolean => [name, `${name}s`, name.replace(/y$/, "ies")].includes(wanted);
  const known = SHORT[wanted] ?? KINDS.find((kind) => plain(kind.toLowerCase()));
  if (known !== undefined && (Object.hasOwn(SHORT, wanted) || KINDS.includes(known))) return known;
  const near = nearestName(text, [...KINDS, ...Object.keys(SHORT)]);
  const hint = near === undefined ? `Kinds are ${KINDS.join(", ")}.` : `Did you mean ${near}?`;
  throw new CliError(EXIT.usage, `"${text}" is no kind of resource`, hint);
}
