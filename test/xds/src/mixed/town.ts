/**
 * A shop of which one service still has its sidecar, `legacy`, and one runs without, `fresh`, in two processes: v1 takes Istio's
 * resources, v2 what a sidecar is told. One real istiod rules both and is their authority.
 */

import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GivenCredentials, systemClock, systemRandom } from "@inmesh/core";
import { createCsr, generateKey, privateKeyPem } from "@inmesh/identity";
import type { Mesh } from "@inmesh/node";
import { IstioCaSource } from "@inmesh/xds/identity";
import { eventually } from "../eventually.js";
import { makeAuthority, TokenIssuer } from "../istiod/authority.js";
import { freePort, Istiod } from "../istiod/istiod.js";
import { document, meshAt } from "../istiod/shop.js";
import { Sidecar } from "./sidecar.js";

export const SECURITY = "security.istio.io/v1";
const SERVER_NAME = "istiod.istio-system.svc";
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
  readonly #folder = mkdtempSync(join(tmpdir(), "inmesh-mixed-"));
  readonly #meshes = new Map<Workload, Mesh>();
  readonly #ports = new Map<Workload, number>();
  #istiod: Istiod | undefined;
  #sidecar: Sidecar | undefined;
  #issuer: TokenIssuer | undefined;
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

  get sidecar(): Sidecar {
    return this.#sidecar!; // there once it is open
  }

  /** These on top of the services, and nothing else from before: resolves when all three have them. */
  async rule(documents: readonly object[]): Promise<void> {
    const mark = String(++this.#sets);
    const http = [{ match: [{ uri: { exact: MARK } }], directResponse: { status: 200, body: { string: mark } } }];
    const told = document("VirtualService", "mark", { hosts: ["mark.shop.svc.cluster.local"], http });
    this.#istiod?.write([...this.#base, ...documents, told]);
    for (const workload of ["legacy", "v1", "v2"] as const)
      await eventually(`${workload} has the set`, async () => (await this.#ask(workload, "mark", MARK)).text === mark);
  }

  /** A call of one workload's application to a host of the shop. */
  async call(from: Workload, host: string, path = "/"): Promise<Answer> {
    return answerOf(await this.#ask(from, host, path));
  }

  /** A call of somebody who is not of the mesh, in plain text to a workload's own port. */
  async intrude(to: Workload): Promise<Answer> {
    return answerOf(await send(this.#ports.get(to) ?? 0, ADDRESSES[to], "/", "intruder"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispose of this.#disposals.reverse()) await dispose();
    rmSync(this.#folder, { recursive: true, force: true });
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
    const authority = makeAuthority("lab");
    this.#issuer = this.#use(await TokenIssuer.start());
    for (const workload of ["legacy", "v1", "v2"] as const) this.#ports.set(workload, await freePort());
    const appPort = await freePort();
    this.#proxyPort = await freePort();
    this.#base = servicesOf(this.#ports, appPort);
    this.#istiod = this.#use(
      await Istiod.start({
        ...{ binary: binaries.istiod, files: authority.files, documents: this.#base },
        mesh: { proxyHttpPort: this.#proxyPort },
        env: {
          ...{ XDS_AUTH: "true", JWT_RULE: this.#issuer.rule, PILOT_CERT_PROVIDER: "istiod" },
          ...{ ISTIOD_CUSTOM_HOST: SERVER_NAME },
          // An Envoy that is not Istio's own lacks these filters.
          ...{ PILOT_ENABLE_ALPN_FILTER: "false", PILOT_ENABLE_METADATA_EXCHANGE: "false" },
        },
      }),
    );
    writeFileSync(join(this.#folder, "root.pem"), authority.root);
    await this.#openLegacy(binaries.envoy, authority.root, appPort);
    for (const version of ["v1", "v2"] as const) await this.#openFresh(version);
  }

  async #openLegacy(binary: string, root: string, port: number): Promise<void> {
    const app = createServer(({ headers }, response) => {
      const told = String(headers["x-forwarded-client-cert"] ?? "");
      response.end(JSON.stringify({ by: "legacy", caller: /URI=([^;]+)$/.exec(told)?.[1] }));
    });
    this.#disposals.push(() => close(app));
    await once(app.listen(port, "127.0.0.1"), "listening");
    this.#sidecar = this.#use(
      await Sidecar.start({
        ...{ binary, istiod: this.#istiod?.address ?? "", service: "legacy", namespace: "shop" },
        ...{ address: ADDRESSES.legacy, labels: { app: "legacy" } },
        credentials: await certificate(this.#istiod?.secureAddress ?? "", root, this.#token("legacy")),
      }),
    );
  }

  async #openFresh(version: "v1" | "v2"): Promise<void> {
    const account = `fresh-${version}`;
    const token = join(this.#folder, account);
    writeFileSync(token, this.#token(account));
    const ca = join(this.#folder, "root.pem");
    const query = new URLSearchParams({ profile: PROFILES[version], "server-name": SERVER_NAME, ca, token });
    const mesh = this.#use(
      await meshAt(`xds://${this.#istiod?.secureAddress}?${query}`, {
        ...{ service: "fresh", serviceAccount: account, identity: "istio-ca", address: ADDRESSES[version] },
        labels: { app: "fresh", version },
      }),
    );
    this.#meshes.set(version, mesh);
    const answer = () => JSON.stringify({ by: version, caller: mesh.peer()?.id });
    const server = mesh.attach(createServer(mesh.handler((_, response) => void response.end(answer()))));
    this.#disposals.push(() => close(server));
    await once(server.listen(this.#ports.get(version), ADDRESSES[version]), "listening");
  }

  #token(account: string): string {
    return this.#issuer?.token(`system:serviceaccount:shop:${account}`) ?? "";
  }
}

function servicesOf(ports: ReadonlyMap<Workload, number>, appPort: number): readonly object[] {
  const endpoint = (workload: Workload, account: string, labels: object) => ({
    ...{ address: ADDRESSES[workload], ports: { http: ports.get(workload) }, serviceAccount: account },
    labels: { ...labels, "security.istio.io/tlsMode": "istio" },
  });
  const entry = (name: string, endpoints: readonly object[]) =>
    document("ServiceEntry", name, {
      ...{ hosts: [`${name}.shop.svc.cluster.local`], location: "MESH_INTERNAL", resolution: "STATIC", endpoints },
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    });
  const subsets = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));
  return [
    entry("mark", []),
    entry("legacy", [endpoint("legacy", "legacy", { app: "legacy" })]),
    entry("fresh", [
      endpoint("v1", "fresh-v1", { app: "fresh", version: "v1" }),
      endpoint("v2", "fresh-v2", { app: "fresh", version: "v2" }),
    ]),
    document("DestinationRule", "fresh", { host: "fresh.shop.svc.cluster.local", subsets }),
    document("Sidecar", "legacy", {
      workloadSelector: { labels: { app: "legacy" } },
      ingress: [
        {
          port: { number: ports.get("legacy"), protocol: "HTTP", name: "http" },
          ...{ bind: ADDRESSES.legacy, captureMode: "NONE", defaultEndpoint: `127.0.0.1:${appPort}` },
        },
      ],
    }),
  ];
}

async function certificate(address: string, roots: string, token: string): Promise<GivenCredentials> {
  const source = new IstioCaSource({
    ...{ address, cluster: "Kubernetes", clock: systemClock, random: systemRandom },
    access: async () => ({ tls: { roots, serverName: SERVER_NAME }, token }),
    makeRequest: () => {
      const key = generateKey();
      return { csr: createCsr(key), privateKey: privateKeyPem(key) };
    },
  });
  return await source.obtain(AbortSignal.timeout(20_000));
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
