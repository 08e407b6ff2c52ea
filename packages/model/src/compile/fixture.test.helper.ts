/** Short ways to documents, workloads and requests, for the tests of this folder. */

import { parseDocuments } from "../document/parse-documents.js";
import type { Resource } from "../resource.js";
import type { MatchRequest, Route } from "../snapshot/route.js";
import type { ClientContext, Snapshot } from "../snapshot/snapshot.js";
import type { Workload } from "../snapshot/workload.js";
import { validateDocument } from "../validate/validate-document.js";
import { type CompileInput, compile } from "./compile.js";

export const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };

/** Documents of YAML; the namespace is `shop` where none is written. @throws when one is refused */
export function read(yaml: string): Resource[] {
  const { documents, problems } = parseDocuments(yaml, { file: "policy.yaml", namespace: "shop" });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return documents.map((document) => {
    const { resource, problems } = validateDocument(document);
    if (resource === undefined) throw new Error(JSON.stringify(problems));
    return resource;
  });
}

const GROUPS: Readonly<Record<string, string>> = {
  Service: "v1",
  Namespace: "v1",
  MeshMode: "inmesh.dev/v1alpha1",
  CircuitBreaker: "inmesh.dev/v1alpha1",
  Resilience: "inmesh.dev/v1alpha1",
  RateLimit: "inmesh.dev/v1alpha1",
  GRPCRoute: "gateway.networking.k8s.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  PeerAuthentication: "security.istio.io/v1",
  RequestAuthentication: "security.istio.io/v1",
  AuthorizationPolicy: "security.istio.io/v1",
  Telemetry: "telemetry.istio.io/v1",
};

/** What `mesh.yaml` says; `fields` is YAML in flow style. */
export function meshConfig(fields: string): Resource {
  const [document] = parseDocuments(fields, { file: "mesh.yaml" }).documents;
  const validated = document && validateDocument(document);
  if (validated?.resource === undefined) throw new Error(JSON.stringify(validated?.problems));
  return validated.resource;
}

/** One document; `name` may be `namespace/name`. `spec` is YAML in flow style. */
export function resource(kind: string, name: string, spec: string, metadata = ""): Resource {
  const [namespace, plain] = name.includes("/") ? name.split("/") : ["shop", name];
  const apiVersion = GROUPS[kind] ?? "networking.istio.io/v1";
  const meta = `{name: ${plain}, namespace: ${namespace}${metadata === "" ? "" : `, ${metadata}`}}`;
  const [made] = read(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: ${meta}\nspec: ${spec}`);
  if (made === undefined) throw new Error(`no resource in ${spec}`);
  return made;
}

export const route = (host: string, subset = ""): string =>
  `{route: [{destination: {host: ${host}${subset === "" ? "" : `, subset: ${subset}`}}}]}`;

export function virtualService(name: string, host: string, rules: string, more = "", metadata = ""): Resource {
  return resource("VirtualService", name, `{hosts: ["${host}"], http: [${rules}]${more}}`, metadata);
}

export function lease(name: string, port = 3000, part: Partial<Workload> = {}): Workload {
  const [namespace, service] = name.includes("/") ? name.split("/") : ["shop", name];
  return {
    name: `${service}-${port}`,
    namespace: namespace ?? "",
    service: service ?? "",
    address: "10.0.0.1",
    ports: port === 0 ? [] : [{ number: port, name: "http" }],
    labels: {},
    weight: 1,
    healthy: true,
    ...part,
  };
}

export function snapshotOf(
  resources: readonly Resource[],
  workloads: readonly Workload[] = [],
  more: Partial<CompileInput> = {},
  previous?: Snapshot,
): Snapshot {
  return compile({ resources, workloads, client: CLIENT, problems: [], version: 1, ...more }, previous);
}

export interface RequestPart {
  readonly method?: string;
  readonly authority?: string;
  readonly scheme?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export function request(
  path: string,
  { method = "GET", authority = "reviews", scheme = "http", headers = {} }: RequestPart = {},
): MatchRequest {
  return { method, path, authority, scheme, header: (name) => headers[name] };
}

/** Cluster of the first destination, or what else the route does. */
export function target(found: Route | undefined): string {
  if (found === undefined) return "404";
  const { action } = found;
  return action.kind === "forward" ? (action.destinations[0]?.cluster ?? "nothing") : `${action.kind} ${action.status}`;
}

/** Where a request to an authority goes. */
export function sent(snapshot: Snapshot, host: string, port = 80, path = "/", part: RequestPart = {}): string {
  const virtualHost = snapshot.routes.lookup(host, port);
  return virtualHost === undefined ? "unknown" : target(virtualHost.find(request(path, part)));
}

/** Addresses behind a cluster. */
export function endpointsOf(snapshot: Snapshot, cluster: string): readonly string[] {
  const found = snapshot.cluster(cluster);
  return found === undefined ? ["no cluster"] : snapshot.endpoints(found).endpoints.map(({ id }) => id);
}
