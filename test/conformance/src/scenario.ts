/** The form of the manifest: groups of scenarios under one policy, each with its steps and what must come out of them. */

import type { Client, Feature } from "./client/client.js";
import { EXPLICIT_SERVERS, type ServerName } from "./server/server-kind.js";
import type { Trial } from "./trial.js";

/** Compared deeply. */
export type Observation = object | string | number | boolean;

export interface Scenario {
  readonly name: string;
  readonly needs?: readonly Feature[];
  /** Nobody else of the process calls the host meanwhile. */
  readonly alone?: boolean;
  /** Mostly waits: many of these run at the same time. */
  readonly waits?: boolean;
  /** The same steps without a mesh in between must have the same outcome. */
  readonly asBare?: boolean;
  run(trial: Trial): Promise<Observation>;
  readonly expected: Observation | ((client: Client) => Observation);
}

/** Ports of one server's two listeners. */
export interface Ports {
  readonly v1: number;
  readonly v2: number;
}

export interface Group {
  /** Part of its host's name. */
  readonly name: string;
  /** One line for the docs. */
  readonly about: string;
  /** It is about rules, which are the caller's work alone: servers that differ in how they came into the mesh sit it out. */
  readonly ofCallers?: boolean;
  /** Ports behind its host, by version. Undefined: the service as the server's own lease makes it known. */
  readonly endpoints: ((ports: Ports) => readonly Endpoint[]) | undefined;
  /** Istio YAML for the host; v1 and v2 are subsets of it. */
  policy(host: string): string;
  readonly scenarios: readonly Scenario[];
}

export interface Endpoint {
  readonly port: number;
  readonly version: string;
}

/** Where nobody listens. */
export const REFUSING_PORT = 1;

export const first = ({ v1 }: Ports): readonly Endpoint[] => [{ port: v1, version: "v1" }];
export const both = ({ v1, v2 }: Ports): readonly Endpoint[] => [
  { port: v1, version: "v1" },
  { port: v2, version: "v2" },
];

export function concerns(group: Group, server: ServerName): boolean {
  return group.ofCallers !== true || !EXPLICIT_SERVERS.has(server);
}

/** How a server came into the mesh shows to its callers' transports alike: one client of each is enough. */
const CALLERS_OF_EXPLICIT: ReadonlySet<string> = new Set([
  "fetch",
  "undici request",
  "http.request",
  "axios",
  "mesh.fetch",
  "mesh.http.request",
]);

/** Whether a client calls a server at all. */
export function meets(client: string, server: ServerName): boolean {
  return !EXPLICIT_SERVERS.has(server) || CALLERS_OF_EXPLICIT.has(client);
}

export function hostOf(group: Group, server: ServerName): string {
  return group.endpoints === undefined ? server : `${group.name}-${server}.test`;
}

/** `http` of a VirtualService for the host, as a list in flow or block form. */
export function rules(host: string, http: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host.replaceAll(".", "-")} }
spec:
  hosts: [${host}]
  http:
${http.replace(/^\n|\s+$/g, "").replaceAll(/^/gm, "    ")}
`;
}
