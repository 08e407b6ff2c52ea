/** What `createMesh` returns: one mesh, with everything an application does with it. */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { ServerInfo } from "@inmesh/core/admin";
import type { MeshDispatcher, MeshFetch } from "@inmesh/http";
import type { AnyServer } from "@inmesh/http/server";
import type { DrainResult } from "./plane/drain.js";

export interface TimeLimit {
  /** In ms. */
  readonly timeoutMs?: number;
}

export interface Mesh extends AsyncDisposable {
  readonly service: string;
  readonly namespace: string;
  readonly instance: string;
  /** WHATWG fetch. Hosts that the mesh does not know are called as without it. */
  readonly fetch: MeshFetch;
  /** For undici's `request(url, { dispatcher })` and `setGlobalDispatcher`. */
  readonly dispatcher: MeshDispatcher;
  /**
   * Wraps a request listener (a function, an Express or Connect application): trace headers and deadlines of its
   * requests reach the calls it makes. Its port is advertised after the first request; see `attach` and option `ports`.
   */
  handler(app: (request: IncomingMessage, response: ServerResponse) => unknown): RequestListener;
  /** The same for a server, whose port is advertised as soon as it listens. @returns the server */
  attach<Server extends AnyServer>(server: Server): Server;
  /** Aborts when the caller of the request being served goes away or its deadline passes. Undefined outside a request. */
  signal(): AbortSignal | undefined;
  /** Runs background work that must outlive the request: it inherits neither deadline nor trace headers. */
  detach<Result>(work: () => Result): Result;
  /**
   * Resolves when configuration is in force.
   * @throws {MeshError} CONFIG_UNAVAILABLE after `timeoutMs`, at most and by default 5,000
   */
  ready(limit?: TimeLimit): Promise<void>;
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
