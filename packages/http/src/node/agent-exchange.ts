/** The engine's call behind one request that an agent routes: its attempts are connections, given to Node's own ClientRequest. */

import { errorMonitor } from "node:events";
import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import {
  type Attempt,
  type Call,
  type Engine,
  type Exchange,
  type LocalReply,
  ledgerSoFar,
  MeshError,
  serverTiming,
  TIMING_HEADER,
} from "@inmesh/core";
import { canonicalPath, errorCode, NOT_PROCESSED_HEADER, setImmediate, WORKLOAD_HEADER } from "@inmesh/core/internal";
import { addressMs, keepAliveDelay } from "../client/endpoint-connector.js";
import { securedOf } from "../client/tls/secured-socket.js";
import type { Secured } from "../client/tls/tls-pools.js";
import type { Transport } from "../client/transport.js";
import { watchOpening, wireOf } from "../client/wire-facts.js";
import { hideHeaders } from "../server/inbound-headers.js";
import { countBody, countedBytes } from "../server/record/counted-body.js";

/** On request options: the cluster whose connections serve it. */
export const CLUSTER: unique symbol = Symbol("inmesh.cluster");
/** On request options: how its connections are made, where they are encrypted. */
export const DIAL: unique symbol = Symbol("inmesh.dial");
/** On request options: a connection made for it. */
export const PREPARED: unique symbol = Symbol("inmesh.prepared");

/** What Node hands an agent. */
export type AgentRequestOptions = Parameters<Agent["createConnection"]>[0] & {
  [CLUSTER]?: string;
  [DIAL]?: Secured["dial"];
  [PREPARED]?: Prepared;
  servername?: string;
};

interface Prepared {
  readonly socket: Socket;
  /** It belongs to Node's agent now. */
  taken: boolean;
}

/** As much of http.Agent as is looked at. */
export type InnerAgent = Pick<Agent, "freeSockets" | "sockets" | "maxSockets" | "maxTotalSockets"> & {
  getName(options: AgentRequestOptions): string;
};

/**
 * A connection of the mesh's, where the options are a call's: the one made for it, or, after a wait in Node's queue, another.
 * @returns null when it comes by `callback`
 */
export function meshConnection(
  options: AgentRequestOptions,
  callback: (error: Error | null, socket: Socket) => void,
): Socket | null | undefined {
  if (options[CLUSTER] === undefined) return undefined;
  const prepared = options[PREPARED];
  if (prepared !== undefined && !prepared.socket.destroyed) {
    prepared.taken = true;
    return prepared.socket;
  }
  const dial = options[DIAL];
  if (dial === undefined) return open(options);
  dial((error, socket) => callback(error, socket as Socket)); // Node looks at it only when there is no error
  return null;
}

/** In plaintext: TLS is what a cluster's policy says, never what the scheme says. */
function open({ socketPath, host, port }: AgentRequestOptions): Socket {
  if (socketPath) return watchOpening(connect(socketPath));
  const autoSelectFamilyAttemptTimeout = addressMs();
  const where = { host: host ?? "localhost", port: Number(port) };
  return watchOpening(connect({ ...where, noDelay: true, autoSelectFamilyAttemptTimeout }));
}

export interface AgentExchangeOptions {
  readonly transport: Transport;
  readonly agent: InnerAgent;
  readonly plain: (request: ClientRequest, options: AgentRequestOptions) => void;
  readonly request: ClientRequest;
  readonly options: AgentRequestOptions;
}

export class AgentExchange implements Exchange {
  call!: Call; // set right after construction: each needs the other
  readonly #transport: Transport;
  readonly #agent: InnerAgent;
  readonly #plain: AgentExchangeOptions["plain"];
  readonly #request: ClientRequest;
  readonly #options: AgentRequestOptions;
  /** As the caller made it; a rule that changes one of these cannot be followed. */
  #asked: Pick<Call, "path" | "authority" | "headers"> | undefined;
  /** Node has the request and a connection for it. */
  #given = false;

  constructor({ transport, agent, plain, request, options }: AgentExchangeOptions) {
    this.#transport = transport;
    this.#agent = agent;
    this.#plain = plain;
    this.#request = request;
    this.#options = options;
  }

  start(engine: Engine): void {
    const { path, authority, headers } = this.call;
    this.#asked = { path, authority, headers };
    const request = this.#request;
    // Node itself hears of this only once there is a connection.
    const { destroy } = request;
    request.destroy = (error?: Error) => {
      request.destroy = destroy;
      destroy.call(request, error);
      if (!this.#given) {
        this.call.abort(error ?? new Error("the request was destroyed"));
        this.#tellNode(error);
      }
      return request;
    };
    engine.start(this.call);
  }

