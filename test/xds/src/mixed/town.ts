/**
 * A shop of which one service still has its sidecar, `legacy`, and one runs without, `fresh`, in two processes: v1 takes Istio's
 * resources, v2 what a sidecar is told. One real istiod rules both and is their authority.
 */

import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { Client, credentials, Server as GrpcServer } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { eventually } from "../eventually.js";
import { CertifiedIstiod } from "../istiod/certified-istiod.js";
import { freePort } from "../istiod/istiod.js";
import { document, meshAt } from "../istiod/shop.js";
import { bind, callMethod, GRPC_PORT, serveMethods } from "./grpc-part.js";
import { Sidecar } from "./sidecar.js";

export const SECURITY = "security.istio.io/v1";
/** Of loopback, so that each workload has an address of its own, by which istiod knows it. */
const ADDRESSES = { legacy: "127.0.0.50", v1: "127.0.0.61", v2: "127.0.0.62" } as const;
const PROFILES = { v1: "api", v2: "envoy" } as const;

/** Path by which everybody can be asked which set of rules is in force. */
const MARK = "/mark";

export type Workload = keyof typeof ADDRESSES;

/** What came of a call. */
export interface Answer {
  readonly status: number;
  /** Who answered. */
  readonly by?: Workload;
  /** The SPIFFE id that the answering side knows its caller by. */
  readonly caller?: string;
}

export class Town implements AsyncDisposable {
  readonly #disposals: (() => unknown)[] = [];
  readonly #meshes = new Map<Workload, Mesh>();
  readonly #ports = new Map<Workload, number>();
  readonly #grpcPorts = new Map<Workload, number>();
  #authority: CertifiedIstiod | undefined;
  #proxyPort = 0;
  #sets = 0;
  #base: readonly object[] = [];

