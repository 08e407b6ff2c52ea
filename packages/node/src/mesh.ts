/** What `createMesh` returns: one mesh, with everything an application does with it. */

import type { Agent, AgentOptions, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type {
  Agent as SecureAgent,
  AgentOptions as SecureAgentOptions,
  RequestOptions as SecureRequestOptions,
} from "node:https";
import type { Server as NetServer } from "node:net";
import type { ServerInfo } from "@inmesh/core/admin";
import type { MeshGrpc } from "@inmesh/grpc";
import type { MeshDispatcher, MeshFetch } from "@inmesh/http";
import type { AxiosOptions, AxiosRedirects } from "@inmesh/http/axios";
import type { MeshMiddleware } from "@inmesh/http/express";
import type { MeshPlugin } from "@inmesh/http/fastify";
import type { GotOptions } from "@inmesh/http/got";
import type { MeshHttp2 } from "@inmesh/http/http2";
import type { HttpFunctions } from "@inmesh/http/node";
import type { AnyServer, Handler, Http2Listener } from "@inmesh/http/server";
import type { PeerIdentity } from "@inmesh/model";
import type { DrainResult } from "./plane/drain.js";

export interface TimeLimit {
  /** In ms. */
  readonly timeoutMs?: number;
}

export interface MetricsText {
  /** Of `metrics()`: Prometheus's text 0.0.4. */
  readonly contentType: string;
  metrics(): Promise<string>;
}

export interface Mesh extends AsyncDisposable {
  readonly service: string;
  readonly namespace: string;
  readonly instance: string;
  /** WHATWG fetch. Hosts that the mesh does not know are called as without it. */
  readonly fetch: MeshFetch;
  /** For undici's `request(url, { dispatcher })` and `setGlobalDispatcher`. */
  readonly dispatcher: MeshDispatcher;
  /** `request` and `get` as node:http has them, and for libraries that take such a module. */
  readonly http: HttpFunctions;
  /** As `http`, for https URLs. */
  readonly https: HttpFunctions<SecureRequestOptions>;
  /** `connect` as node:http2 has it, and a session manager for the transports of @connectrpc/connect-node. */
  readonly http2: MeshHttp2;
  /** For `axios.create({ ...mesh.axios() })`; redirect options of axios's that its transport is not told are given here. */
  axios(redirects?: AxiosRedirects): AxiosOptions;
  /** For `got.extend(mesh.got())`. */
  got(): GotOptions;
  /** For @grpc/grpc-js, which is loaded with the first use. */
  readonly grpc: MeshGrpc;
  /**
   * An http.Agent that only routes, for clients that take nothing else: it picks the endpoint of each request. No retry
   * once a request was sent; a rule that answers, redirects, rewrites, edits headers or mirrors fails the request with
   * AGENT_UNSUPPORTED. Make one and keep it: it owns connections.
   */
  agent(options?: AgentOptions): Agent;
  /** As `agent`, for https URLs: TLS to a host of the mesh is what policy says, to any other host as with https.Agent. */
  httpsAgent(options?: SecureAgentOptions): SecureAgent;
  /**
   * Wraps a request listener (a function, an Express or Connect application): trace headers and deadlines of its
   * requests reach the calls it makes. Its port is advertised after the first request; see `attach` and option `ports`.
   */
  handler(app: Handler<IncomingMessage, ServerResponse>): RequestListener;
  handler(app: Handler<Http2ServerRequest, Http2ServerResponse>): Http2Listener;
  /** The same as middleware: `app.use(mesh.express())`, before everything else. */
  express(): MeshMiddleware;
  /** The same as a plugin, `app.register(mesh.fastify())`; the port is advertised as soon as the application listens. */
  fastify(): MeshPlugin;
  /**
   * For any server, also of node:http2: its port is advertised as soon as it listens. Of a `net.Server` of another protocol the
   * connections are judged, by PeerAuthentication and by rules about connections, and nothing else. @returns the server
   */
  attach<Server extends AnyServer | NetServer>(server: Server): Server;
  /** Aborts when the caller of the request being served goes away or its deadline passes. Undefined outside a request. */
  signal(): AbortSignal | undefined;
  /**
   * Who called, by the certificate of the connection on which the request came that is being served. Undefined for a
   * caller without one, and outside a request.
   */
  peer(): PeerIdentity | undefined;
  /**
   * Says which route of the application serves the request being served, for spans, metrics and `inmesh` commands. Express, Fastify and
   * NestJS say it themselves. @param pattern as the application declared it, `/users/:id`, never what a caller wrote
   */
  noteRoute(pattern: string | undefined): void;
  /** Runs background work that must outlive the request: it inherits neither deadline nor trace headers. */
  detach<Result>(work: () => Result): Result;
  /**
   * For a loop that tries a call again itself, such as p-retry or axios-retry, outside an inbound request: all its tries
   * share the attempts that the rule allows, instead of each having them anew. Inside an inbound request that is so anyway.
   */
  oneCall<Result>(work: () => Result): Result;
  /**
   * Resolves when configuration is in force.
   * @throws {MeshError} CONFIG_UNAVAILABLE after `timeoutMs`, at most and by default 5,000
   */
  ready(limit?: TimeLimit): Promise<void>;
  /**
   * What the process counts, for an application that answers scrapers itself: a registry as prom-client has them, to be put
   * beside the application's own.
   */
  metricsRegistry(): MetricsText;
  /** As the admin endpoint's /server_info. */
  readonly status: ServerInfo;
  /** `http://127.0.0.1:port` of the admin endpoint, once it is open. */
  readonly adminUrl: string | undefined;
  /**
   * Leaves the registry, waits until callers know, closes the servers this mesh knows, lets requests finish.
   * Calls can still be made afterwards. @param limit default: option drainTimeoutMs
   */
  drain(limit?: TimeLimit): Promise<DrainResult>;
  /** Drains and frees everything; idempotent. */
  close(): Promise<void>;
}
