/** A snapshot as data that a person can read and a test can compare: what is default or absent is left out. */

import type { ResourceRef } from "../src/resource.js";
import type { ClientTls } from "../src/snapshot/client-tls.js";
import { type Cluster, clusterName } from "../src/snapshot/cluster.js";
import type { CorsPolicy, Destination, HeaderOps, RetryPolicy, Route, VirtualHost } from "../src/snapshot/route.js";
import type { Snapshot } from "../src/snapshot/snapshot.js";
import type { Service } from "../src/snapshot/workload.js";
import type { Asked } from "./golden-case.js";

type Fields = Readonly<Record<string, unknown>>;

export function snapshotText(snapshot: Snapshot, asked: readonly Asked[]): unknown {
  const { client, mesh, services, routes } = snapshot;
  const hosts = routes.all();
  return {
    client: `${client.namespace}/${client.service}`,
    unknownHosts: mesh.outboundPolicy,
    services: Object.fromEntries([...services.values()].map((service) => [service.host, serviceText(service)])),
    hosts: Object.fromEntries(hosts.map((host) => [host.name, hostText(host)])),
    clusters: Object.fromEntries(clusterNames(services, hosts).map((name) => [name, clusterText(snapshot, name)])),
    requests: Object.fromEntries(asked.map((one) => [one.text, answerText(snapshot, one)])),
  };
}

function serviceText({ ports, resolution, location, addresses, exportTo, resource, prefers }: Service): Fields {
  return {
    by: resource,
    ports: ports.map(({ number, protocol }) => `${number} ${protocol}`).join(", "),
    is: `${location}, ${resolution}`,
    ...(addresses.length > 0 && { addresses }),
    ...(exportTo.join() !== "*" && { exportTo }),
    ...(prefers && { prefers }),
  };
}

function hostText({ resource, routes, forOthers = [] }: VirtualHost): Fields {
  return {
    by: keyOf(resource),
    routes: routes.map(routeText),
    ...(forOthers.length > 0 && { forOthers: forOthers.map(({ path, why }) => `${path}: ${why}`) }),
  };
}

function routeText(route: Route): Fields {
  const { rewrite, fault, mirrors, cors, requestHeaders, responseHeaders, hashKeys, statPrefix, timeoutMs } = route;
  return {
    ...(route.path !== "" && { at: route.path }),
    ...(route.delegatedBy && { delegatedBy: `${keyOf(route.delegatedBy.resource)} ${route.delegatedBy.path}` }),
    ...(route.name !== "default" && { name: route.name }),
    ...(statPrefix && { statPrefix }),
    ...(route.matches.length > 0 && { matches: route.matches.map(({ text }) => text).join(" or ") }),
    ...actionText(route),
    ...(rewrite?.authority !== undefined && { authority: rewrite.authority }),
    ...(timeoutMs > 0 && { timeoutMs }),
    ...(route.action.kind === "forward" && { retries: retryText(route.retry) }),
    ...(hashKeys && { hashKeys }),
    ...(fault && { fault }),
    ...(mirrors.length > 0 && {
      mirrors: mirrors.map(({ destination, ratio, field }) => `${field}: ${destination.cluster} ${ratio}`),
    }),
    ...(cors && { cors: corsText(cors) }),
    ...(requestHeaders && { requestHeaders: headersText(requestHeaders) }),
    ...(responseHeaders && { responseHeaders: headersText(responseHeaders) }),
  };
}

function actionText({ action }: Route): Fields {
  if (action.kind === "redirect") return { redirect: action.status };
  if (action.kind === "directResponse") return { answers: action.status, body: String(action.body ?? "") };
  return { to: action.destinations.map((each) => destinationText(each, action.totalWeight)) };
}

function destinationText({ cluster, weight, ...own }: Destination, total: number): unknown {
  const { authority, requestHeaders, responseHeaders } = own;
  const text = weight === total ? cluster : `${cluster} ${weight}/${total}`;
  if (authority === undefined && requestHeaders === undefined && responseHeaders === undefined) return text;
  return {
    cluster: text,
    ...(authority !== undefined && { authority }),
    ...(requestHeaders && { requestHeaders: headersText(requestHeaders) }),
    ...(responseHeaders && { responseHeaders: headersText(responseHeaders) }),
  };
}

