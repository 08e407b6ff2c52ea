/** `connect` as node:http2 has it: a session to a host of the mesh is the mesh's, any other Node's own. */

import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { HttpClient } from "../client/client.js";
import { MeshSession } from "./mesh-session.js";

type Options = ClientSessionOptions | SecureClientSessionOptions;
type Listener = (session: ClientHttp2Session) => void;
export type ConnectFunction = (authority: string | URL, ...rest: unknown[]) => ClientHttp2Session;

/** As much of node:http2 as makes connections, for code and libraries that take it. */
export interface MeshHttp2 {
  connect(authority: string | URL, listener?: Listener): ClientHttp2Session;
  connect(authority: string | URL, options: Options, listener?: Listener): ClientHttp2Session;
  /** For `sessionManager` of the transports of @connectrpc/connect-node. @param baseUrl as given to the transport */
  sessionManager(baseUrl: string | URL): MeshSessionManager;
}

/** What @connectrpc/connect-node wants of a session manager. */
export interface MeshSessionManager {
  readonly authority: string;
  request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Readonly<Record<string, unknown>>,
  ): Promise<ClientHttp2Stream>;
  notifyResponseByteRead(): void;
}

export function createHttp2(client: HttpClient): MeshHttp2 {
  // Looked up with each session: whoever patches node:http2 later gets what is none of this mesh's.
  const connect = meshedConnect(client, (...args) => (http2.connect as ConnectFunction)(...args));
  return { connect, sessionManager: (baseUrl) => new SessionManager(connect, new URL(baseUrl).origin) };
}

/** @param original Node's own */
export function meshedConnect(client: HttpClient, original: ConnectFunction): ConnectFunction {
  return (authority, ...rest) => {
    const options = rest.find((each) => typeof each === "object" && each !== null) as Options | undefined;
    const listener = rest.find((each) => typeof each === "function") as Listener | undefined;
    // Whoever makes the connection knows where it leads: grpc-js and the mesh itself.
    const origin = options?.createConnection === undefined ? originOf(client, authority, options) : undefined;
    if (origin === undefined || client.origins.judge(origin) === "pass") return original(authority, ...rest);
    const session = new MeshSession({
      ...{ client, origin },
      original: () => original(authority, ...(options === undefined ? [] : [options])),
    }) as unknown as ClientHttp2Session;
    if (listener !== undefined) session.once("connect", listener);
    return session;
  };
}

function originOf(client: HttpClient, authority: string | URL, options: Options = {}) {
  try {
    const url = new URL(authority);
    const { protocol = url.protocol } = options as { readonly protocol?: string };
    return client.origins.get(`${protocol}//${url.host}`);
  } catch {
    return undefined; // Node says what is wrong with it
  }
}

class SessionManager implements MeshSessionManager {
  readonly authority: string;
  readonly #connect: ConnectFunction;
  #session: ClientHttp2Session | undefined;

  constructor(connect: ConnectFunction, authority: string) {
    this.#connect = connect;
    this.authority = authority;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Readonly<Record<string, unknown>>,
  ): Promise<ClientHttp2Stream> {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) {
      const session = this.#connect(this.authority);
      session.on("error", () => {}); // its streams tell, and the next request makes another
      session.unref();
      this.#session = session;
    }
    return this.#session.request({ ...headers, ":method": method, ":path": path }, options);
  }

  notifyResponseByteRead(): void {}
}
