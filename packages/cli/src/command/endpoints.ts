/** `inmesh endpoints`: where the instances of a service are, and what the processes that call them see. */

import {
  type ClustersView,
  type EndpointView,
  type Out,
  outText,
  type ServiceView,
  shortHost,
  snapshotView,
} from "@inmesh/core/admin";
import { clusterName, type Document, type Endpoint, type Snapshot } from "@inmesh/model";
import { Command } from "commander";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { canBeAsked, processName, type Reading, readProcesses } from "../live/processes.js";
import { formatOf, withAllNamespaces, withCommon, withRegistry } from "../options.js";
import { formatMs, LIST_FORMATS, printListing } from "../output/format.js";
import { snapshotSeen } from "../registry/client-context.js";
import { findServices } from "../registry/find-services.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { type ViewOptions, withFrom } from "./services.js";

interface EndpointsOptions extends ViewOptions {
  readonly remote?: boolean;
}

interface Row {
  /** Host of the service. */
  readonly service: string;
  readonly namespace: string;
  /** `address:port`. */
  readonly id: string;
  /** Name that the processes which call it looked up; empty where the registry has the address, or nobody asked yet. */
  readonly dnsName: string;
  /** What they found, where that is not the endpoint itself. */
  readonly addresses: readonly string[];
  /** Ports of the service behind which it stands. */
  readonly servicePorts: readonly number[];
  readonly subsets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** `region/zone/subZone`, as far as it is known. */
  readonly locality: string;
  readonly weight: number;
  readonly workloads: readonly string[];
  /** Over all processes that answered. */
  readonly inFlight: number;
  readonly attempts: number;
  readonly failures: number;
  /** Longest of what any process has left; 0 when all use it, and when only health checks keep it out. */
  readonly ejectedForMs: number;
  /** Processes that send it no calls. */
  readonly ejectedBy: readonly string[];
  /** The registry lost it with many others at once: for how much longer some process uses it all the same; 0 otherwise. */
  readonly suspectForMs: number;
  /** Processes whose circuit breaker of the endpoint is not closed. */
  readonly brokenBy: readonly string[];
  /** Why not. */
  readonly out: readonly (Out & { readonly process: string })[];
}

/** Only where somebody is left out. */
const WHY_COLUMN = {
  title: "WHY",
  cell: ({ out }: Row): string => [...new Set(out.map(outText))].join("; "),
};

/** Of names that were looked up: where they lead, or where the endpoint comes from. */
const NAME_COLUMN = {
  title: "DNS",
  cell: ({ dnsName, addresses }: Row): string => (addresses.length > 0 ? addresses.join(",") : dnsName),
};

const EXAMPLES = `
Examples:
  inmesh endpoints                  of every service
  inmesh endpoints reviews          of one
IN FLIGHT, FAILED and STATE are what the running processes see. An ejected endpoint refused connections, or outlierDetection
or its health checks found it sick: WHY says which, by each process for itself. A suspect is one that the registry lost with
many others at once; it is used for a while longer.
`;

