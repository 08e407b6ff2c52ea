/**
 * Security of the servers of a process: who may connect, by PeerAuthentication; who they are, by their certificates; and
 * what the application is told of it. Reads policy and identity as they are at the moment of each connection. More than 400
 * lines, because policy, credentials and every connection meet here, and each of them may end what another began.
 */

import type { Http2Session } from "node:http2";
import { type Server as NetServer, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { Clock, Credentials, Identity, Timer } from "@inmesh/core";
import type { PortSecurityView, ServerSecurityView } from "@inmesh/core/admin";
import { setImmediate } from "@inmesh/core/internal";
import { type PeerModeInForce, resourceKey, type SecurityPolicy, type Snapshot } from "@inmesh/model";
import { CLIENT_CERT_HEADER } from "../inbound-headers.js";
import type { InboundRequest } from "../inbound-request.js";
import type { AnyServer } from "../patch-servers.js";
import type { RequestHead } from "../request-head.js";
import { Callers } from "./callers.js";
import { type Connection, connectionOf } from "./connection.js";
import { forwardClientCert } from "./forwarded-client-cert.js";
import { Handshakes } from "./handshakes.js";
import { SERVER_TLS_LIMITS, type ServerTlsLimits, SWEEP_MS } from "./limits.js";
import { resetOrClose } from "./node-internals.js";
import { type KnownPeer, Peers } from "./peers.js";
import { type Refusal, Refusals } from "./refusals.js";
import { SecuredServer, type Security } from "./secured-server.js";
import { NO_PLAINTEXT, OWN_TLS, type TurnedAway } from "./turned-away.js";

export interface ServerSecurityOptions {
  readonly clock: Clock;
  /** Where policy comes from; undefined: nobody has told it yet. */
  readonly snapshots: { readonly current: Snapshot | undefined; subscribe(listener: () => void): () => void };
  /** Of this process; its credentials may come later. @default it has none, and TLS is the application's affair */
  readonly identity?: Identity | undefined;
  /** The application sees that its callers speak TLS: `req.protocol` is https then. @default false, as behind a sidecar */
  readonly tlsVisible?: boolean;
  /** Callers may be proxies that offer HTTP/2 whatever they carry, as Consul's own does. @default false */
  readonly tunnels?: boolean;
  /** Requests in plaintext to STRICT ports are refused one by one, so that probes are heard. @default false: so are connections */
  readonly hearsPlaintext?: boolean;
  /** Requests stay as they came: no header is added or removed. @default false */
  readonly leavesHeaders?: boolean;
  /** Callers get tickets, by which they may shorten their next handshake. @default true */
  readonly tickets?: boolean;
  readonly limits?: Partial<ServerTlsLimits>;
  /** A line for the log and the list of events. @default nobody hears it */
  readonly onNotice?: (message: string) => void;
}

const DEFAULT_MODE: PeerModeInForce = { mode: "PERMISSIVE", source: null };
/** Certificates judged anew in one turn of the event loop, each 0.3 ms. */
const JUDGED_AT_ONCE = 10;

export class ServerSecurity implements Security {
  readonly owner = this;
  readonly clock: Clock;
  readonly limits: ServerTlsLimits;
  readonly handshakes: Handshakes;
  readonly peers: Peers;
  readonly refusals: Refusals;
  readonly tlsVisible: boolean;
  readonly tunnels: boolean;
  readonly tickets: boolean;
  readonly hearsPlaintext: boolean;
  readonly #options: ServerSecurityOptions;
  readonly #servers = new Map<NetServer, SecuredServer>();
  /** Those on which the application itself speaks TLS, and whether it was said that they refuse. */
  readonly #ownTls = new Map<AnyServer, { told: boolean }>();
  readonly #callers = new Callers();
  readonly #finished = { full: 0, resumed: 0 };
  readonly #unsubscribe: () => void;
  readonly #unsubscribeIdentity: () => void;
  readonly #identity: Identity | undefined;
  #sweep: Timer | undefined;
  /** Any port is STRICT. */
  #strict = false;
  #seen: SecurityPolicy | undefined;
  #trusted = "";

  constructor(options: ServerSecurityOptions) {
    const { clock, onNotice = () => {}, tlsVisible = false, identity, limits, snapshots } = options;
    this.#options = options;
    this.clock = clock;
    this.limits = { ...SERVER_TLS_LIMITS, ...limits };
    this.tlsVisible = tlsVisible;
    this.tunnels = options.tunnels ?? false;
    this.tickets = options.tickets ?? true;
    this.hearsPlaintext = options.hearsPlaintext ?? false;
    this.#identity = identity;
    this.handshakes = new Handshakes(clock, this.limits);
    this.refusals = new Refusals(clock, onNotice);
    this.peers = new Peers(clock, identity);
    this.#unsubscribe = snapshots.subscribe(() => this.#onPolicy());
    this.#unsubscribeIdentity = identity?.subscribe(() => this.#onCredentials()) ?? (() => {});
    this.#onPolicy();
  }

  policy(): SecurityPolicy | undefined {
    return this.#options.snapshots.current?.security;
  }

  modeOf(port: number): PeerModeInForce {
    const peer = this.policy()?.peer;
    if (peer === undefined) return DEFAULT_MODE;
    return peer.ports.get(port) ?? peer;
  }

  credentials(): Credentials | Refusal {
    const current = this.#identity?.current;
    if (current === undefined) return "noCredentials";
    if (current.notAfter <= this.clock.wallTime()) return "ownExpired";
    return current;
  }

  get identified(): boolean {
    return this.#identity !== undefined;
  }

  get awaitsCredentials(): boolean {
    return this.#identity?.status.state === "starting";
  }

  finished(kind: "full" | "resumed"): void {
    this.#finished[kind] += 1;
  }

  wake(): void {
    this.#sweep ??= this.clock.every(SWEEP_MS, () => this.#look());
  }

  /** A server of the process listens. */
  listening(server: AnyServer): void {
    if (server instanceof TlsServer) {
      this.#ownTls.set(server, { told: false });
      this.#tellOfOwnTls();
    } else if (this.#identity !== undefined) this.#of(server).listening();
  }

  /** It accepts nothing any more, or is closed. */
  closed(server: AnyServer): void {
    const secured = this.#servers.get(server);
    if (secured !== undefined) secured.closing = true;
    if (server.listening) return;
    this.#ownTls.delete(server);
    if (secured !== undefined && secured.pending.size + secured.open.size === 0) this.#servers.delete(server);
  }

  /** At once, with what has no request yet. */
  closePending(server: AnyServer): void {
    this.#servers.get(server)?.destroyPending();
  }

  /** Callers that have shown who they are still have connections to it: they hear of the end by themselves, and close them. */
  hasPeers(server: AnyServer): boolean {
    for (const { known, upgraded } of this.#servers.get(server)?.open ?? [])
      if (known !== undefined && !upgraded) return true;
    return false;
  }

  /**
   * A connection came.
   * @param handOver gives a connection to the application's server: this one, or the one over TLS that was made of it
   */
  connection(server: AnyServer, socket: unknown, handOver: (socket: Socket) => boolean): boolean {
    const given = socket as Socket;
    // Duplexes come from tests and not from a network. What is encrypted already was so by the application.
    if (!(given instanceof Socket) || server instanceof TlsServer) return handOver(given);
    const known = connectionOf(given);
    if (known !== undefined) return this.#again(server, known, handOver);
    if ((given as Socket & { readonly encrypted?: boolean }).encrypted === true) return handOver(given);
    const secured = this.#of(server);
    if (this.#identity !== undefined) secured.arrive(given, handOver);
    else if (this.#strict && this.modeOf(secured.portOf(given)).mode === "STRICT") this.#refuse(given, "noIdentity");
    else return handOver(given);
    return true;
  }

  /**
   * As `connection`, for a server whose protocol is the application's own. Only STRICT looks at its bytes: the caller speaks first
   * then, since TLS begins so.
   * @param handOver gets the connection that may be, in time: rules about it are asked there
   */
  tcpConnection(server: NetServer, socket: Socket, handOver: (socket: Socket) => boolean): boolean {
    if (connectionOf(socket) !== undefined) return handOver(socket); // looked at by another mesh of the process, or at another seam
    const known = this.policy() !== undefined;
    const secured = this.#servers.get(server) ?? new SecuredServer(server, this, true);
    const strict = known && this.#strict && this.modeOf(secured.portOf(socket)).mode === "STRICT";
    if (known && !strict) return handOver(socket);
    if (strict && (server instanceof TlsServer || (socket as Socket & { readonly encrypted?: boolean }).encrypted)) {
      this.#refuse(socket, "applicationTls");
      return true;
    }
    this.#servers.set(server, secured);
    secured.arrive(socket, handOver);
    return true;
  }

  session(session: Http2Session): void {
    const connection = connectionOf(session.socket);
    if (connection === undefined || connection.owner !== this) return;
    connection.session = session;
  }

  /** A request came on `socket`: learns who called, and tells the application as policy wants it. @returns the answer instead */
  meet(socket: Socket | undefined, head: RequestHead, request: InboundRequest): TurnedAway | undefined {
    const connection = connectionOf(socket);
    if (connection !== undefined) {
      if (connection.retiredAt > 0) request.retire();
      if (connection.owner === this) {
        request.connection = connection;
        connection.inFlight += 1;
        this.#count(connection, head);
      }
    }
    if (connection?.known !== undefined) {
      if (request.workload !== "") connection.workload = request.workload;
      if (request.facts !== undefined) request.facts.peerWorkload = connection.workload;
    }
    if (request.clientCert || connection?.known !== undefined)
      this.#forward(head, connection?.known, request.clientCert);
    return this.#strict ? this.refusal(socket) : undefined;
  }

  /** The same for a request after which its connection, or its stream, leaves HTTP. */
  meetLeaving(socket: Socket | undefined, head: RequestHead): TurnedAway | undefined {
    const connection = connectionOf(socket);
    if (connection?.owner === this) this.#count(connection, head);
    const came = head.headers[CLIENT_CERT_HEADER] !== undefined;
    if (came || connection?.known !== undefined) this.#forward(head, connection?.known, came);
    return this.#strict ? this.refusal(socket) : undefined;
  }

  /** @returns why nothing on it is served: the application did not come by it in a way that policy allows */
  refusal(socket: Socket | undefined): TurnedAway | undefined {
    if (!this.#strict || !(socket instanceof Socket)) return undefined;
    const connection = connectionOf(socket);
    if (connection === undefined) return this.#unseen(socket);
    if (connection.known !== undefined || this.modeOf(connection.port).mode !== "STRICT") return undefined;
    this.refusals.note("plaintextRequest", socket.remoteAddress);
    connection.retire(this.clock.now());
    return NO_PLAINTEXT;
  }

  /** A connection leaves HTTP: nothing on it says when it is idle. */
  left(socket: Socket): void {
    const connection = connectionOf(socket);
    if (connection !== undefined) connection.upgraded = true;
  }

  /** Ports that let nobody in, and why, a sentence each. */
  get problems(): readonly string[] {
    return this.read()
      .ports.filter(({ problem }) => problem !== "")
      .map(({ port, problem }) => `port ${port}: ${problem}`);
  }

  read(): ServerSecurityView {
    const ports = [...this.#servers.values()].map((secured): PortSecurityView => {
      let secure = 0;
      for (const { known } of secured.open) if (known !== undefined) secure += 1;
      const port = secured.portOf();
      const problem =
        this.#identity !== undefined || this.modeOf(port).mode !== "STRICT" ? "" : "this process has no identity";
      return {
        ...this.#portView(port, "mesh", problem),
        ...{ pending: secured.pending.size, secured: secure, plaintext: secured.open.size - secure },
      };
    });
    for (const server of this.#ownTls.keys()) {
      const port = portOf(server);
      const refuses = this.modeOf(port).mode === "STRICT";
      const view = this.#portView(port, "application", refuses ? "the application speaks TLS here itself" : "");
      ports.push({ ...view, pending: 0, secured: 0, plaintext: 0 });
    }
    return {
      ports: ports.sort((one, other) => one.port - other.port),
      handshakes: { ...this.#finished, running: this.handshakes.running, waiting: this.handshakes.waiting },
      refused: this.refusals.read(),
      callers: this.#callers.read(this.clock.now()),
    };
  }

  close(): void {
    this.#unsubscribe();
    this.#unsubscribeIdentity();
    this.#sweep?.cancel();
    this.handshakes.close();
    for (const secured of this.#servers.values()) secured.destroyPending();
  }

  #portView(port: number, tls: "mesh" | "application", refusal: string) {
    const { mode, source } = this.modeOf(port);
    const because = source === null ? "" : resourceKey(source.resource);
    return { port, mode, source: because, tls, problem: refusal && `STRICT refuses everybody: ${refusal}` };
  }

  #of(server: AnyServer): SecuredServer {
    let secured = this.#servers.get(server);
    if (secured === undefined) {
      secured = new SecuredServer(server, this, false);
      this.#servers.set(server, secured);
    }
    return secured;
  }

  /** Another mesh of the process has looked at it, or this one at another seam. */
  #again(server: AnyServer, connection: Connection, handOver: (socket: Socket) => boolean): boolean {
    const { socket, known, owner } = connection;
    const admits = owner === this || known !== undefined || !this.#strict;
    if (admits || this.modeOf(portOf(server)).mode !== "STRICT") return handOver(socket);
    this.#refuse(socket, "plaintext");
    return true;
  }

  #refuse(socket: Socket, reason: Refusal): void {
    this.refusals.note(reason, socket.remoteAddress);
    socket.on("error", () => {});
    resetOrClose(socket);
  }

  /** On a connection that came by no seam: before the mesh was there, by the application's own TLS, or by its own doing. */
  #unseen(socket: Socket): TurnedAway | undefined {
    const { server } = socket as Socket & { readonly server?: AnyServer };
    const port = (server && portOf(server)) || socket.localPort || 0;
    if (this.modeOf(port).mode !== "STRICT") return undefined;
    const encrypted = (socket as Socket & { readonly encrypted?: boolean }).encrypted === true;
    this.refusals.note(encrypted ? "applicationTls" : "plaintextRequest", socket.remoteAddress);
    return encrypted ? OWN_TLS : NO_PLAINTEXT;
  }

  #count(connection: Connection, { headers }: RequestHead): void {
    const now = this.clock.now();
    let { caller } = connection;
    if (caller === undefined) {
      const { peer, socket } = connection;
      const agent = headers["user-agent"];
      caller =
        peer !== undefined
          ? this.#callers.secured(peer.principal, now)
          : this.#callers.plain(socket.remoteAddress ?? "", typeof agent === "string" ? agent : undefined, now);
      connection.caller = caller;
    }
    caller.requests += 1;
    caller.lastAt = now;
  }

  #forward(head: RequestHead, known: KnownPeer | undefined, came: boolean): void {
    if (this.#identity === undefined || this.#options.leavesHeaders === true) return; // what stands in front of a process without identity is its own affair
    const way = this.policy()?.forwardedClientCert ?? "SANITIZE_SET";
    forwardClientCert(head, came, way, known, this.#identity?.current?.self.id ?? "");
  }

  #onPolicy(): void {
    const policy = this.policy();
    if (policy === this.#seen || policy === undefined) return;
    this.#seen = policy;
    const { peer } = policy;
    this.#strict = peer.mode === "STRICT" || [...peer.ports.values()].some(({ mode }) => mode === "STRICT");
    this.refusals.over("noConfiguration", "noIdentity");
    this.#onTrust();
    this.#tellOfOwnTls();
    for (const secured of this.#servers.values()) {
      secured.configured();
      this.#retirePlain(secured);
    }
  }

  /** What may go on in clear no longer ends as soon as nothing runs on it. */
  #retirePlain(secured: SecuredServer): void {
    if (!this.#strict) return;
    const now = this.clock.now();
    for (const connection of secured.open) {
      if (connection.known !== undefined || this.modeOf(connection.port).mode !== "STRICT") continue;
      connection.retire(now);
      connection.endIfIdle();
    }
    this.wake();
  }

  #onCredentials(): void {
    this.refusals.over("noCredentials", "ownExpired", "unusable");
    this.#onTrust();
    for (const secured of this.#servers.values()) secured.certified();
  }

  /** The roots, or the trust domains, may be others. Connections of those who would not be let in today end. */
  #onTrust(): void {
    const { trustDomains = [] } = this.policy() ?? {};
    const bundles = this.#identity?.current?.bundles ?? new Map<string, readonly string[]>();
    const trusted = JSON.stringify([trustDomains, [...bundles]]);
    if (trusted === this.#trusted) return;
    this.#trusted = trusted;
    this.peers.trust(trustDomains);
    const known = new Set<KnownPeer>();
    for (const { open } of this.#servers.values()) for (const each of open) if (each.known) known.add(each.known);
    if (known.size > 0) this.#judgeAnew([...known]);
  }

  #judgeAnew(known: readonly KnownPeer[]): void {
    const refused = new Set<KnownPeer>();
    for (const each of known.slice(0, JUDGED_AT_ONCE)) {
      const refusal = this.peers.refusalOf(each);
      if (refusal === undefined) continue;
      refused.add(each);
      this.refusals.note("distrusted", `${each.identity.id}: ${refusal}`);
    }
    if (refused.size > 0) {
      const now = this.clock.now();
      for (const { open } of this.#servers.values()) {
        for (const each of open) if (each.known !== undefined && refused.has(each.known)) each.retire(now);
      }
    }
    const rest = known.slice(JUDGED_AT_ONCE);
    if (rest.length > 0) setImmediate(() => this.#judgeAnew(rest));
  }

  #tellOfOwnTls(): void {
    for (const [server, state] of this.#ownTls) {
      const port = portOf(server);
      const { mode, source } = this.modeOf(port);
      if (mode !== "STRICT") state.told = false;
      if (mode !== "STRICT" || state.told) continue;
      state.told = true;
      const because = source === null ? "" : `, by ${resourceKey(source.resource)}`;
      this.#options.onNotice?.(
        `port ${port} refuses everybody: PeerAuthentication is STRICT for it${because}, and the application speaks TLS there ` +
          `itself, so nobody can show the mesh who they are. Listen in plaintext, and the mesh encrypts; or set the port to ` +
          `DISABLE or PERMISSIVE in portLevelMtls`,
      );
    }
  }

  #look(): void {
    const now = this.clock.now();
    let any = false;
    for (const [server, secured] of this.#servers) {
      secured.sweep(now);
      if (secured.pending.size + secured.open.size > 0) any = true;
      else if ((secured.closing || secured.tcp) && !server.listening) this.#servers.delete(server);
    }
    if (any) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }
}

function portOf(server: NetServer): number {
  const bound = server.address();
  return bound !== null && typeof bound === "object" ? bound.port : 0;
}