function retryText(retry: RetryPolicy): string {
  const { maxAttempts, tokens, perTryTimeoutMs, backoffBaseMs, avoidPreviousHosts, retryRemoteLocalities } = retry;
  if (maxAttempts === 1) return "none";
  return [
    `${maxAttempts - 1} on ${tokens.join(",")}`,
    ...(perTryTimeoutMs > 0 ? [`each at most ${perTryTimeoutMs} ms`] : []),
    ...(backoffBaseMs === 25 ? [] : [`back-off from ${backoffBaseMs} ms`]),
    ...(avoidPreviousHosts ? [] : ["to the same host"]),
    ...(retryRemoteLocalities ? ["to other localities"] : []),
  ].join(", ");
}

function corsText(cors: CorsPolicy): Fields {
  const { allowsOrigin, repeatsWhatIsAsked, ...rest } = cors;
  const said = Object.entries(rest).filter(([, value]) => value !== "" && value !== undefined);
  return Object.fromEntries(said);
}

function headersText({ remove, set, add }: HeaderOps): string {
  const pairs = (sign: string, list: HeaderOps["set"]) => list.map(([name, value]) => `${sign}${name}: ${value}`);
  return [...remove.map((name) => `-${name}`), ...pairs("=", set), ...pairs("+", add)].join("; ");
}

/** Empty for auto mTLS where nothing more is said, which is what every service of the mesh has. */
function tlsText({ mode, sni, auto, strict, identities }: ClientTls): string {
  const words = [...(mode === "DISABLE" ? [] : [mode, sni]), ...(strict ? ["strict"] : [])];
  return [...words, ...(auto && identities.length < 2 ? [] : identities)].join(" ").trim();
}

/** Whole services by port, and whatever rules send to. */
function clusterNames(services: Snapshot["services"], hosts: readonly VirtualHost[]): readonly string[] {
  const names = new Set<string>();
  for (const { host, ports } of services.values()) {
    for (const { number } of ports) names.add(clusterName(number, "", host));
  }
  for (const { action, mirrors } of hosts.flatMap(({ routes }) => routes)) {
    for (const { cluster } of action.kind === "forward" ? action.destinations : []) names.add(cluster);
    for (const { destination } of mirrors) names.add(destination.cluster);
  }
  return [...names].sort();
}

function clusterText(snapshot: Snapshot, name: string): unknown {
  const cluster = snapshot.cluster(name);
  if (cluster === undefined) return "not there";
  const { labels } = cluster;
  return {
    by: keyOf(cluster.resource),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...policyText(cluster),
    endpoints: snapshot
      .endpoints(cluster)
      .endpoints.map(({ id, weight }) => (weight === 1 ? id : `${id} weight ${weight}`)),
  };
}

function policyText({ policy: { tls, connection, ...policy } }: Cluster): Fields {
  const { connectTimeoutMs, idleTimeoutMs, maxRequestsPerConnection, ...more } = connection;
  const said = {
    ...(connectTimeoutMs !== 10_000 && { connectTimeoutMs }),
    ...(idleTimeoutMs !== 0 && { idleTimeoutMs }),
    ...(maxRequestsPerConnection !== 0 && { maxRequestsPerConnection }),
    ...more,
  };
  return {
    ...policy,
    ...(Object.keys(said).length > 0 && { connection: said }),
    ...(tlsText(tls) !== "" && { tls: tlsText(tls) }),
  };
}

/** What becomes of a request: its rule, and where it goes or what it is answered. */
function answerText(snapshot: Snapshot, { host, port, request }: Asked): string {
  const found = snapshot.routes.lookup(host, port);
  if (found === undefined) return "unknown host";
  const route = found.find(request);
  if (route === undefined) return `${found.name}: no rule matches, 404`;
  const { action, rewrite } = route;
  const rule = route.path === "" ? "the default route" : route.path;
  if (action.kind === "redirect") return `${rule}: ${action.status} to ${action.location(request)}`;
  if (action.kind === "directResponse") return `${rule}: answers ${action.status}`;
  const [path = "", ...query] = request.path.split("?");
  const sent = [rewrite?.path?.(path) ?? path, ...query].join("?");
  const to = action.destinations.map(({ cluster }) => cluster).join(" or ");
  return `${rule}: ${to}${sent === request.path ? "" : ` as ${sent}`}`;
}

function keyOf(resource: ResourceRef | null): string {
  return resource === null ? "nobody" : `${resource.kind}/${resource.namespace}/${resource.name}`;
}
