/** Requests under random sets of rules and what others did with them, in one form. See ../shared/cases/README.md. */

import { type ClientContext, compile, type Snapshot } from "@inmesh/model";
import { resourcesOf, sorted } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";

export interface RecordedRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the service adds to its answer. */
  readonly backendHeaders?: Readonly<Record<string, string>>;
}

export interface RecordedAnswer {
  readonly status?: number;
  readonly host?: string;
  readonly subset?: string | undefined;
  readonly upstream?: {
    readonly method: string;
    readonly path: string;
    readonly authority: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly location?: string;
  readonly body?: string;
  /** Those that policy or the service put there. */
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly passThrough?: boolean;
}

export interface RecordedService {
  readonly host: string;
  readonly ports: readonly number[];
  readonly subsets: readonly string[];
}

export interface RouteGroup {
  readonly id: string;
  readonly resources: readonly unknown[];
  readonly cases: readonly { readonly request: RecordedRequest; readonly expect: RecordedAnswer }[];
}

export interface Recording {
  readonly services: readonly RecordedService[];
  readonly groups: readonly RouteGroup[];
  /** Without, nothing is known of the bodies of answers. */
  readonly tellsBodies: boolean;
  /** Cases (`group/index`) where we answer otherwise on purpose. */
  readonly wantedDifferences: ReadonlySet<string>;
}

/** One request, its snapshot, and the recorded answer. */
export interface Judged {
  /** `group/index`. */
  readonly id: string;
  readonly snapshot: Snapshot;
  readonly request: RecordedRequest;
  readonly wanted: RecordedAnswer;
}

/** The caller of the recordings. */
const CLIENT: ClientContext = { namespace: "shop", service: "app", labels: { app: "app" } };
export const PORT = 80;

/** Versions that have an endpoint: one for each subset. */
export function versionsOf({ subsets }: RecordedService): readonly string[] {
  return subsets.length > 0 ? subsets : ["v0"];
}

/** Where the endpoint of a service's version is. */
export type EndpointPort = (host: string, version: string) => number;

/** Every request but those with a wanted difference, group by group, each against the snapshot of its group. */
export function* judged(recording: Recording, portOf: EndpointPort): Generator<Judged> {
  const { services, groups, wantedDifferences } = recording;
  const around = resourcesOf(services.flatMap((service) => documentsOf(service, portOf)));
  let snapshot: Snapshot | undefined;
  for (const { id: group, resources, cases } of groups) {
    const all = [...around, ...resourcesOf(resources)];
    const version = (snapshot?.version ?? 0) + 1;
    snapshot = compile({ resources: all, workloads: [], client: CLIENT, problems: [], version }, snapshot);
    for (const [index, { request, expect: wanted }] of cases.entries()) {
      const id = `${group}/${index}`;
      if (!wantedDifferences.has(id)) yield { id, snapshot, request, wanted };
    }
  }
}

export function isSame(a: object, b: object): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** What the recording ran behind the rules: a ServiceEntry with an endpoint per subset, and the subsets. */
export function documentsOf({ host, ports, subsets }: RecordedService, portOf: EndpointPort): unknown[] {
  const [name, namespace] = host.split(".");
  const endpoints = versionsOf({ host, ports, subsets }).map((version) => ({
    address: "127.0.0.1",
    ports: Object.fromEntries(ports.map((number) => [`http-${number}`, portOf(host, version)])),
    labels: { version },
  }));
  const apiVersion = "networking.istio.io/v1";
  const metadata = { name, namespace };
  const entry = {
    hosts: [host],
    ports: ports.map((number) => ({ number, name: `http-${number}`, protocol: "HTTP" })),
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    endpoints,
  };
  const rule = { host, subsets: subsets.map((version) => ({ name: version, labels: { version } })) };
  return [
    { apiVersion, kind: "ServiceEntry", metadata, spec: entry },
    { apiVersion, kind: "DestinationRule", metadata, spec: rule },
  ];
}