export function endpointsCommand(ports: CommandPorts): Command {
  const command = withFrom(
    new Command("endpoints")
      .description("list the endpoints of services, with what their callers see")
      .argument("[service]", "service, service.namespace, namespace/service or host")
      .addHelpText("after", EXAMPLES),
  );
  return withRemote(withAllNamespaces(withRegistry(withCommon(command, LIST_FORMATS)))).action(
    action<[string | undefined], EndpointsOptions>(ports, (cli, [service], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        const { leases, documents } = registry.view;
        const snapshot = await snapshotSeen(registry, options, cli);
        const services = findServices(snapshotView(snapshot, []).services, service, options.namespace);
        const admin = adminClient(cli, options);
        const callers = leases.filter((lease) => canBeAsked(lease, options.remote));
        const readings = await readProcesses<ClustersView>(admin, callers, "/clusters", ["clusters"]);
        const subsets = subsetNames(documents);
        const rows = services.flatMap((each) => endpointRows(snapshot, each, subsets, readings));
        for (const { lease, failure } of readings) {
          if (failure !== undefined) cli.warn(`${processName(lease)} was not asked: ${failure}`);
        }
        printListing(cli, formatOf(options), {
          rows,
          json: {
            endpoints: rows,
            unreachable: readings.flatMap(({ lease, failure }) =>
              failure === undefined ? [] : [{ name: processName(lease), reason: failure }],
            ),
          },
          name: ({ id }) => id,
          empty: `No endpoint: nothing that serves ${service ?? "anything"} is registered. See: inmesh status`,
          columns: [
            { title: "SERVICE", cell: (row) => shortHost(row.service) },
            { title: "ENDPOINT", cell: ({ id }) => id },
            ...(rows.some(({ dnsName }) => dnsName !== "") ? [NAME_COLUMN] : []),
            { title: "PORTS", cell: ({ servicePorts }) => servicePorts.join(",") },
            { title: "VERSION", cell: ({ labels }) => labels["version"] ?? "" },
            { title: "SUBSETS", cell: (row) => row.subsets.join(",") },
            { title: "IN FLIGHT", cell: ({ inFlight }) => `${inFlight}`, align: "right" },
            { title: "ATTEMPTS", cell: ({ attempts }) => `${attempts}`, align: "right" },
            { title: "FAILED", cell: ({ failures }) => `${failures}`, align: "right" },
            {
              title: "STATE",
              cell: stateText,
              paint: (text) => cli.paint(text === "ok" ? "green" : "red", text),
            },
            ...(rows.some(({ out }) => out.length > 0) ? [WHY_COLUMN] : []),
            { title: "WORKLOADS", cell: ({ workloads }) => workloads.join(",") },
            { title: "LOCALITY", cell: ({ locality }) => locality, wide: true },
            { title: "WEIGHT", cell: ({ weight }) => `${weight}`, wide: true, align: "right" },
            { title: "LABELS", cell: ({ labels }) => labelsText(labels), wide: true },
          ],
        });
        return EXIT.ok;
      }),
    ),
  );
}

function endpointRows(
  snapshot: Snapshot,
  { host, namespace, ports, resolution }: ServiceView,
  subsetNamesByHost: readonly string[],
  readings: readonly Reading<ClustersView>[],
): Row[] {
  const found = new Map<string, { endpoint: Endpoint; servicePorts: Set<number>; subsets: Set<string> }>();
  const visit = (port: number, subset: string): void => {
    const cluster = snapshot.cluster(clusterName(port, subset, host));
    if (cluster === undefined) return;
    for (const endpoint of snapshot.endpoints(cluster).endpoints) {
      const entry = found.get(endpoint.id) ?? { endpoint, servicePorts: new Set(), subsets: new Set() };
      entry.servicePorts.add(port);
      if (subset !== "") entry.subsets.add(subset);
      found.set(endpoint.id, entry);
    }
  };
  for (const { number } of ports) {
    visit(number, "");
    for (const subset of subsetNamesByHost) visit(number, subset);
  }
  const live = liveEndpoints(readings, host);
  const entries = [...found.values()].flatMap((entry) => {
    const lookedUp = lookedUpFrom(entry.endpoint, resolution, live);
    return lookedUp.length === 0 ? [{ ...entry, addresses: [] }] : lookedUp.map((each) => ({ ...entry, ...each }));
  });
  const known = new Set(entries.map(({ endpoint }) => endpoint.id));
  return [...entries, ...suspectsIn(live, known)].map(({ endpoint, addresses, servicePorts, subsets }) => {
    const { id, dnsName = "", labels, locality, weight, workloads } = endpoint;
    const place =
      locality === undefined ? "" : [locality.region, locality.zone, locality.subZone].filter(Boolean).join("/");
    return {
      ...{ service: host, namespace, id, dnsName, addresses, servicePorts: [...servicePorts], subsets: [...subsets] },
      ...{ labels, locality: place, weight, workloads },
      ...liveState(live, id),
    };
  });
}

interface LiveEndpoint {
  readonly endpoint: EndpointView;
  /** Its circuit breaker is not closed. */
  readonly broken: boolean;
  /** Process that sees it, and of which cluster. */
  readonly by: string;
  readonly port: number;
  readonly subset: string;
}

/** The same address may serve several clusters of a process; its state is kept for each of them. */
function liveEndpoints(readings: readonly Reading<ClustersView>[], host: string): readonly LiveEndpoint[] {
  return readings.flatMap(({ lease, view }) =>
    (view?.clusters ?? [])
      .filter((cluster) => cluster.host === host)
      .flatMap(({ endpoints, breakers = [], port, subset }) =>
        endpoints.map((endpoint) => ({
          endpoint,
          broken: breakers.some((breaker) => breaker.endpoint === endpoint.id && breaker.state !== "closed"),
          ...{ by: processName(lease), port, subset },
        })),
      ),
  );
}

