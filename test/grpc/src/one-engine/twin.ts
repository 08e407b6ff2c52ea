/** A service in two versions and who calls it, over HTTP or over gRPC: everything but the protocol is the same. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { MemoryRegistry, type Random, seededRandom } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { createMesh, type Mesh } from "@inmesh/node";
import { expect } from "vitest";
import { planeOf } from "../lib/mesh-of.js";
import { until } from "../lib/until.js";

export type Protocol = "http" | "grpc";
export type Method = "Get" | "Delete" | "Search";

export interface Asked {
  readonly method: Method;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a caller hears, in gRPC's numbers. */
export interface Heard {
  readonly code: number;
  /** Who answered; empty when it was the mesh. */
  readonly by: string;
}

/** What the mesh answers in HTTP's numbers says the same in gRPC's. */
const GRPC_OF: Readonly<Record<number, number>> = { 200: 0, 403: 7, 429: 8, 503: 14 };
const FOLDER = new URL("../../fixtures/twins/reviews.yaml", import.meta.url);
const UNAVAILABLE = 503;

/** One request as its application sees it. @returns whether it can serve it */
type Application = (headers: (name: string) => string | undefined) => boolean;

export class Twin {
  readonly protocol: Protocol;
  readonly web: Mesh;
  readonly members: readonly Mesh[];
  /** Requests that each version's application was given, with the number of the attempt. */
  readonly served: Readonly<Record<string, string[]>>;
  ask: (asked: Asked) => Promise<Heard> = () => Promise.reject(new Error("not started"));

  constructor(protocol: Protocol, web: Mesh, members: readonly Mesh[], served: Readonly<Record<string, string[]>>) {
    this.protocol = protocol;
    this.web = web;
    this.members = members;
    this.served = served;
  }

  static async start(protocol: Protocol, seed: number, closing: (() => unknown)[]): Promise<Twin> {
    const registry = new MemoryRegistry();
    const shared = { namespace: "shop", config: registry, admin: "off", log: "error", propagationDelayMs: 0 } as const;
    const web = await createMesh({ service: "web", ...shared });
    closing.push(() => web.close());
    await web.ready();
    // Before there are routes: what draws is made with them.
    Object.assign(planeOf(web).engine, { random: seededRandom(seed) satisfies Random });
    const served: Record<string, string[]> = { v1: [], v2: [] };
    const luck = seededRandom(seed + 1);
    const members: Mesh[] = [];
    for (const version of ["v1", "v2"]) {
      const mesh = await createMesh({ service: "reviews", version, ...shared });
      closing.push(() => mesh.close());
      const application: Application = (header) => {
        served[version]!.push(`${header("x-number")} ${header("x-route") ?? ""}`);
        return header("x-sick") === undefined && luck.next() >= 0.25;
      };
      await (protocol === "http" ? serveHttp : serveGrpc)(mesh, version, application, closing);
      await mesh.ready();
      members.push(mesh);
    }
    await registry.apply(policy());
    const twin = new Twin(protocol, web, members, served);
    twin.ask = protocol === "http" ? (asked) => askHttp(web, asked) : grpcAsker(web, closing);
    await until(() => members.every((mesh) => planeOf(mesh).ports.length > 0));
    await settled([web, ...members]);
    return twin;
  }
}

/** Sums of one metric over `meshes`, by values of `labels`. */
export async function sums(
  meshes: readonly Mesh[],
  metric: string,
  labels: readonly string[],
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const mesh of meshes) {
    const text = await mesh.metricsRegistry().metrics();
    for (const [, line = "", value] of text.matchAll(new RegExp(`^${metric}\\{(.*)\\} (\\S+)$`, "gm"))) {
      const key = labels.map((label) => new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(line)?.[1] ?? "").join(" ");
      found[key] = (found[key] ?? 0) + Number(value);
    }
  }
  return found;
}

function policy() {
  const { documents, problems } = parseDocuments(readFileSync(FOLDER, "utf8"), { file: "reviews.yaml" });
  expect(problems).toEqual([]);
  return documents;
}

/** A registry in memory tells its readers in the next microtasks. */
async function settled(meshes: readonly Mesh[]): Promise<void> {
  const versions = (): string => meshes.map(({ status }) => status.snapshot.revision).join();
  let before = "";
  for (let turn = 0; turn < 4 || before !== versions(); turn++) {
    before = versions();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function serveHttp(mesh: Mesh, version: string, application: Application, closing: (() => unknown)[]) {
  const server = createServer((request, response) => {
    request.resume();
    response.statusCode = application((name) => request.headers[name] as string | undefined) ? 200 : UNAVAILABLE;
    response.setHeader("by", version).end();
  });
  mesh.attach(server).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

const bytes = (value: Buffer): Buffer => value;
const form = { requestStream: false, responseStream: false, requestSerialize: bytes, requestDeserialize: bytes };
const methodOf = (name: Method) => ({
  path: `/shop.Reviews/${name}`,
  ...form,
  ...{ responseSerialize: bytes, responseDeserialize: bytes },
});
const REVIEWS = { Get: methodOf("Get"), Delete: methodOf("Delete"), Search: methodOf("Search") };

async function serveGrpc(mesh: Mesh, version: string, application: Application, closing: (() => unknown)[]) {
  const server = mesh.grpc.server();
  const handle: grpc.handleUnaryCall<Buffer, Buffer> = (call, done) => {
    const trailers = new grpc.Metadata();
    trailers.set("by", version);
    if (application((name) => call.metadata.get(name)[0] as string | undefined)) {
      done(null, Buffer.alloc(0), trailers);
    } else done({ code: grpc.status.UNAVAILABLE, details: "not now", metadata: trailers });
  };
  server.addService(REVIEWS, { Get: handle, Delete: handle, Search: handle });
  closing.push(() => server.forceShutdown());
  return new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

async function askHttp(web: Mesh, { method, headers }: Asked): Promise<Heard> {
  const response = await web.fetch(`http://reviews/shop.Reviews/${method}`, { headers });
  await response.arrayBuffer();
  const code = GRPC_OF[response.status];
  expect(code, `status ${response.status}`).toBeDefined();
  return { code: code!, by: response.headers.get("by") ?? "" }; // expected above
}

function grpcAsker(web: Mesh, closing: (() => unknown)[]): (asked: Asked) => Promise<Heard> {
  const Client = grpc.makeGenericClientConstructor(REVIEWS, "Reviews");
  const client = new Client("reviews:80", web.grpc.credentials(), web.grpc.options());
  closing.push(() => client.close());
  return ({ method, headers }) => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new Promise((resolve) => {
      const call = client[method]!(Buffer.alloc(0), metadata, () => {});
      call.on("status", ({ code, metadata: trailers }: grpc.StatusObject) =>
        resolve({ code, by: String(trailers.get("by")[0] ?? "") }),
      );
    });
  };
}
