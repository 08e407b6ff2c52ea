/** The public face of a data plane. */

import type { Agent, AgentOptions } from "node:http";
import type { Agent as SecureAgent, AgentOptions as SecureAgentOptions } from "node:https";
import type { Server as NetServer } from "node:net";
import type { ServerInfo } from "@inmesh/core/admin";
import type { MeshGrpc } from "@inmesh/grpc";
import { createFetch, MeshDispatcher, type MeshFetch } from "@inmesh/http";
import { type AxiosOptions, type AxiosRedirects, axiosOptions } from "@inmesh/http/axios";
import { type MeshMiddleware, meshMiddleware } from "@inmesh/http/express";
import { type MeshPlugin, meshPlugin } from "@inmesh/http/fastify";
import { type GotOptions, gotOptions } from "@inmesh/http/got";
import { createHttp2 } from "@inmesh/http/http2";
import { createHttp, createHttps, MeshAgent, MeshHttpsAgent } from "@inmesh/http/node";
import { type AnyServer, attachServer, type Enter, enterer, type Handler, meshHandler } from "@inmesh/http/server";
import type { PeerIdentity } from "@inmesh/model";
import { serverInfo } from "./admin/server-info.js";
import type { Mesh, MetricsText, TimeLimit } from "./mesh.js";
import type { DataPlane } from "./plane/data-plane.js";
import type { DrainResult } from "./plane/drain.js";
import { meshGrpc } from "./plane/mesh-grpc.js";

/** For siblings of this package and tests: the engine and everything else behind a mesh. */
export const PLANE: unique symbol = Symbol.for("inmesh.plane");

const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";

export class ConnectedMesh implements Mesh {
  readonly [PLANE]: DataPlane;
  readonly dispatcher: MeshDispatcher;
  readonly fetch: MeshFetch;
  readonly http: Mesh["http"];
  readonly https: Mesh["https"];
  readonly http2: Mesh["http2"];
  readonly grpc: MeshGrpc;
  readonly #undo: () => void;
  #closing: Promise<void> | undefined;

  /** @param undo takes back what was patched for this mesh */
  constructor(plane: DataPlane, undo: () => void) {
    this[PLANE] = plane;
    const { engine, transport, client } = plane;
    this.dispatcher = new MeshDispatcher({ engine, transport, notices: client.notices });
    this.fetch = createFetch(this.dispatcher);
    this.http = createHttp(client);
    this.https = createHttps(client);
    this.http2 = createHttp2(client);
    this.grpc = meshGrpc(plane, this.#off ? undefined : (server) => attachServer(server, plane.servers));
    this.#undo = undo;
  }

  get service(): string {
    return this[PLANE].settings.service;
  }

  get namespace(): string {
    return this[PLANE].settings.namespace;
  }

  get instance(): string {
    return this[PLANE].instance;
  }

  get status(): ServerInfo {
    return serverInfo(this[PLANE]);
  }

  get adminUrl(): string | undefined {
    return this[PLANE].adminUrl;
  }

  axios(redirects?: AxiosRedirects): AxiosOptions {
    return axiosOptions(this[PLANE].client, redirects);
  }

  got(): GotOptions {
    return gotOptions(this[PLANE].client);
  }

  agent(options?: AgentOptions): Agent {
    return new MeshAgent(this[PLANE].client, options);
  }

  httpsAgent(options?: SecureAgentOptions): SecureAgent {
    return new MeshHttpsAgent(this[PLANE].client, options);
  }

  get #off(): boolean {
    return this[PLANE].settings.mode === "off";
  }

  /** Requests that are in this mesh already pass. */
  get #enter(): Enter {
    const { inbound, servers } = this[PLANE];
    return this.#off ? (_request, _response, next) => next() : enterer(inbound, servers);
  }

  handler<Request extends object, Response extends object>(
    app: Handler<Request, Response>,
  ): (request: Request, response: Response) => unknown {
    if (this.#off) return app;
    this[PLANE].inbound.meet(app);
    return meshHandler(app, this.#enter);
  }

  express(): MeshMiddleware {
    return meshMiddleware(this.#enter);
  }

  fastify(): MeshPlugin {
    return meshPlugin(this.#enter, this.#off ? undefined : this[PLANE].servers);
  }

  attach<Server extends AnyServer | NetServer>(server: Server): Server {
    return this.#off ? server : attachServer(server, this[PLANE].servers);
  }

  metricsRegistry(): MetricsText {
    const plane = this[PLANE];
    return { contentType: PROMETHEUS_TEXT, metrics: async () => (await plane.metrics?.text()) ?? "" };
  }

  signal(): AbortSignal | undefined {
    return this[PLANE].engine.contexts.current()?.signal();
  }

  noteRoute(pattern: string | undefined): void {
    this[PLANE].engine.contexts.current()?.noteRoute(pattern);
  }

  peer(): PeerIdentity | undefined {
    return this[PLANE].engine.contexts.current()?.peer;
  }

  detach<Result>(work: () => Result): Result {
    return this[PLANE].engine.contexts.detach(work);
  }

  oneCall<Result>(work: () => Result): Result {
    return this[PLANE].engine.contexts.oneCall(work);
  }

  async ready({ timeoutMs }: TimeLimit = {}): Promise<void> {
    if (!this.#off) await this[PLANE].store.ready(timeoutMs);
  }

  drain({ timeoutMs = this[PLANE].settings.drainTimeoutMs }: TimeLimit = {}): Promise<DrainResult> {
    return this[PLANE].drain(timeoutMs);
  }

  close(): Promise<void> {
    this.#closing ??= this.drain()
      .finally(() => this.#undo())
      .then(() => this[PLANE].close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
