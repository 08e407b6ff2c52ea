/** Status of HTTPRoutes and GRPCRoutes: `get` shows it as it is now, and `apply` takes no notice of what `get` has shown. */

import { type Document, GATEWAY_CONTROLLER, type GatewayParentStatus, isGatewayRouteKind } from "@inmesh/model";

export type GatewayStatuses = ReadonlyMap<string, readonly GatewayParentStatus[]>;

/** Conditions as they are now, beside those that other controllers wrote. Nothing for other documents. */
export function statusField({ key, value }: Document, statuses: GatewayStatuses): { readonly status?: unknown } {
  const ours = statuses.get(key);
  return ours === undefined ? {} : { status: { parents: [...parentsOfOthers(value["status"]), ...ours] } };
}

/** The document without conditions of ours: they are worked out anew whenever somebody looks. */
export function withoutOwnStatus(document: Document): Document {
  const { kind, value } = document;
  if (!isGatewayRouteKind(kind) || value["status"] === undefined) return document;
  const { status, ...rest } = value;
  const parents = parentsOfOthers(status);
  return { ...document, value: parents.length === 0 ? rest : { ...rest, status: { parents } } };
}

function parentsOfOthers(status: unknown): readonly unknown[] {
  const parents = (status as { parents?: unknown } | null | undefined)?.parents;
  if (!Array.isArray(parents)) return [];
  return parents.filter((each: { controllerName?: unknown } | null) => each?.controllerName !== GATEWAY_CONTROLLER);
}
