/** A mesh of one process, whose registry, in memory, holds what a test writes in YAML. */

import { MemoryRegistry } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { expect } from "vitest";

export async function meshOfYaml(
  yaml: readonly string[],
  closing: (() => unknown)[],
  options: MeshOptions = {},
): Promise<Mesh> {
  const { documents, problems } = parseDocuments(yaml.join("\n---\n"), { file: "policy.yaml" });
  expect(problems).toEqual([]);
  const registry = new MemoryRegistry();
  await registry.apply(documents);
  const mesh = await createMesh({
    ...{ service: "shop", config: registry, propagationDelayMs: 0, admin: "off", log: "error" },
    ...options,
  });
  closing.push(() => mesh.close());
  await mesh.ready();
  return mesh;
}

/** `host` port 50051, served at these ports of this machine. */
export function serviceAt(host: string, ports: readonly number[], protocol = "GRPC"): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host.replaceAll(".", "-")}, namespace: default }
spec:
  hosts: [${host}]
  ports: [{ number: 50051, name: main, protocol: ${protocol} }]
  resolution: STATIC
  endpoints:
${ports.map((port) => `  - { address: 127.0.0.1, ports: { main: ${port} }, labels: { version: "v${ports.indexOf(port) + 1}" } }`).join("\n")}`;
}

/** A VirtualService of `host` with these `http` rules, in YAML's flow form. */
export function rules(host: string, http: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host.replaceAll(".", "-")}, namespace: default }
spec: { hosts: [${host}], http: ${http} }`;
}

/** A DestinationRule of `host`. */
export function destination(host: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host.replaceAll(".", "-")}, namespace: default }
spec: { host: ${host}, ${spec} }`;
}