  send(attempt: Attempt): void {
    const objection = this.#objection(this.call);
    if (objection !== undefined) return this.call.fail(objection);
    this.#addHeaders(attempt);
    const { cluster } = this.call;
    const { name } = cluster!.config; // there is an attempt, so there is a cluster
    const secured = this.#transport.secured(attempt);
    const { address, port } = attempt.endpoint.endpoint;
    const isPath = address.startsWith("unix://");
    const where = isPath ? { socketPath: address.slice("unix://".length) } : { host: address, port };
    // Without a server name: https.Agent would make one up and part the free connections by it.
    const options: AgentRequestOptions = {
      ...{ ...this.#options, ...where, servername: "", [CLUSTER]: secured ? `${name} ${secured.key}` : name },
      ...(secured && { [DIAL]: secured.dial }),
    };
    if (secured !== undefined) this.#dropOutdated(options, secured);
    if (this.#hasRoomOnlyIn(options)) return this.#give(attempt, options);
    if (secured === undefined) return this.#connect(attempt, options);
    // Now: Node writes the head with the application's first word, whether there is a connection or not.
    const { workload } = secured;
    if (workload !== "" && !this.#request.headersSent) this.#request.setHeader(WORKLOAD_HEADER, workload);
    secured.dial((error, socket) => {
      if (attempt.phase === "settled") socket?.destroy();
      else if (socket === null) attempt.fail(error);
      else this.#give(attempt, { ...options, [PREPARED]: { socket, taken: false } });
    });
  }

  #connect(attempt: Attempt, options: AgentRequestOptions): void {
    const { connection } = this.call.cluster!.config.policy; // as in send
    const socket = open(options).setKeepAlive(true, keepAliveDelay(connection));
    attempt.abort = (reason) => socket.destroy(reason);
    const limitMs = connection.connectTimeoutMs;
    const late = (): void => {
      if (!socket.connecting) return; // it was, and this process had not looked (pitfalls L10)
      socket.destroy(Object.assign(new Error(`no connection within ${limitMs} ms`), { code: "ETIMEDOUT" }));
    };
    const timer = this.call.engine.clock.after(limitMs, () => void setImmediate(late));
    const failed = (error: Error): void => {
      timer.cancel();
      attempt.fail(error);
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      timer.cancel();
      if (attempt.phase === "settled") return void socket.destroy();
      socket.removeListener("error", failed);
      this.#give(attempt, { ...options, [PREPARED]: { socket, taken: false } });
    });
  }

  /** What could not be connected was not sent; anything later is out of our hands. */
  canReplay(): boolean {
    return !this.#given;
  }

  passThrough(): void {
    this.#given = true;
    this.#plain(this.#request, this.#options);
  }

  reply({ status }: LocalReply): void {
    this.fail(unsupported(this.call, `answers ${status} itself`));
  }

  fail(error: unknown): void {
    const request = this.#request;
    if (request.destroyed) return;
    const failure = error instanceof MeshError && error.code === "CONNECT_FAILED" ? asNodeError(error) : error;
    const given = this.#given;
    this.#given = true; // nothing is left to abort
    request.destroy(failure instanceof Error ? failure : new Error("the request was aborted", { cause: failure }));
    if (!given) this.#tellNode(failure as Error);
  }

  /** A request without a connection says that it is over only when an agent tells it of a failure. */
  #tellNode(error: Error | undefined): void {
    (this.#request as ClientRequest & { onSocket(socket: null, error?: Error): void }).onSocket(null as never, error);
  }

  /** A free connection, or none and no right to another: Node keeps both lists, and the queue. */
  #hasRoomOnlyIn(options: AgentRequestOptions): boolean {
    const { freeSockets, sockets, maxSockets, maxTotalSockets } = this.#agent;
    const { totalSocketCount = 0 } = this.#agent as { totalSocketCount?: number }; // left out of the types
    const name = this.#agent.getName(options);
    if (freeSockets[name]?.some(({ destroyed }) => !destroyed)) return true;
    return (sockets[name]?.length ?? 0) >= maxSockets || totalSocketCount >= maxTotalSockets;
  }

