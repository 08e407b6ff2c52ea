/** Security documents that speak about the process itself. policy-semantics §4.2 to §4.4. */

import type { AuthorizationPolicySpec } from "../kind/authorization-policy.js";
import type { PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import { hasTargets } from "../kind/policy-target.js";
import type { RequestAuthenticationSpec } from "../kind/request-authentication.js";
import type { Resource, ResourceRef } from "../resource.js";
import { hasLabels, type Labels } from "./labels.js";
import { sameList } from "./order.js";
import type { ResourcesByKind } from "./resources-by-kind.js";

/** The process as policy selects it. */
export interface SelectedWorkload {
  readonly namespace: string;
  readonly labels: Labels;
}

/** Each list oldest first, and the same list as before when it holds the same documents. */
export interface SecurityDocuments {
  readonly peers: readonly Resource<PeerAuthenticationSpec>[];
  readonly tokens: readonly Resource<RequestAuthenticationSpec>[];
  readonly access: readonly Resource<AuthorizationPolicySpec>[];
  /** Without predecessor: what they would have said nobody knows. */
  readonly refused: readonly RefusedDocument[];
}

/** A security document that is not valid, as far as it says whom it means. */
export interface RefusedDocument extends ResourceRef {
  /** Empty: everybody of its namespace. */
  readonly selector: Labels;
}

type Kinds = Pick<ResourcesByKind, "PeerAuthentication" | "RequestAuthentication" | "AuthorizationPolicy">;

/** @returns `previous` itself when nothing changed */
export function securityDocuments(
  kinds: Kinds,
  workload: SelectedWorkload,
  rootNamespace: string,
  refused: readonly RefusedDocument[],
  previous: SecurityDocuments | undefined,
): SecurityDocuments {
  const means = (resource: Selecting): boolean => meansWorkload(resource, workload, rootNamespace);
  const found = {
    peers: sameList(previous?.peers, kinds.PeerAuthentication.filter(means)),
    tokens: sameList(previous?.tokens, kinds.RequestAuthentication.filter(means)),
    access: sameList(previous?.access, kinds.AuthorizationPolicy.filter(means)),
    refused: sameRefused(
      previous?.refused,
      refused.filter((document) => meansRefused(document, workload, rootNamespace)),
    ),
  };
  const same =
    found.peers === previous?.peers &&
    found.tokens === previous.tokens &&
    found.access === previous.access &&
    found.refused === previous.refused;
  return same ? previous : found;
}

function meansRefused(
  { namespace, selector }: RefusedDocument,
  workload: SelectedWorkload,
  rootNamespace: string,
): boolean {
  if (namespace !== workload.namespace && namespace !== rootNamespace) return false;
  return hasLabels(workload.labels, selector);
}

/** By what they are: they are read anew with every view of the registry. */
function sameRefused(
  previous: readonly RefusedDocument[] | undefined,
  next: readonly RefusedDocument[],
): readonly RefusedDocument[] {
  const same = previous?.length === next.length && next.every((each, index) => sameRef(each, previous[index]));
  return same ? previous : next;
}

function sameRef(a: RefusedDocument, b: RefusedDocument | undefined): boolean {
  return a.kind === b?.kind && a.namespace === b.namespace && a.name === b.name;
}

interface Targeted {
  readonly selector?: { readonly matchLabels?: Labels | undefined } | undefined;
  readonly targetRef?: unknown;
  readonly targetRefs?: readonly unknown[] | undefined;
}

/** A document of one of the three kinds. */
export type Selecting = Resource<Targeted>;

/**
 * Whether a document means the workload: by its namespace (the root namespace speaks for all) and its selector. One with
 * targets is for what stands in the way of a workload, a gateway or a waypoint, and a PeerAuthentication of the root
 * namespace may not select.
 */
export function meansWorkload(resource: Selecting, workload: SelectedWorkload, rootNamespace: string): boolean {
  const { kind, namespace, spec } = resource;
  if (namespace !== workload.namespace && namespace !== rootNamespace) return false;
  if (hasTargets(spec)) return false;
  const labels = selectorOf(resource);
  if (kind === "PeerAuthentication" && namespace === rootNamespace) return Object.keys(labels).length === 0;
  return hasLabels(workload.labels, labels);
}

/** A selector without labels selects everything, and so is none. */
export function selectorOf({ spec }: Selecting): Labels {
  return spec.selector?.matchLabels ?? {};
}
