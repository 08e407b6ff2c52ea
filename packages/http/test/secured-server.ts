/** A server of a mesh that looks at its connections, and callers that come to it in every way. */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Server as NetServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { type Clock, Contexts, type Identity, systemClock } from "@inmesh/core";
import { TimerWheel } from "@inmesh/core/internal";
import { defaultSecurity, type PeerMode, type SecurityPolicy, type Snapshot } from "@inmesh/model";
import { attachServer } from "../src/server/handler.js";
import { Inbound } from "../src/server/inbound.js";
import type { AnyServer } from "../src/server/patch-servers.js";
import { Servers } from "../src/server/servers.js";
import type { ServerTlsLimits } from "../src/server/tls/limits.js";
import { ServerSecurity } from "../src/server/tls/server-security.js";
import { type TestCredentials, TestIdentity, TestTrustDomain } from "./test-identity.js";

export const SOURCE = { resource: { kind: "PeerAuthentication", namespace: "shop", name: "tests" }, path: "" } as const;

export const MESH = new TestTrustDomain();
export const OTHER = new TestTrustDomain("other.local");
export const SERVER = MESH.issue("ns/shop/sa/cart");
export const CALLER = MESH.issue("ns/shop/sa/web");
/** As the server knows it. */
export const CALLER_ID = "cluster.local/ns/shop/sa/web";
export const BUNDLES = { "cluster.local": [MESH.root.pem] };

export interface SecuredMeshOptions {
  readonly mode?: PeerMode;
  readonly ports?: Readonly<Record<number, PeerMode>>;
  readonly policy?: Partial<SecurityPolicy>;
  /** @default the one of the tests; undefined: the process has none */
  readonly identity?: Identity | undefined;
  readonly tlsVisible?: boolean;
  readonly limits?: Partial<ServerTlsLimits>;
  readonly clock?: Clock;
  /** Without configuration until the first `set`. @default false */
  readonly waits?: boolean;
}

export class SecuredMesh implements AsyncDisposable {
  readonly security: ServerSecurity;
  readonly inbound: Inbound;
  readonly servers: Servers;
  readonly contexts = new Contexts();
  readonly notices: string[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #opened: (AnyServer | NetServer)[] = [];
  #snapshot: Snapshot | undefined;
  #given: SecuredMeshOptions;

  constructor(options: SecuredMeshOptions = {}) {
    this.#given = options;
    const { clock = systemClock, tlsVisible, limits } = options;
    const identity = "identity" in options ? options.identity : new TestIdentity({ own: SERVER, bundles: BUNDLES });
    if (options.waits !== true) this.set({});
    const mesh = this;
    this.security = new ServerSecurity({
      clock,
      identity,
      ...(tlsVisible !== undefined && { tlsVisible }),
      ...(limits && { limits }),
      snapshots: {
        get current() {
          return mesh.#snapshot;
        },
        subscribe(listener) {
          mesh.#listeners.add(listener);
          return () => void mesh.#listeners.delete(listener);
        },
      },
      onNotice: (message) => this.notices.push(message),
    });
    const { contexts, security } = this;
    const engine = { clock, wheel: new TimerWheel(clock), contexts, inForce: true, onlyObserves: false };
    this.inbound = new Inbound(engine, security);
    this.servers = new Servers({ inbound: this.inbound, clock, security });
  }

  /** New policy, in place of what was given before. */
  set(options: Pick<SecuredMeshOptions, "mode" | "ports" | "policy">): void {
    this.#given = { ...this.#given, ...options };
    const { mode = "PERMISSIVE", ports = {}, policy } = this.#given;
    const each = Object.entries(ports).map(([port, own]) => [Number(port), { mode: own, source: SOURCE }] as const);
    const peer = { mode, source: SOURCE, ports: new Map(each) };
    const security = { ...defaultSecurity("cluster.local"), peer, ...policy };
    this.#snapshot = { security } as Partial<Snapshot> as Snapshot;
    for (const listener of this.#listeners) listener();
  }

  /** @returns the port it listens on */
  async listen(server: AnyServer | NetServer): Promise<number> {
    this.#opened.push(server);
    attachServer(server, this.servers);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  }

  /** A server that answers with who called, by what is known of the connection and by the header. */
  async serve(app: RequestListener = this.answer): Promise<{ readonly server: Server; readonly port: number }> {
    const server = createServer(app);
    return { server, port: await this.listen(server) };
  }

  readonly answer: RequestListener = (request, response) => {
    const cert = request.headers["x-forwarded-client-cert"] ?? "";
    response.end(JSON.stringify({ peer: this.contexts.current()?.peer?.principal ?? "", cert, url: request.url }));
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#opened) {
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    }
    await this.servers.close(AbortSignal.abort());
    this.security.close();
  }
}

/** What a caller of the mesh offers. @param own undefined: no certificate */
export function secureOptions(own: TestCredentials | undefined, roots: readonly string[] = [MESH.root.pem]) {
  return {
    ca: [...roots],
    ...(own && { cert: own.chain, key: own.key }),
    checkServerIdentity: () => undefined,
  } satisfies ConnectionOptions;
}

export interface Heard {
  /** All that came. */
  text: string;
  /** Of the error that ended it; empty: a plain end. */
  code: string;
  readonly ended: Promise<void>;
}

/** Listens to a socket until it is closed. */
export function hear(socket: Socket): Heard {
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const heard: Heard = { text: "", code: "", ended };
  socket.on("data", (chunk) => {
    heard.text += chunk;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    heard.code ||= error.code ?? error.message;
  });
  return heard;
}

export function dial(port: number, options: ConnectionOptions = secureOptions(CALLER)): TLSSocket {
  return connectTls({ host: "127.0.0.1", port, ...options });
}

export function dialPlain(port: number): Socket {
  return connect(port, "127.0.0.1");
}

export const GET = "GET / HTTP/1.1\r\nhost: cart\r\n\r\n";
export const LAST_GET = "GET / HTTP/1.1\r\nhost: cart\r\nconnection: close\r\n\r\n";

/** One request on a connection of its own. */
export async function ask(socket: Socket, request = LAST_GET): Promise<Heard> {
  const heard = hear(socket);
  socket.write(request);
  await heard.ended;
  return heard;
}

/** What a server that answers with JSON said. */
export function said({ text }: { readonly text: string }): { peer: string; cert: string; url: string } {
  return JSON.parse(text.slice(text.indexOf("{")));
}

/** Waits for what is true soon. */
export async function until(look: () => boolean, what = "it"): Promise<void> {
  const end = Date.now() + 5_000;
  while (!look()) {
    if (Date.now() > end) throw new Error(`${what} did not happen within 5 s: ${look}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
