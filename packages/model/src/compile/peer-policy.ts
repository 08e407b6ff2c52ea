/** Whether peers must show a certificate: PeerAuthentications of a workload, composed. policy-semantics §4.2. */

import type { MutualTlsSpec, PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import { formatPath } from "../problem-at.js";
import { type Path, type Resource, resourceKey } from "../resource.js";
import type { PeerMode, PeerModeInForce, PeerPolicy } from "../snapshot/security.js";
import { selectorOf } from "./security-documents.js";

type PeerDocument = Resource<PeerAuthenticationSpec>;

/** Where nobody says anything. */
export const DEFAULT_PEER_MODE: PeerModeInForce = Object.freeze({ mode: "PERMISSIVE", source: null });

/** @param documents that mean the workload, oldest first: of each scope the first counts, and none is merged with another */
export function peerPolicy(documents: readonly PeerDocument[], rootNamespace: string): PeerPolicy {
  const own = documents.find(selects);
  const wide = namespacePeerMode(documents, rootNamespace);
  const whole = own === undefined ? wide : (modeIn(own, own.spec.mtls, ["spec", "mtls", "mode"]) ?? wide);
  const ports = new Map<number, PeerModeInForce>();
  for (const [port, tls] of Object.entries(own?.spec.portLevelMtls ?? {})) {
    const mode = own && modeIn(own, tls, ["spec", "portLevelMtls", port, "mode"]);
    if (mode !== undefined) ports.set(Number(port), mode);
  }
  return { ...whole, ports };
}

/**
 * What holds for a namespace before any workload is looked at: all that callers know of a service's servers, as Istio's do.
 * @param documents of the namespace and of the root namespace, oldest first
 */
export function namespacePeerMode(documents: readonly PeerDocument[], rootNamespace: string): PeerModeInForce {
  const wide = documents.filter((document) => !selects(document));
  const mesh = wide.find(({ namespace }) => namespace === rootNamespace);
  const ofNamespace = wide.find(({ namespace }) => namespace !== rootNamespace);
  for (const document of [ofNamespace, mesh]) {
    const mode = document && modeIn(document, document.spec.mtls, ["spec", "mtls", "mode"]);
    if (mode !== undefined) return mode;
  }
  return DEFAULT_PEER_MODE;
}

export function isSamePeerMode(a: PeerModeInForce, b: PeerModeInForce): boolean {
  return a.mode === b.mode && a.source?.path === b.source?.path && keyOf(a) === keyOf(b);
}

function keyOf({ source }: PeerModeInForce): string {
  return source === null ? "" : resourceKey(source.resource);
}

function selects(document: PeerDocument): boolean {
  return Object.keys(selectorOf(document)).length > 0;
}

/** @returns undefined for what leaves it to the wider scope */
function modeIn(document: PeerDocument, tls: MutualTlsSpec | undefined, path: Path): PeerModeInForce | undefined {
  const mode: PeerMode | "UNSET" = tls?.mode ?? "UNSET";
  if (mode === "UNSET") return undefined;
  const { kind, namespace, name } = document;
  return { mode, source: { resource: { kind, namespace, name }, path: formatPath(path) } };
}
