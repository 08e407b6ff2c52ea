/** Which documents this version reads, and what it says about the others. */

import { KINDS, type Kind } from "../resource.js";
import { nearestName } from "../validate/nearest-name.js";

interface ApiGroup {
  readonly versions: readonly string[];
  /** Of kinds that were not there in all of them. */
  readonly versionsOf?: Readonly<Partial<Record<Kind, readonly string[]>>>;
  /** Kinds this version honours. */
  readonly honoured: readonly Kind[];
  /** Kinds of the group that decide who may call whom: leaving one out silently would open a door. */
  readonly security: readonly string[];
  readonly others: readonly string[];
}

export const MESH_CONFIG_API_VERSION = "mesh.istio.io/v1alpha1";

/** The core group of Kubernetes has no name. */
const GROUPS: Readonly<Record<string, ApiGroup>> = {
  "networking.istio.io": {
    versions: ["v1", "v1beta1", "v1alpha3"],
    honoured: ["VirtualService", "DestinationRule", "ServiceEntry", "WorkloadEntry", "WorkloadGroup", "Sidecar"],
    security: [],
    others: ["Gateway", "EnvoyFilter", "ProxyConfig"],
  },
  "inmesh.dev": {
    versions: ["v1alpha1"],
    honoured: ["MeshMode", "CircuitBreaker", "Resilience", "RateLimit"],
    security: [],
    others: [],
  },
  // MeshConfig has no apiVersion in Istio; this one is only for documents that name their kind.
  "mesh.istio.io": { versions: ["v1alpha1"], honoured: ["MeshConfig"], security: [], others: [] },
  "": { versions: ["v1"], honoured: ["Service", "Namespace"], security: [], others: [] },
  "security.istio.io": {
    versions: ["v1", "v1beta1"],
    honoured: ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"],
    security: [],
    others: [],
  },
  "telemetry.istio.io": { versions: ["v1", "v1alpha1"], honoured: ["Telemetry"], security: [], others: [] },
  // Read by `inmesh slo`; no process acts on them.
  openslo: {
    versions: ["v1"],
    honoured: [],
    security: [],
    others: ["SLO", "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"],
  },
  "extensions.istio.io": {
    versions: ["v1alpha1"],
    honoured: [],
    security: [],
    others: ["WasmPlugin", "TrafficExtension"],
  },
  "gateway.networking.k8s.io": {
    versions: ["v1", "v1beta1"],
    versionsOf: { GRPCRoute: ["v1"] },
    honoured: ["HTTPRoute", "GRPCRoute"],
    security: ["BackendTLSPolicy"],
    others: ["Gateway", "GatewayClass", "TLSRoute", "TCPRoute", "UDPRoute", "ReferenceGrant"],
  },
};

export type KindVerdict =
  | { readonly kind: Kind }
  | { readonly code: string; readonly severity: "error" | "warning"; readonly message: string; readonly at: string };

/** As documents of a kind may write it, the newest first. */
export function apiVersionsOf(kind: Kind): readonly string[] {
  const home = Object.entries(GROUPS).find(([, group]) => group.honoured.includes(kind));
  return home === undefined ? [] : versionsIn(home[1], kind).map((version) => apiVersionOf(home[0], version));
}

/** Either the kind to read the document as, or why it is not taken. `at` is the field to point to. */
export function judgeKind(apiVersion: string, kind: string): KindVerdict {
  const slash = apiVersion.indexOf("/");
  const groupName = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const group = Object.hasOwn(GROUPS, groupName) ? GROUPS[groupName] : undefined;
  const honoured = group?.honoured.find((name) => name === kind);
  if (group !== undefined && honoured !== undefined) {
    const versions = versionsIn(group, honoured);
    if (versions.includes(version)) return { kind: honoured };
    const known = versions.map((name) => apiVersionOf(groupName, name)).join(", ");
    const message = `apiVersion "${apiVersion}" of ${kind} is not known; expected one of ${known}. The document is refused. Write one of them.`;
    return { code: "IM0002", severity: "error", message, at: "apiVersion" };
  }
  if (group?.security.includes(kind)) {
    const message = `this version of inmesh does not honour ${kind}: nothing it demands is enforced. Remove the document, or enforce it elsewhere, before you rely on it.`;
    return { code: "IM0004", severity: "error", message, at: "kind" };
  }
  if (group?.others.includes(kind)) {
    const message = `this version of inmesh does not honour ${kind}: the document has no effect. Remove it, or keep it for another reader.`;
    return { code: "IM0004", severity: "warning", message, at: "kind" };
  }
  return misnamed(apiVersion, groupName, kind) ?? unknown(apiVersion, kind);
}

/** A kind of ours under a foreign group, or a kind spelled almost like one of its group, is a mistake. */
function misnamed(apiVersion: string, groupName: string, kind: string): KindVerdict | undefined {
  const generic = kind === "Service" || kind === "Namespace"; // other groups have kinds of that name too
  if ((KINDS as readonly string[]).includes(kind) && (!generic || groupName === "")) {
    const home = Object.entries(GROUPS).find(([, group]) => group.honoured.some((name) => name === kind));
    if (home === undefined) return undefined;
    const expected = apiVersionOf(home[0], home[1].versions[0] ?? "v1");
    const message = `${kind} belongs to "${expected}", found apiVersion "${apiVersion}". The document is refused. Write apiVersion: ${expected}.`;
    return { code: "IM0002", severity: "error", message, at: "apiVersion" };
  }
  const group = Object.hasOwn(GROUPS, groupName) ? GROUPS[groupName] : undefined;
  if (group === undefined || groupName === "") return undefined;
  const near = nearestName(kind, [...group.honoured, ...group.security, ...group.others]);
  const hint = near === undefined ? `It has ${group.honoured.join(", ")}.` : `Did you mean ${near}?`;
  const message = `"${kind}" is no kind of ${apiVersion} that inmesh knows. The document has no effect. ${hint}`;
  return { code: "IM0003", severity: near === undefined ? "warning" : "error", message, at: "kind" };
}

function unknown(apiVersion: string, kind: string): KindVerdict {
  const message = `inmesh does not read ${kind} of ${apiVersion}: the document has no effect. Keep it out of the policy folder.`;
  return { code: "IM0003", severity: "warning", message, at: "kind" };
}

function versionsIn({ versions, versionsOf }: ApiGroup, kind: Kind): readonly string[] {
  return versionsOf?.[kind] ?? versions;
}

function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}
