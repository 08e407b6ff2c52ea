/**
 * `http.Agent` and `https.Agent` that route, and do no more: for clients that take nothing but an agent.
 *
 * Per request the engine finds the virtual host, the rule and the destination and picks an endpoint; the agent connects
 * there, or reuses a free connection of its own to that endpoint and cluster. Weights, subsets, balancing, the route's
 * timeout, perTryTimeout, the inherited deadline and retries of connections that could not be made work; an injected
 * delay and abort too, the abort as an error.
 *
 * What an agent cannot do: try again once a request was sent, since Node has written it then and tells the caller; give
 * an answer of its own; change a request or an answer. A rule that needs one of these fails the request with
 * AGENT_UNSUPPORTED instead of half applying, except for retries, which every rule has by default: those are left out,
 * and the first request says so once in the log. `mesh.http` and `mesh.https` do all of it.
 */

import http, { type AgentOptions, type ClientRequest } from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { Call } from "@inmesh/core";
import { withoutMeshHeaders } from "@inmesh/core/internal";
import type { HttpClient } from "../client/client.js";
import { isForwarded } from "../client/mark.js";
import { AgentExchange, type AgentRequestOptions, CLUSTER, type InnerAgent, meshConnection } from "./agent-exchange.js";
import type { Scheme } from "./http-functions.js";

const ONLY_ROUTES =
  "mesh.agent() and mesh.httpsAgent() only route: no retry once a request was sent, and rules that redirect, answer, rewrite or edit headers are refused. mesh.http, mesh.https, mesh.fetch and mesh.dispatcher do all of it";

/** Node's own, of which the types do not tell. */
interface Internals {
  addRequest(request: ClientRequest, options: AgentRequestOptions): void;
}

export class MeshAgent extends routing(http.Agent, "http:") {}

export class MeshHttpsAgent extends routing(https.Agent, "https:") {}

/** An agent of Node's that asks the mesh about each request. */
function routing<Options extends AgentOptions, Kind extends http.Agent>(
  Base: new (options: Options) => Kind,
  scheme: Scheme,
): new (
  client: HttpClient,
  options?: Options,
) => Kind {
  const made = class extends (Base as unknown as typeof http.Agent) {
    readonly #client: HttpClient;

    constructor(client: HttpClient, options?: Options) {
      super({ keepAlive: true, ...options });
      this.#client = client;
    }

    /** Called by Node with each request that has this agent. */
    addRequest(request: ClientRequest, options: AgentRequestOptions): void {
      const plain = (...args: Parameters<Internals["addRequest"]>): void =>
        (Base.prototype as unknown as Internals).addRequest.apply(this, args);
      route({ client: this.#client, agent: this, plain, request, options, scheme });
    }

    override getName(options?: AgentRequestOptions): string {
      return withCluster(super.getName(options), options);
    }

    override createConnection(
      options: AgentRequestOptions,
      callback?: (error: Error | null, stream: Duplex) => void,
    ): Duplex | null | undefined {
      const made = meshConnection(options, (...result) => callback?.(...result));
      return made === undefined ? super.createConnection(options, callback) : made;
    }
  };
  return made as unknown as new (
    client: HttpClient,
    options?: Options,
  ) => Kind;
}

/** One connection never serves two clusters, whatever their endpoints' addresses are. */
function withCluster(name: string, options: AgentRequestOptions | undefined): string {
  const cluster = options?.[CLUSTER];
  return cluster === undefined ? name : `${name}:${cluster}`;
}

interface Routed {
  readonly client: HttpClient;
  readonly agent: InnerAgent;
  /** Node's own way with a request. */
  readonly plain: Internals["addRequest"];
  readonly request: ClientRequest;
  readonly options: AgentRequestOptions;
  readonly scheme: Scheme;
}

function route({ client, agent, plain, request, options, scheme }: Routed): void {
  const { host, port, socketPath } = options;
  const name = typeof host === "string" ? host : "localhost";
  const origin = client.origins.get(`${scheme}//${name.includes(":") ? `[${name}]` : name}:${port ?? ""}`);
  const isCall = socketPath === undefined && request.path.startsWith("/") && !isForwarded(options);
  if (!isCall || origin === undefined || client.origins.judge(origin) === "pass") return plain(request, options);
  client.notices.once(ONLY_ROUTES);
  const headers: string[] = [];
  let authority = origin.authority;
  for (const header of request.getHeaderNames()) {
    const value = request.getHeader(header);
    if (header === "host") authority = String(value);
    else for (const line of Array.isArray(value) ? value : [value]) headers.push(header, String(line));
  }
  const exchange = new AgentExchange({ transport: client.transport, agent, plain, request, options });
  exchange.call = new Call(
    exchange,
    request.method,
    origin.scheme,
    origin.host,
    origin.port,
    authority,
    request.path,
    withoutMeshHeaders(headers),
  );
  exchange.start(client.engine);
}