  static async open(binaries: { readonly istiod: string; readonly envoy: string }): Promise<Town> {
    const town = new Town();
    try {
      await town.#open(binaries);
      return town;
    } catch (error) {
      await town[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** These on top of the services, and nothing else from before: resolves when all three have them. */
  async rule(documents: readonly object[]): Promise<void> {
    const mark = String(++this.#sets);
    const http = [{ match: [{ uri: { exact: MARK } }], directResponse: { status: 200, body: { string: mark } } }];
    const told = document("VirtualService", "mark", { hosts: ["mark.shop.svc.cluster.local"], http });
    this.#authority?.istiod.write([...this.#base, ...documents, told]);
    for (const workload of ["legacy", "v1", "v2"] as const)
      await eventually(`${workload} has the set`, async () => (await this.#ask(workload, "mark", MARK)).text === mark);
  }

  /** A call of one workload's application to a host of the shop. */
  async call(from: Workload, host: string, path = "/"): Promise<Answer> {
    return answerOf(await this.#ask(from, host, path));
  }

  /** One over gRPC, to the same workloads. @returns with 200 in place of OK */
  async callGrpc(from: Workload, host: string, method: string): Promise<Answer> {
    const authority = `${host}-grpc.shop.svc.cluster.local:${GRPC_PORT}`;
    const mesh = this.#meshes.get(from);
    // A sidecar is the application's proxy for gRPC, too: it takes HTTP/2 as it begins, and goes by the authority.
    const client =
      mesh === undefined
        ? new Client(`127.0.0.1:${this.#proxyPort}`, credentials.createInsecure(), {
            "grpc.default_authority": authority,
          })
        : new Client(authority, mesh.grpc.credentials(), mesh.grpc.options());
    return answerOf(await callMethod(client, method));
  }

  /** A call of somebody who is not of the mesh, in plain text to a workload's own port. */
  async intrude(to: Workload): Promise<Answer> {
    return answerOf(await send(this.#ports.get(to) ?? 0, ADDRESSES[to], "/", "intruder"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispose of this.#disposals.reverse()) await dispose();
  }

  /** Its sidecar is a proxy to an application, a mesh a function. */
  async #ask(from: Workload, host: string, path: string): Promise<Told> {
    const name = `${host}.shop.svc.cluster.local`;
    const mesh = this.#meshes.get(from);
    if (mesh === undefined) return await send(this.#proxyPort, "127.0.0.1", path, name);
    try {
      const response = await mesh.fetch(`http://${name}${path}`);
      return { status: response.status, text: await response.text() };
    } catch {
      return { status: 0, text: "" };
    }
  }

  #use<T extends AsyncDisposable>(resource: T): T {
    this.#disposals.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  async #open(binaries: { readonly istiod: string; readonly envoy: string }): Promise<void> {
    for (const workload of ["legacy", "v1", "v2"] as const) {
      this.#ports.set(workload, await freePort());
      this.#grpcPorts.set(workload, await freePort());
    }
    const app = { http: await freePort(), grpc: await freePort() };
    this.#proxyPort = await freePort();
    this.#base = servicesOf(this.#ports, this.#grpcPorts, app);
    this.#authority = this.#use(
      await CertifiedIstiod.start({
        ...{ binary: binaries.istiod, documents: this.#base, mesh: { proxyHttpPort: this.#proxyPort } },
        // An Envoy that is not Istio's own lacks these filters.
        env: { PILOT_ENABLE_ALPN_FILTER: "false", PILOT_ENABLE_METADATA_EXCHANGE: "false" },
      }),
    );
    await this.#openLegacy(this.#authority, binaries.envoy, app);
    for (const version of ["v1", "v2"] as const) await this.#openFresh(this.#authority, version);
  }

  async #openLegacy(authority: CertifiedIstiod, binary: string, ports: AppPorts): Promise<void> {
    const app = createServer(({ headers }, response) => {
      response.end(JSON.stringify({ by: "legacy", caller: callerOf(headers["x-forwarded-client-cert"]) }));
    });
    this.#disposals.push(() => close(app));
    await once(app.listen(ports.http, "127.0.0.1"), "listening");
    const overGrpc = serveMethods(new GrpcServer(), "legacy", (metadata) =>
      callerOf(metadata.get("x-forwarded-client-cert")[0]),
    );
    this.#disposals.push(() => overGrpc.forceShutdown());
    await bind(overGrpc, `127.0.0.1:${ports.grpc}`);
    this.#use(
      await Sidecar.start({
        ...{ binary, istiod: authority.istiod.address, service: "legacy", namespace: "shop" },
        ...{ address: ADDRESSES.legacy, labels: { app: "legacy" } },
        credentials: await authority.certificate("legacy"),
      }),
    );
  }

  async #openFresh(authority: CertifiedIstiod, version: "v1" | "v2"): Promise<void> {
    const account = `fresh-${version}`;
    const mesh = this.#use(
      await meshAt(authority.url(account, PROFILES[version]), {
        ...{ service: "fresh", serviceAccount: account, identity: "istio-ca", address: ADDRESSES[version] },
        labels: { app: "fresh", version },
      }),
    );
    this.#meshes.set(version, mesh);
    const answer = () => JSON.stringify({ by: version, caller: mesh.peer()?.id });
    const server = mesh.attach(createServer(mesh.handler((_, response) => void response.end(answer()))));
    this.#disposals.push(() => close(server));
    await once(server.listen(this.#ports.get(version), ADDRESSES[version]), "listening");
    const overGrpc = serveMethods(mesh.grpc.server(), version, () => mesh.peer()?.id);
    this.#disposals.push(() => overGrpc.forceShutdown());
    await bind(overGrpc, `${ADDRESSES[version]}:${this.#grpcPorts.get(version)}`);
  }
}

/** Where the application behind the sidecar listens. */
interface AppPorts {
  readonly http: number;
  readonly grpc: number;
}

/** By the word of an Envoy. */
function callerOf(certificate: unknown): string | undefined {
  return /URI=([^;]+)$/.exec(String(certificate ?? ""))?.[1];
}

type Ports = ReadonlyMap<Workload, number>;

/**
 * What is served over gRPC is a service of its own: where a host has two ports, istiod (1.26) leaves it to chance whether a
 * proxy's routes know it by its name without a port.
 */
function servicesOf(ports: Ports, grpcPorts: Ports, app: AppPorts): readonly object[] {
  const both = (name: "legacy" | "fresh", members: readonly (readonly [Workload, string, object])[]) => [
    entry(name, { number: 80, name: "http", protocol: "HTTP" }, endpoints(members, "http", ports)),
    entry(`${name}-grpc`, { number: GRPC_PORT, name: "grpc", protocol: "GRPC" }, endpoints(members, "grpc", grpcPorts)),
  ];
  const subsets = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));
  const ingress = (name: "http" | "grpc", port: number | undefined) => ({
    port: { number: port, protocol: name.toUpperCase(), name },
    ...{ bind: ADDRESSES.legacy, captureMode: "NONE", defaultEndpoint: `127.0.0.1:${app[name]}` },
  });
  return [
    entry("mark", { number: 80, name: "http", protocol: "HTTP" }, []),
    ...both("legacy", [["legacy", "legacy", { app: "legacy" }]]),
    ...both("fresh", [
      ["v1", "fresh-v1", { app: "fresh", version: "v1" }],
      ["v2", "fresh-v2", { app: "fresh", version: "v2" }],
    ]),
    ...["fresh", "fresh-grpc"].map((name) =>
      document("DestinationRule", name, { host: `${name}.shop.svc.cluster.local`, subsets }),
    ),
    document("Sidecar", "legacy", {
      workloadSelector: { labels: { app: "legacy" } },
      ingress: [ingress("http", ports.get("legacy")), ingress("grpc", grpcPorts.get("legacy"))],
    }),
  ];
}

function entry(name: string, port: object, endpoints: readonly object[]): object {
  return document("ServiceEntry", name, {
    ...{ hosts: [`${name}.shop.svc.cluster.local`], location: "MESH_INTERNAL", resolution: "STATIC" },
    ...{ ports: [port], endpoints },
  });
}

function endpoints(members: readonly (readonly [Workload, string, object])[], port: string, ports: Ports): object[] {
  return members.map(([workload, serviceAccount, labels]) => ({
    ...{ address: ADDRESSES[workload], ports: { [port]: ports.get(workload) }, serviceAccount },
    labels: { ...labels, "security.istio.io/tlsMode": "istio" },
  }));
}

interface Told {
  /** 0: no answer at all. */
  readonly status: number;
  readonly text: string;
}

function send(port: number, address: string, path: string, host: string): Promise<Told> {
  return new Promise((resolve) => {
    const call = request({ port, host: address, path, headers: { host }, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on("error", () => resolve({ status: 0, text: "" }));
    call.end();
  });
}

function answerOf({ status, text }: Told): Answer {
  return status === 200 ? { status, ...(JSON.parse(text) as object) } : { status };
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
