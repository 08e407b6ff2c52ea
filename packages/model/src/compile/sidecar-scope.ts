/**
 * What the client's Sidecar lets it see. policy-semantics §3.3.
 *
 * Honoured: egress hosts and outboundTrafficPolicy. Ports, binds and capture modes of listeners mean nothing inside a
 * process, so the hosts of all egress listeners count together.
 */

import type { SidecarSpec } from "../kind/sidecar.js";
import type { Resource } from "../resource.js";
import type { ClientContext, MeshSettings } from "../snapshot/snapshot.js";
import { hostCovers, hostsOverlap } from "./host.js";
import { hasLabels } from "./labels.js";

export interface SidecarScope {
  readonly resource: Resource<SidecarSpec>;
  /** False: everything is imported. */
  readonly narrows: boolean;
  readonly outboundPolicy: MeshSettings["outboundPolicy"] | undefined;
  importsService(namespace: string, host: string): boolean;
  /** Any of its hosts is enough; the others come along. */
  importsVirtualService(namespace: string, hosts: readonly string[]): boolean;
}

/** Of documents oldest first. Undefined without a Sidecar: everything visible is imported. Exactly one applies, they are never merged. */
export function sidecarScope(
  resources: readonly Resource<SidecarSpec>[],
  client: ClientContext,
  rootNamespace: string,
): SidecarScope | undefined {
  const resource = selectSidecar(resources, client, rootNamespace);
  return resource && compileScope(resource, client.namespace);
}

function selectSidecar(resources: readonly Resource<SidecarSpec>[], client: ClientContext, rootNamespace: string) {
  const own = resources.filter(({ namespace }) => namespace === client.namespace);
  const selects = ({ spec }: Resource<SidecarSpec>) => hasSelector(spec) && hasLabels(client.labels, selectorOf(spec));
  return (
    own.find(selects) ??
    own.find(({ spec }) => !hasSelector(spec)) ??
    resources.find(({ namespace, spec }) => namespace === rootNamespace && !hasSelector(spec))
  );
}

function selectorOf({ workloadSelector }: SidecarSpec): Readonly<Record<string, string>> {
  return workloadSelector?.labels ?? {};
}

function hasSelector(spec: SidecarSpec): boolean {
  return Object.keys(selectorOf(spec)).length > 0;
}

interface Pattern {
  /** `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

function compileScope(resource: Resource<SidecarSpec>, clientNamespace: string): SidecarScope {
  const { egress, outboundTrafficPolicy } = resource.spec;
  const written = (egress ?? []).flatMap(({ hosts }) => hosts ?? []);
  const patterns = written.map((text) => ({
    excludes: text.startsWith("~"),
    pattern: parsePattern(text, clientNamespace),
  }));
  const included = patterns.filter(({ excludes }) => !excludes).map(({ pattern }) => pattern);
  const excluded = patterns.filter(({ excludes }) => excludes).map(({ pattern }) => pattern);
  const narrows = egress !== undefined && egress.length > 0;
  const some = (list: readonly Pattern[], namespace: string, fits: (pattern: string) => boolean) =>
    list.some((pattern) => (pattern.namespace === "*" || pattern.namespace === namespace) && fits(pattern.host));
  return {
    resource,
    narrows,
    // Absent: the mesh's. Present without a mode: the protobuf's zero value.
    outboundPolicy: outboundTrafficPolicy && (outboundTrafficPolicy.mode ?? "REGISTRY_ONLY"),
    importsService(namespace, host) {
      if (!narrows) return true;
      const covers = (pattern: string) => hostCovers(pattern, host);
      return some(included, namespace, covers) && !some(excluded, namespace, covers);
    },
    importsVirtualService(namespace, hosts) {
      if (!narrows) return true;
      return hosts.some(
        (host) =>
          some(included, namespace, (pattern) => hostsOverlap(pattern, host)) &&
          !some(excluded, namespace, (pattern) => hostCovers(pattern, host)),
      );
    },
  };
}

/** `ns/host`, `./host`, `~ns/host`; a bare `~/x` means every namespace. */
function parsePattern(text: string, clientNamespace: string): Pattern {
  const body = text.startsWith("~") ? text.slice(1) : text;
  const slash = body.indexOf("/");
  const namespace = slash < 0 ? "*" : body.slice(0, slash);
  const host = body.slice(slash + 1).toLowerCase();
  return { namespace: namespace === "." ? clientNamespace : namespace === "" ? "*" : namespace, host };
}