/**
 * What the processes that call a name found for it: with DNS an endpoint for each address, with DNS_ROUND_ROBIN the
 * addresses of the one there is, with DYNAMIC_DNS one for each host that was called. Processes may have found different ones.
 */
function lookedUpFrom(
  written: Endpoint,
  resolution: ServiceView["resolution"],
  live: readonly LiveEndpoint[],
): { endpoint: Endpoint; addresses: readonly string[] }[] {
  const found = new Map<string, { endpoint: Endpoint; addresses: string[] }>();
  for (const { endpoint } of live) {
    const { id, dnsName, address } = endpoint;
    const ofThis = resolution === "dynamicDns" || (dnsName === written.address && id.endsWith(`:${written.port}`));
    if (!dnsName || !ofThis) continue; // a process of an older version knows no names
    const entry = found.get(id) ?? { endpoint: { ...written, id, dnsName }, addresses: [] };
    if (resolution !== "dns" && !entry.addresses.includes(address)) entry.addresses.push(address);
    found.set(id, entry);
  }
  return [...found.values()];
}

/** Endpoints that the registry does not tell any more, in use by some process all the same. */
function suspectsIn(live: readonly LiveEndpoint[], known: ReadonlySet<string>) {
  const ids = new Set(live.flatMap(({ endpoint: { id, suspectForMs = 0 } }) => (suspectForMs > 0 ? id : [])));
  return [...ids].sort().flatMap((id) => {
    const seen = live.filter(({ endpoint }) => endpoint.id === id);
    const [first] = seen;
    if (first === undefined || known.has(id)) return [];
    const { address, labels, weight, workloads } = first.endpoint;
    const port = Number(id.slice(id.lastIndexOf(":") + 1));
    const endpoint: Endpoint = { id, address, port, labels, weight, workloads };
    const subsets = new Set(seen.flatMap(({ subset }) => (subset === "" ? [] : subset)));
    return [{ endpoint, addresses: [], servicePorts: new Set(seen.map((each) => each.port)), subsets }];
  });
}

function liveState(live: readonly LiveEndpoint[], id: string) {
  const seen = live.filter(({ endpoint }) => endpoint.id === id);
  const sum = (field: "inFlight" | "attempts" | "failures"): number =>
    seen.reduce((total, { endpoint }) => total + endpoint[field], 0);
  const ejected = seen.filter(({ endpoint: { ejectedForMs, out = [] } }) => ejectedForMs > 0 || out.length > 0);
  return {
    inFlight: sum("inFlight"),
    attempts: sum("attempts"),
    failures: sum("failures"),
    ejectedForMs: Math.max(0, ...ejected.map(({ endpoint }: { endpoint: EndpointView }) => endpoint.ejectedForMs)),
    ejectedBy: [...new Set(ejected.map(({ by }) => by))],
    suspectForMs: Math.max(0, ...seen.map(({ endpoint }) => endpoint.suspectForMs ?? 0)),
    brokenBy: [...new Set(seen.filter(({ broken }) => broken).map(({ by }) => by))],
    out: ejected.flatMap(({ endpoint: { out = [] }, by }) => out.map((each) => ({ ...each, process: by }))),
  };
}

/** Subsets have no list of their own in a snapshot: the rules that define them are asked for their names. */
function subsetNames(documents: readonly Document[]): string[] {
  const names = documents
    .filter(({ kind }) => kind === "DestinationRule")
    .flatMap(({ value }) => {
      const { spec } = value as { spec?: { subsets?: unknown } };
      return Array.isArray(spec?.subsets) ? spec.subsets : [];
    })
    .map((subset: { name?: unknown } | null) => subset?.name);
  return [...new Set(names.filter((name) => typeof name === "string"))];
}

function stateText({ ejectedForMs, ejectedBy, brokenBy, suspectForMs }: Row): string {
  if (ejectedBy.length > 0) {
    return `ejected by ${ejectedBy.length}${ejectedForMs > 0 ? ` for ${formatMs(ejectedForMs)}` : ""}`;
  }
  if (suspectForMs > 0) return `suspect for ${formatMs(suspectForMs)}`;
  return brokenBy.length > 0 ? `breaker open in ${brokenBy.length}` : "ok";
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
