/**
 * A server of the application whose connections the mesh looks at first. Handshakes are made by a `tls.Server` that never
 * listens: only that one enforces `rejectUnauthorized`, which a TLSSocket made by hand does not (mtls.md §2).
 */

import { constants } from "node:crypto";
import { Server as HttpServer } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from "node:tls";
import type { Clock, Credentials } from "@inmesh/core";
import type { PeerModeInForce, SecurityPolicy } from "@inmesh/model";
import { exemptServer } from "../patch-servers.js";
import { chooseAny, chooseProtocol } from "./alpn.js";
import { Arrival, arrivalOf, type Reception } from "./arrival.js";
import { Connection, connectionOf } from "./connection.js";
import type { Handshakes } from "./handshakes.js";
import { SESSION_S, type ServerTlsLimits, SWEEP_MS } from "./limits.js";
import {
  allowsHalfOpen,
  hasEnded,
  letReset,
  rawSocketOf,
  resetOrClose,
  setProtocol,
  setServer,
  showAsPlain,
} from "./node-internals.js";
import type { Peers } from "./peers.js";
import type { Refusal, Refusals } from "./refusals.js";

export interface Security {
  readonly owner: object;
  readonly clock: Clock;
  readonly limits: ServerTlsLimits;
  readonly handshakes: Handshakes;
  readonly peers: Peers;
  readonly refusals: Refusals;
  /** The application sees that its callers speak TLS. */
  readonly tlsVisible: boolean;
  readonly tunnels: boolean;
  /** Callers get tickets, by which they may shorten their next handshake. */
  readonly tickets: boolean;
  /** Connections in plaintext to STRICT ports are read: paths of the mesh's own are answered, every other request is refused. */
  readonly hearsPlaintext: boolean;
  /** Undefined before the first configuration. */
  policy(): SecurityPolicy | undefined;
  modeOf(port: number): PeerModeInForce;
  /** Of this process; a refusal: why it has none that may be used. */
  credentials(): Credentials | Refusal;
  /** It has, or will have, some. */
  readonly identified: boolean;
  /** The first ones are on their way, as far as is known. */
  readonly awaitsCredentials: boolean;
  /** There is something to look after. */
  wake(): void;
  finished(kind: "full" | "resumed"): void;
}

/** Of servers in the mesh, the one that is taken first. Envoy's under Istio, without those that keep no secret forward. */
export const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");
/** Connections made at the same time are not to be replaced at the same time: up to this share of their age earlier. */
const AGE_SPREAD = 0.2;
const GOLDEN_RATIO = 0.618_034;

export class SecuredServer implements Reception {
  readonly server: NetServer;
  /** What it speaks is the application's own affair. */
  readonly tcp: boolean;
  readonly pending = new Set<Arrival>();
  readonly open = new Set<Connection>();
  readonly #security: Security;
  readonly #speaksHttp2: boolean;
  #tls: TlsServer | undefined;
  /** What the hidden server's context was made of. */
  #generation = -1;
  #minVersion = "";
  #made = 0;
  #port: number | undefined;
  /** It takes no new connections: what has said nothing is not waited for long. */
  closing = false;

  constructor(server: NetServer, security: Security, tcp: boolean) {
    this.server = server;
    this.tcp = tcp;
    this.#security = security;
    this.#speaksHttp2 = !(server instanceof HttpServer);
  }

  /** It listens anew, perhaps elsewhere. */
  listening(): void {
    this.closing = false;
    this.#port = undefined;
  }