  /** Kept connections whose server is no longer trusted, or whose certificates are about to expire: Node takes none that is destroyed. */
  #dropOutdated(options: AgentRequestOptions, secured: Secured): void {
    for (const socket of this.#agent.freeSockets[this.#agent.getName(options)] ?? []) {
      const connection = securedOf(socket);
      if (connection !== undefined && !secured.holds(connection)) socket.destroy();
    }
  }

  #give(attempt: Attempt, options: AgentRequestOptions): void {
    const request = this.#request;
    this.#given = true;
    attempt.abort = (reason) => request.destroy(reason);
    this.#follow(attempt);
    this.#plain(request, options);
    // Others may have taken the last place meanwhile: the request then waits in Node's queue for one of theirs.
    const prepared = options[PREPARED];
    if (prepared?.taken === false) prepared.socket.destroy();
  }

  /** Trace context and time left, unless Node has written the head already: after a wait, or for another try. */
  #addHeaders({ headers, call }: Attempt): void {
    if (this.#request.headersSent) return;
    // The application's own come first, and those of them that a span replaces are not among them.
    const traced = call.span?.headers ?? [];
    const isTraced = (name: string): boolean => traced.some((each, at) => at % 2 === 0 && each === name.toLowerCase());
    const replaced = call.headers.filter((name, index) => index % 2 === 0 && isTraced(name)).length;
    for (let index = call.headers.length - 2 * replaced; index < headers.length; index += 2) {
      this.#request.setHeader(headers[index]!, headers[index + 1]!); // flat pairs
    }
  }

  /** Tells the engine what becomes of it, without taking anybody's place: who does not listen is treated as without us. */
  #follow(attempt: Attempt): void {
    const request = this.#request;
    let byPeer = false;
    let failure: Error | undefined;
    let socket: Socket | undefined;
    let answer: IncomingMessage | undefined;
    /** Bytes that its connection had sent for others. */
    let before = 0;
    const count = (): void => {
      if (socket !== undefined) attempt.sentBytes = bodyBytes(request, socket.bytesWritten - before);
      if (answer !== undefined) attempt.receivedBytes = countedBytes(answer);
    };
    const ofPeer = (): void => {
      byPeer ||= !request.destroyed;
    };
    request.once("socket", (given) => {
      socket = given;
      before = given.bytesWritten;
      given.prependListener("end", ofPeer).prependListener(errorMonitor as unknown as "error", ofPeer);
      attempt.started(request.reusedSocket, (reason) => request.destroy(reason), wireOf(given, "HTTP/1.1"));
      if (!request.reusedSocket) attempt.showed = securedOf(given)?.showed ?? "";
    });
    request.once(errorMonitor as unknown as "error", (error: Error) => {
      failure = error;
    });
    request.prependOnceListener("response", (response: IncomingMessage) => {
      answer = response;
      countBody(response);
      attempt.head(response.statusCode ?? 0, (name) => {
        const value = response.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      });
      if (NOT_PROCESSED_HEADER in response.headers) {
        hideHeaders(response, (name) => name.toLowerCase() === NOT_PROCESSED_HEADER);
      }
      if (attempt.call.engine.timing) addTiming(response, attempt.call);
      response.once("end", () => {
        count();
        attempt.complete();
      });
      if (request.listenerCount("response") === 0) response.resume();
    });
    request.once("close", () => {
      socket?.removeListener("end", ofPeer).removeListener(errorMonitor, ofPeer);
      if (attempt.phase === "settled") return;
      count();
      if ((request as { upgradeOrConnect?: boolean }).upgradeOrConnect === true) {
        attempt.head(request.method === "CONNECT" ? 200 : 101, () => undefined);
        attempt.complete();
      } else if (byPeer) attempt.fail(failure ?? new Error("the connection was closed"));
      else attempt.call.abort(failure ?? new Error("the request was destroyed"));
    });
  }

  /** @returns why this rule cannot be followed */
  #objection(call: Call): MeshError | undefined {
    const { route, path, authority, headers, responseOps } = call;
    const asked = this.#asked!; // set before the call starts
    if (call.cluster?.config.policy.connection.protocol === "http2") return unsupported(call, "speaks HTTP/2");
    // The mesh's spelling chose the rule; the bytes that the service gets are the application's.
    const spelled = call.snapshot === undefined ? asked.path : canonicalPath(asked.path, call.snapshot);
    if (path !== spelled || authority !== asked.authority) return unsupported(call, "rewrites path or authority");
    if (headers !== asked.headers) return unsupported(call, "changes headers of the request");
    if (responseOps.some(({ set, add, remove }) => set.length + add.length + remove.length > 0)) {
      return unsupported(call, "changes headers of the answer");
    }
    if (route !== undefined && route.mirrors.length > 0) return unsupported(call, "mirrors the request");
    return undefined;
  }
}

function unsupported(call: Call, what: string): MeshError {
  return new MeshError(
    "AGENT_UNSUPPORTED",
    `rule "${call.route?.name}" ${what}, which an http.Agent cannot do: it only routes. The call was not sent. Use mesh.http, mesh.fetch or mesh.dispatcher for "${call.host}"`,
    call.place,
  );
}

/** Of the body in what a connection has sent of a request: with the lengths of chunks, without the head. */
function bodyBytes(request: ClientRequest, sent: number): number {
  const { _header: head } = request as ClientRequest & { readonly _header?: string | null };
  return typeof head === "string" ? Math.max(0, sent - head.length) : 0;
}

/** Where the time went until now, on an answer as its reader sees it. */
function addTiming(response: IncomingMessage, call: Call): void {
  hideHeaders(response, (name) => name.toLowerCase() === TIMING_HEADER);
  const text = serverTiming(ledgerSoFar(call, call.engine.clock.now()));
  response.headers[TIMING_HEADER] = text;
  response.rawHeaders.push(TIMING_HEADER, text);
}

/** With the system's code, which is what clients of node:http look at. */
function asNodeError(error: MeshError): Error {
  const code = errorCode(error.cause);
  return code === "" ? error : Object.assign(new Error(error.message, { cause: error }), { code });
}
