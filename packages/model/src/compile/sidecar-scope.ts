/**
 * What the client's Sidecar lets it see. policy-semantics §3.3; what is said of listeners here, istiod 1.26 does.
 *
 * A port is the matter of the egress listener with its number, else of those without a port. What rules may send to is
 * wider: every listener brings its hosts along, one with a port for that port only. Binds and capture modes mean nothing
 * inside a process; nor does a proxy port or a socket, so such a listener is as one without a port.
 */

import type { EgressListenerSpec, SidecarSpec } from "../kind/sidecar.js";
import type { Resource } from "../resource.js";
import type { ClientContext, MeshSettings } from "../snapshot/snapshot.js";
import { hostCovers, hostsOverlap, isWildcard } from "./host.js";
import { hasLabels } from "./labels.js";

export interface SidecarScope {
  readonly resource: Resource<SidecarSpec>;
  /** False: everything is imported. */
  readonly narrows: boolean;
  readonly outboundPolicy: MeshSettings["outboundPolicy"] | undefined;
  /** Hosts that it names, where patterns are none. Namespace `*`: of any. */
  readonly named: readonly { readonly namespace: string; readonly host: string }[];
  /** Calls to this host and port are the mesh's. */
  seesService(namespace: string, host: string, port: number): boolean;
  /** Rules may send to this port. */
  importsPort(namespace: string, host: string, port: number): boolean;
  /** Rules may send to some port. @param ports undefined when any is possible */
  importsService(namespace: string, host: string, ports: readonly number[] | undefined): boolean;
  /** Any of its hosts is enough; the others come along. @param port at which it is to apply; undefined: at any */
  importsVirtualService(namespace: string, hosts: readonly string[], port?: number): boolean;
  /** Ports to which rules of that VirtualService may send: those of the listeners that let it through. Undefined: any. */
  portsBehind(namespace: string, hosts: readonly string[]): ReadonlySet<number> | undefined;
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

interface Listener {
  /** 0: every port that no other listener has. */
  readonly port: number;
  readonly included: readonly Pattern[];
  readonly excluded: readonly Pattern[];
}

const PROXY = "HTTP_PROXY";

function compileScope(resource: Resource<SidecarSpec>, clientNamespace: string): SidecarScope {
  const { egress = [], outboundTrafficPolicy } = resource.spec;
  const listeners = egress.map((listener) => compileListener(listener, clientNamespace));
  const inCharge = (port: number): readonly Listener[] => {
    const own = listeners.filter((listener) => listener.port === port);
    return own.length > 0 ? own : listeners.filter((listener) => listener.port === 0);
  };
  const bringing = (port: number): readonly Listener[] =>
    listeners.filter((listener) => listener.port === 0 || listener.port === port);
  const narrows = egress.length > 0;
  const letThrough = (among: readonly Listener[], namespace: string, hosts: readonly string[]) =>
    among.filter((listener) => hosts.some((host) => meets(listener, namespace, host)));
  const importsPort = (namespace: string, host: string, port: number) =>
    !narrows || bringing(port).some((listener) => covers(listener, namespace, host));
  return {
    resource,
    narrows,
    // Absent: the mesh's. Present without a mode: the protobuf's zero value.
    outboundPolicy: outboundTrafficPolicy && (outboundTrafficPolicy.mode ?? "REGISTRY_ONLY"),
    named: listeners.flatMap(({ included }) => included.filter(({ host }) => !isWildcard(host))),
    importsPort,
    seesService: (namespace, host, port) =>
      !narrows || inCharge(port).some((listener) => covers(listener, namespace, host)),
    importsService: (namespace, host, ports) =>
      !narrows ||
      (ports === undefined
        ? listeners.some((listener) => covers(listener, namespace, host))
        : ports.some((port) => importsPort(namespace, host, port))),
    importsVirtualService: (namespace, hosts, port) =>
      !narrows || letThrough(port === undefined ? listeners : inCharge(port), namespace, hosts).length > 0,
    portsBehind: (namespace, hosts) => {
      if (!narrows) return undefined;
      const ports = letThrough(listeners, namespace, hosts).map(({ port }) => port);
      return ports.includes(0) ? undefined : new Set(ports);
    },
  };
}

function compileListener({ port, hosts = [] }: EgressListenerSpec, clientNamespace: string): Listener {
  const patterns = hosts.map((text) => ({
    excludes: text.startsWith("~"),
    pattern: parsePattern(text, clientNamespace),
  }));
  return {
    port: port?.protocol?.toUpperCase() === PROXY ? 0 : (port?.number ?? 0),
    included: patterns.filter(({ excludes }) => !excludes).map(({ pattern }) => pattern),
    excluded: patterns.filter(({ excludes }) => excludes).map(({ pattern }) => pattern),
  };
}

function covers({ included, excluded }: Listener, namespace: string, host: string): boolean {
  const fits = (pattern: string) => hostCovers(pattern, host);
  return some(included, namespace, fits) && !some(excluded, namespace, fits);
}

/** Of a VirtualService: a host that stands for some of the pattern's is enough. */
function meets({ included, excluded }: Listener, namespace: string, host: string): boolean {
  return (
    some(included, namespace, (pattern) => hostsOverlap(pattern, host)) &&
    !some(excluded, namespace, (pattern) => hostCovers(pattern, host))
  );
}

function some(list: readonly Pattern[], namespace: string, fits: (pattern: string) => boolean): boolean {
  return list.some((pattern) => (pattern.namespace === "*" || pattern.namespace === namespace) && fits(pattern.host));
}

/** `ns/host`, `./host`, `~ns/host`; a bare `~/x` means every namespace. */
function parsePattern(text: string, clientNamespace: string): Pattern {
  const body = text.startsWith("~") ? text.slice(1) : text;
  const slash = body.indexOf("/");
  const namespace = slash < 0 ? "*" : body.slice(0, slash);
  const host = body.slice(slash + 1).toLowerCase();
  return { namespace: namespace === "." ? clientNamespace : namespace === "" ? "*" : namespace, host };
}
