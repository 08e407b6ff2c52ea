/** What policy would have done with one call, once it is known what became of the call without it. */

import type { IntendedOutcome, Intent } from "./intent.js";

export interface Would {
  readonly intent: Intent;
  /** The rule's timeout would have ended it. */
  readonly timedOut: boolean;
  /** The rule would have tried again after what came. */
  readonly retried: boolean;
}

/** GET /requests: part of a request's entry. Null where policy is in force, and has done what it does. */
export interface WouldView {
  /** In words: `aborted with 503 by rule "canary"`. `the same` when nobody would have noticed. */
  readonly text: string;
  readonly outcome: IntendedOutcome;
  /** What the caller would have got without an upstream being asked; 0 when it would have been. */
  readonly status: number;
  readonly virtualHost: string;
  readonly route: string;
  /** `Kind/ns/name`, or empty. */
  readonly resource: string;
  readonly cluster: string;
  readonly delayMs: number;
  readonly timeoutMs: number;
  readonly timedOut: boolean;
  readonly retried: boolean;
  /** Header lines of the request by name. */
  readonly setHeaders: readonly string[];
  readonly removedHeaders: readonly string[];
  /** Empty where they stay as they are. */
  readonly path: string;
  readonly authority: string;
  /** Clusters that would have got a copy. Absent from older processes. */
  readonly mirrors?: readonly string[];
}

export function wouldView(would: Would): WouldView {
  const { intent, timedOut, retried } = would;
  const { outcome, status, virtualHost, route, destination, delayMs, edits } = intent;
  const resource = route?.resource ?? virtualHost?.resource;
  return {
    text: wouldText(would),
    outcome,
    status,
    virtualHost: virtualHost?.name ?? "",
    route: route?.name ?? "",
    resource: resource ? `${resource.kind}/${resource.namespace}/${resource.name}` : "",
    cluster: destination?.cluster ?? "",
    delayMs,
    timeoutMs: route?.timeoutMs ?? 0,
    timedOut,
    retried,
    setHeaders: edits.set,
    removedHeaders: edits.removed,
    path: edits.path,
    authority: edits.authority,
    mirrors: intent.mirrors,
  };
}

/** Policy leads elsewhere than the plain way to the service that was called. */
export function isRerouted({ virtualHost, destination }: Intent): boolean {
  if (destination === undefined || virtualHost === undefined) return false;
  const { service, port } = virtualHost;
  return destination.subset !== "" || destination.host !== service?.host || destination.port !== port;
}

export function isEdited({ edits: { set, removed, path, authority } }: Intent): boolean {
  return set.length > 0 || removed.length > 0 || path !== "" || authority !== "";
}

function wouldText({ intent, timedOut, retried }: Would): string {
  const { delayMs, route, edits, outcome, mirrors } = intent;
  const { set, removed, path, authority } = edits;
  const words = [
    ...(delayMs > 0 ? [`delayed on purpose by ${delayMs} ms`] : []),
    ...(outcome === "sent" ? [] : [OUTCOMES[outcome](intent)]),
    ...(outcome === "sent" && isRerouted(intent) ? [`sent to ${intent.destination?.cluster}`] : []),
    ...(path === "" ? [] : [`path ${path}`]),
    ...(authority === "" ? [] : [`host ${authority}`]),
    ...(set.length > 0 ? [`header ${set.join(", ")} set`] : []),
    ...(removed.length > 0 ? [`header ${removed.join(", ")} removed`] : []),
    ...(mirrors.length > 0 ? [`copied to ${mirrors.join(", ")}`] : []),
    ...(retried ? [`tried again (${route?.retry.tokens.join(",")})`] : []),
    ...(timedOut ? [`timed out after ${route?.timeoutMs} ms`] : []),
  ];
  return words.length === 0 ? "the same" : words.join("; ");
}

const OUTCOMES: Readonly<Record<Exclude<IntendedOutcome, "sent">, (intent: Intent) => string>> = {
  aborted: (intent) => `aborted on purpose with ${intent.status} by ${ruleOf(intent)}`,
  redirect: (intent) => `redirected with ${intent.status} by ${ruleOf(intent)}`,
  directResponse: (intent) => `answered ${intent.status} by ${ruleOf(intent)}`,
  preflight: (intent) => `preflight answered by the corsPolicy of ${ruleOf(intent)}`,
  hostUnknown: ({ status }) => `refused with ${status}: the host is not in the registry (REGISTRY_ONLY)`,
  noRoute: ({ status, virtualHost }) => `refused with ${status}: no rule of ${virtualHost?.name} matches`,
  noDestination: ({ status, destination }) => `refused with ${status}: ${destination?.cluster} does not exist`,
  noEndpoint: ({ status, destination }) => `refused with ${status}: ${destination?.cluster} has no endpoint`,
  tlsUnavailable: ({ status, destination }) =>
    `refused with ${status}: ${destination?.cluster} asks for TLS that this version does not originate`,
};

function ruleOf({ route }: Intent): string {
  return route === undefined || route.resource === null
    ? "the default route"
    : `rule "${route.name}" of ${route.resource.kind}/${route.resource.namespace}/${route.resource.name}`;
}
