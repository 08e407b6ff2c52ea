/** Servers on this machine as the shop's services, and a process of the mesh that calls them by an istiod's word. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { eventually } from "../eventually.js";

export interface Backend extends AsyncDisposable {
  readonly port: number;
  readonly name: string;
}

/** Answers its name. */
export async function backend(name: string): Promise<Backend> {
  const server = createServer((request, response) => {
    response.setHeader("x-path", request.url ?? "");
    response.end(name);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return {
    ...{ port, name },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const NETWORKING = "networking.istio.io/v1";

export function document(kind: string, name: string, spec: object, apiVersion = NETWORKING, more: object = {}): object {
  return { apiVersion, kind, metadata: { name, namespace: "shop", ...more }, spec };
}

/** One service with an endpoint for each backend, labelled `version`. */
export function serviceOf(name: string, backends: readonly Backend[], more: object = {}): object {
  return document("ServiceEntry", name, {
    hosts: [`${name}.shop.svc.cluster.local`],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    endpoints: backends.map(({ port, name: version }) => ({
      address: "127.0.0.1",
      ports: { http: port },
      labels: { app: name, version },
    })),
    ...more,
  });
}

export function subsetsOf(name: string, versions: readonly string[], more: object = {}): object {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }));
  return document("DestinationRule", name, { host: name, subsets, ...more });
}

export function routeTo(name: string, subset: string): object {
  const route = [{ destination: { host: name, subset } }];
  return document("VirtualService", name, { hosts: [name], http: [{ route }] });
}

/** With a state folder of its own. @param isReady waited for its configuration */
export async function meshAt(
  config: NonNullable<MeshOptions["config"]>,
  options: MeshOptions = {},
  isReady = true,
): Promise<Mesh & AsyncDisposable> {
  const stateDir = mkdtempSync(join(tmpdir(), "inmesh-xds-state-"));
  const mesh = await createMesh({
    ...{ service: "app", namespace: "shop", config, stateDir, admin: "off", log: "error", propagationDelayMs: 0 },
    ...options,
  });
  if (isReady) await mesh.ready();
  return Object.assign(mesh, {
    [Symbol.asyncDispose]: async () => {
      await mesh.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  });
}

/** Answer of a GET. */
export async function ask(mesh: Mesh, url: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await mesh.fetch(url, { headers });
  const text = await response.text();
  return response.ok ? text : `${response.status} ${text}`;
}

/** In which a change of policy reaches traffic: a second on a machine that does nothing else, as the matrix runs. */
export const IN_FORCE_MS = process.env["INMESH_MATRIX"] === "1" ? 1_000 : 20_000;

/** Ms until `probe` is true, asked without a pause. */
export async function timeUntil(what: string, probe: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  await eventually(what, probe);
  return performance.now() - began;
}
