/** Compiled routing in words: virtual hosts, their rules, and the stages that a rule's calls pass. */

import type { Route, Snapshot, VirtualHost } from "@inmesh/model";
import { resourceKey } from "@inmesh/model";
import type { Engine } from "../stack/engine.js";
import type { RouteView, StackView, VirtualHostView } from "./views.js";

export function virtualHostViews({ routes }: Snapshot): VirtualHostView[] {
  return routes.all().map((host) => ({
    name: host.name,
    resource: host.resource === null ? "" : resourceKey(host.resource),
    ...(host.pending && { pending: true }),
    routes: host.routes.map(routeView),
  }));
}

/**
 * @param service keeps virtual hosts of this service: `reviews`, `reviews.shop` or the whole host; undefined keeps all
 */
export function stackView(engine: Engine, service?: string): StackView {
  const hosts = (engine.store.current?.routes.all() ?? []).filter((host) => isOf(host, service));
  return {
    routes: hosts.flatMap((host) =>
      host.routes.map((route) => ({
        virtualHost: host.name,
        route: route.name,
        stages: engine.describe(route),
      })),
    ),
  };
}

function routeView(route: Route): RouteView {
  return {
    name: route.name,
    resource: route.resource === null ? "" : resourceKey(route.resource),
    matches: route.matches.map(({ text }) => text),
    action: actionText(route),
    timeoutMs: route.timeoutMs,
    maxAttempts: route.retry.maxAttempts,
    retryOn: route.retry.tokens,
  };
}

/** `reviews v1 90%, reviews v2 10%`, `redirect 301`, `direct response 200`. */
function actionText({ action }: Route): string {
  if (action.kind === "redirect") return `redirect ${action.status}`;
  if (action.kind === "directResponse") return `direct response ${action.status}`;
  const { destinations, totalWeight } = action;
  return destinations
    .map(({ host, subset, weight }) => {
      const name = subset === "" ? shortName(host) : `${shortName(host)} ${subset}`;
      return destinations.length === 1 ? name : `${name} ${share(weight, totalWeight)}%`;
    })
    .join(", ");
}

function share(weight: number, total: number): number {
  return total === 0 ? 0 : Math.round((weight / total) * 1_000) / 10;
}

/** Names of the cluster's own domain lose it, others are told in full. */
function shortName(host: string): string {
  const inside = host.indexOf(".svc.");
  return inside < 0 ? host : host.slice(0, host.indexOf("."));
}

function isOf({ name, service }: VirtualHost, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted === "") return true;
  const host = name.slice(0, name.lastIndexOf(":"));
  if (host === wanted || name === wanted || host.startsWith(`${wanted}.`)) return true;
  return service !== undefined && (service.name === wanted || `${service.name}.${service.namespace}` === wanted);
}
