/** A gateway that calls reviews in two versions, which call ratings: four processes' worth of mesh in one, over mTLS. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { until } from "./prometheus.js";

type Serve = (mesh: Mesh, request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

export class Shop implements AsyncDisposable {
  readonly gateway: Mesh;
  readonly #meshes: readonly Mesh[];
  readonly #servers: readonly Server[];
  readonly #folder: string;

  private constructor(meshes: readonly Mesh[], servers: readonly Server[], folder: string) {
    this.gateway = meshes[0]!; // opened first
    this.#meshes = meshes;
    this.#servers = servers;
    this.#folder = folder;
  }

  static async open(): Promise<Shop> {
    const folder = mkdtempSync(join(tmpdir(), "inmesh-shop-"));
    const options = (service: string, more: MeshOptions = {}): MeshOptions => ({
      ...{ service, namespace: "shop", config: folder, identity: "ca", log: "error", propagationDelayMs: 0 },
      ...more,
    });
    const servers: Server[] = [];
    const serve = async (given: MeshOptions, handle: Serve): Promise<Mesh> => {
      const mesh = await createMesh(given);
      const server = mesh.attach(createServer((request, response) => void handle(mesh, request, response)));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
      return mesh;
    };
    // It listens, too: callers that nobody can call have no instances in the registry.
    const gateway = await serve(options("gateway"), (_, __, response) => void response.end());
    const ratings = await serve(options("ratings"), (_, __, response) => void response.end('{"stars":5}'));
    const reviews: Mesh[] = [];
    for (const version of ["v1", "v2"]) reviews.push(await serve(options("reviews", { version }), review));
    const shop = new Shop([gateway, ratings, ...reviews], servers, folder);
    await until(async () => (await gateway.fetch("http://reviews/ok")).status === 200, "reviews to be found");
    return shop;
  }

  /** `host:port` of each mesh's admin endpoint. */
  get targets(): readonly string[] {
    return this.#meshes.map((mesh) => new URL(mesh.adminUrl ?? "").host);
  }

  get admins(): readonly string[] {
    return this.#meshes.map((mesh) => mesh.adminUrl ?? "");
  }

  /** @returns the status */
  async call(path: string, init?: Parameters<Mesh["fetch"]>[1]): Promise<number> {
    const response = await this.gateway.fetch(`http://reviews${path}`, init);
    await response.text();
    return response.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#meshes.map((mesh) => mesh.close()));
    for (const server of this.#servers) server.closeAllConnections();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** `/ok` asks ratings, `/missing` and `/broken` do not. */
async function review(mesh: Mesh, { url = "/" }: IncomingMessage, response: ServerResponse): Promise<void> {
  if (url.startsWith("/ok")) {
    const answer = await mesh.fetch("http://ratings/");
    response.statusCode = answer.status;
    response.end(await answer.text());
    return;
  }
  response.statusCode = url === "/missing" ? 404 : url === "/broken" ? 500 : 200;
  response.end("{}");
}