  /** Of the workload: where it listens, or, when the application hands it connections of others, where those came in. */
  portOf(socket?: Socket): number {
    if (this.#port !== undefined) return this.#port; // the system was asked already
    const bound = this.server.address();
    if (bound === null) return socket?.localPort ?? 0;
    const port = typeof bound === "object" ? bound.port : 0;
    if (!this.tcp) this.#port = port; // of the others nobody tells when they listen anew
    return port;
  }

  arrive(socket: Socket, handOver: (socket: Socket) => boolean): void {
    const { clock, limits, refusals } = this.#security;
    if (this.pending.size >= limits.pending) {
      refusals.note("pending", addressOf(socket));
      socket.on("error", () => {}).destroy();
      return;
    }
    const now = clock.now();
    const arrival = new Arrival(socket, this, handOver, now);
    this.pending.add(arrival);
    this.#security.wake();
    if (this.#security.policy() !== undefined) this.#look(arrival, now);
  }

  /** There is configuration now. */
  configured(): void {
    const now = this.#security.clock.now();
    for (const arrival of this.pending) if (arrival.state === "config") this.#look(arrival, now);
  }

  /** There is a certificate now. */
  certified(): void {
    for (const arrival of this.pending) if (arrival.state === "credentials") this.hello(arrival);
  }

  hello(arrival: Arrival): void {
    const credentials = this.#security.credentials();
    arrival.since = this.#security.clock.now();
    // Who shares a port with others is called from its first moment, by callers that know of the others.
    if (credentials === "noCredentials" && this.#security.awaitsCredentials) {
      arrival.state = "credentials";
      return;
    }
    if (typeof credentials === "string") return this.refuse(arrival, credentials);
    arrival.state = "queue";
    this.#security.handshakes.add(arrival);
  }

  plain(arrival: Arrival): void {
    const port = this.portOf(arrival.socket);
    if (this.#security.modeOf(port).mode === "STRICT" && (this.tcp || !this.#security.hearsPlaintext))
      return this.refuse(arrival, "plaintext");
    this.#leave(arrival);
    this.plainConnection(arrival.socket, port, arrival.handOver);
  }

  /** One that needs no look: in mode DISABLE, TLS is for the application to understand. */
  plainConnection(socket: Socket, port: number, handOver: (socket: Socket) => boolean): boolean {
    this.#connected(new Connection(this.#security.owner, socket, port, undefined, Number.POSITIVE_INFINITY));
    return handOver(socket);
  }

  shake(arrival: Arrival): void {
    const credentials = this.#security.credentials();
    if (typeof credentials === "string") return this.refuse(arrival, credentials);
    arrival.since = this.#security.clock.now();
    let tls: TlsServer;
    try {
      tls = this.#hidden(credentials);
    } catch (error) {
      // Nobody above could take it. The code is OpenSSL's word for it; its text might hold more than is to be told.
      return this.refuse(arrival, "unusable", (error as NodeJS.ErrnoException).code);
    }
    tls.emit("connection", arrival.socket);
  }

  gone(arrival: Arrival): void {
    if (arrival.state === "handshake") return; // node:tls tells why, in a moment
    if (!this.#leave(arrival)) return;
    if (arrival.state === "byte" || arrival.state === "config") this.#security.refusals.note("closedSilently");
    else this.#security.refusals.note("handshake", `${addressOf(arrival.socket)} left`);
  }

  refuse(arrival: Arrival, reason: Refusal, detail = addressOf(arrival.socket)): void {
    const { socket } = arrival;
    this.#leave(arrival);
    this.#security.refusals.note(reason, detail);
    socket.on("error", () => {});
    resetOrClose(socket);
  }

  /** What has waited too long for what it waits for; and connections that are not wanted any more. */
  sweep(now: number): void {
    for (const arrival of this.pending) {
      const reason = this.#late(arrival, now);
      if (reason !== undefined) this.refuse(arrival, reason);
    }
    for (const connection of this.open) {
      if (connection.retireAt <= now) connection.retire(now);
      if (connection.retiredAt === 0) continue;
      if (!connection.upgraded) {
        // One in use hears of it with its next answer, rather than lose a request that is on its way.
        if (now - connection.retiredAt >= SWEEP_MS) connection.endIfIdle();
      } else if (now - connection.retiredAt >= this.#security.limits.upgradedMs) connection.socket.destroy();
    }
  }

  /** At once, with all that has no request yet. */
  destroyPending(): void {
    for (const { socket } of this.pending) socket.destroy();
  }

  #look(arrival: Arrival, now: number): void {
    const port = this.portOf(arrival.socket);
    const { mode } = this.#security.modeOf(port);
    if (this.tcp && mode === "STRICT" && !this.#security.identified) return this.refuse(arrival, "noIdentity");
    if (this.tcp && mode === "PERMISSIVE") {
      // The server may be the one that speaks first, and TLS may be its own: nothing can be told by waiting.
      this.#leave(arrival);
      return void arrival.handOver(arrival.socket);
    }
    if (mode !== "DISABLE") return arrival.peek(now);
    this.#leave(arrival);
    if (this.tcp) return void arrival.handOver(arrival.socket);
    this.plainConnection(arrival.socket, port, arrival.handOver);
  }

  #late({ state, since }: Arrival, now: number): Refusal | undefined {
    const { limits } = this.#security;
    const waitedMs = now - since;
    if (state === "config") return waitedMs >= limits.configMs ? "noConfiguration" : undefined;
    if (state === "credentials") return waitedMs >= limits.configMs ? "noCredentials" : undefined;
    if (state === "queue") return waitedMs >= limits.handshakeMs ? "handshakeQueue" : undefined;
    // node:tls has its own clock for it; this is for what it forgets.
    if (state === "handshake") return waitedMs >= limits.handshakeMs * 2 ? "handshakeTimeout" : undefined;
    return waitedMs >= this.#firstByteMs() ? "firstByteTimeout" : undefined;
  }

  /** As long as a bare server waits for the head of a request. */
  #firstByteMs(): number {
    const { limits } = this.#security;
    if (this.closing || (this.tcp && !this.server.listening)) return Math.min(limits.firstByteMs, CLOSING_MS);
    const { headersTimeout } = this.server as Partial<HttpServer>;
    return headersTimeout || limits.firstByteMs;
  }

  /** @returns whether it was there */
  #leave(arrival: Arrival): boolean {
    if (!this.pending.delete(arrival)) return false;
    if (arrival.state === "queue" || arrival.state === "handshake") this.#security.handshakes.remove(arrival);
    arrival.release();
    return true;
  }

  #connected(connection: Connection): void {
    this.open.add(connection);
    connection.among = this.open;
    connection.socket.on("close", onClosed);
  }

  #hidden(credentials: Credentials): TlsServer {
    const minVersion = this.#security.policy()?.minTlsVersion ?? "TLSv1.2";
    const known = this.#tls;
    if (known !== undefined && this.#generation === credentials.generation && this.#minVersion === minVersion)
      return known;
    // All of it each time: what is left out is cleared. No ticketKeys, ever: they would outlive the roots (mtls.md §5).
    const context = {
      cert: credentials.certificateChain,
      key: credentials.privateKey,
      ca: [...credentials.bundles.values()].flat(),
      ciphers: CIPHERS,
      minVersion,
      sessionTimeout: SESSION_S,
      ...(!this.#security.tickets && { secureOptions: constants.SSL_OP_NO_TICKET }),
    };
    if (known === undefined) this.#tls = this.#create(context);
    else known.setSecureContext(context);
    this.#generation = credentials.generation;
    this.#minVersion = minVersion;
    return this.#tls as TlsServer; // made above
  }

  #create(context: TlsOptions): TlsServer {
    const tls = createServer({
      ...context,
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: this.#security.limits.handshakeMs,
      allowHalfOpen: !this.tcp || allowsHalfOpen(this.server), // as http.Server
      ALPNCallback: ({ protocols }) =>
        this.tcp ? chooseAny(protocols) : chooseProtocol(this.#speaksHttp2, protocols, this.#security.tunnels),
    });
    exemptServer(tls);
    tls.on("secureConnection", (secure) => this.#secured(secure));
    tls.on("tlsClientError", (error: NodeJS.ErrnoException, secure) => this.#failed(error, secure));
    return tls;
  }

  #secured(secure: TLSSocket): void {
    const arrival = arrivalOf(rawSocketOf(secure));
    if (arrival === undefined) return void secure.destroy(); // refused in the meantime
    const from = addressOf(arrival.socket);
    this.#leave(arrival);
    const { owner, clock, limits, peers, refusals, tlsVisible } = this.#security;
    const found = peers.find(secure);
    if ("refusal" in found) {
      refusals.note("identity", `${from}: ${found.refusal}`);
      return void secure.on("error", () => {}).destroy();
    }
    this.#security.finished(secure.isSessionReused() ? "resumed" : "full");
    if (!tlsVisible) showAsPlain(secure);
    letReset(secure, arrival.socket);
    setServer(secure, this.server);
    // A caller that knows it speaks HTTP/2 need not say so, as it need not in clear.
    if (this.#speaksHttp2 && !this.tcp && secure.alpnProtocol === false) setProtocol(secure, "h2");
    const now = clock.now();
    const ageMs = limits.ageMs * (1 - AGE_SPREAD * ((this.#made++ * GOLDEN_RATIO) % 1));
    // Nobody can be told to come again on a connection whose protocol is not known: as long as it is trusted, it lasts.
    const retireAt = this.tcp ? Number.POSITIVE_INFINITY : now + Math.min(ageMs, found.notAfter - clock.wallTime());
    const connection = new Connection(owner, secure, this.portOf(arrival.socket), found, retireAt);
    connection.upgraded = this.tcp;
    this.#connected(connection);
    arrival.handOver(secure);
  }

  /** node:tls leaves the socket open. */
  #failed(error: NodeJS.ErrnoException, secure: TLSSocket): void {
    const raw = rawSocketOf(secure);
    const arrival = arrivalOf(raw);
    const from = raw?.remoteAddress; // before it is destroyed
    secure.on("error", () => {}).destroy();
    if (arrival === undefined || raw === undefined) return;
    // Who went away in the middle of it is nobody's trouble, and counted alone: load balancers do that, and clients that end.
    const left = (from === undefined || hasEnded(secure)) && !secure.authorizationError;
    if (this.#leave(arrival)) this.#security.refusals.note(...failureOf(error, secure, from ?? LEFT), !left);
  }
}

/** For the first bytes of a connection to a server that is closing, in ms. */
const CLOSING_MS = 2_000;

function onClosed(this: Socket): void {
  const connection = connectionOf(this);
  connection?.among?.delete(connection);
}

function failureOf(error: NodeJS.ErrnoException, secure: TLSSocket, from: string): [Refusal, string] {
  const { code = "" } = error;
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return ["noCertificate", from];
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return ["handshakeTimeout", from];
  // Node ends it without a word, and says here what it was.
  const why = secure.authorizationError as unknown;
  if (why) return ["untrustedChain", `${from}: ${String(why)}`];
  return ["handshake", `${from}: ${code || error.message}`];
}

function addressOf({ remoteAddress }: Socket): string {
  return remoteAddress ?? LEFT;
}

const LEFT = "a caller that has left";
