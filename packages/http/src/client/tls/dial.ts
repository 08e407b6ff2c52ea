/**
 * One TLS connection to an endpoint: opened, verified, and only then handed over, so that no byte of a request reaches
 * a server which is not the one that policy means.
 */

import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { type Clock, MeshError, type Random } from "@inmesh/core";
import { errorCode, isMeshTls, setImmediate, tlsSource, WRONG_PEER_CODE } from "@inmesh/core/internal";
import type { ClientTls, ConnectionPolicy, Endpoint } from "@inmesh/model";
import { addressMs, keepAliveDelay, UNIX } from "../endpoint-connector.js";
import { sameOpening, watchOpening } from "../wire-facts.js";
import type { HandshakeFailure, Handshakes } from "./handshakes.js";
import { unverified } from "./identity-trust.js";
import { noteSecured, type Verified } from "./secured-socket.js";
import type { Trust, Verdict } from "./trust.js";

/** Of the stream: what a record of TLS holds at most, as undici has it. In bytes. */
const HIGH_WATER_MARK = 16 * 1024;
/** Offered: one, which is spoken. */
const ALPN = { http1: ["http/1.1"], http2: ["h2"] } as const;
/** Beside them Istio's words for the same, by which its sidecars know a connection of the mesh from TLS of an application's own. */
const MESH_ALPN = { http1: ["istio-http/1.1", "istio", "http/1.1"], http2: ["istio-h2", "istio", "h2"] } as const;
const HTTP2 = new Set<unknown>(["h2", "istio-h2"]);
/** A timer takes no more ms. */
const LONGEST_MS = 2 ** 31 - 1;

export interface DialOptions {
  /** Whose endpoint: its address may be another by the time of the next connection. */
  readonly of: { readonly endpoint: Endpoint };
  readonly tls: ClientTls;
  readonly trust: Trust;
  /** What the server is asked for, and its certificate. */
  readonly serverName: string;
  /** Its connectTimeout is for connecting and the handshake together. */
  readonly connection: ConnectionPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly handshakes: Handshakes;
}

/**
 * What a later connection may shorten its handshake with. Of verified servers only, as nobody verifies again; and by the same
 * policy only, as every policy has a Dialer of its own.
 */
interface Ticket {
  readonly session: Buffer;
  readonly verified: Verified;
}

/** A connection being made. */
interface Dialing {
  /** Made by somebody else; undefined: one is to be made. */
  readonly raw: Socket | undefined;
  /** What the time limit finds missing. */
  missing: string;
  socket: Socket | undefined;
  over: boolean;
  readonly end: Callback;
}

type OnVerified = (verified: NonNullable<Verdict["verified"]>) => void;

const CREDENTIALS = "nothing to connect with";
const HANDSHAKE = "no end of the TLS handshake";

type Callback = (error: Error | null, socket: TLSSocket | null) => void;

/** Connections to one endpoint under one server name and one policy; keeps the last session ticket. */
export class Dialer {
  readonly #options: DialOptions;
  readonly #isMesh: boolean;
  #ticket: Ticket | undefined;
  /** By root, what the oldest of its connections was verified as. */
  readonly #verified = new Map<string, Verified>();

  constructor(options: DialOptions) {
    this.#options = options;
    this.#isMesh = isMeshTls(options.tls);
  }

  /** Whether all servers that it found good would be found good now. */
  get holds(): boolean {
    for (const verified of this.#verified.values()) if (!this.#options.trust.holds(verified)) return false;
    return true;
  }

  /**
   * @param callback is called once, with a connection that may be used at once or with why there is none
   * @param raw a TCP connection that stands, for whoever makes them himself; closed where it comes to nothing
   */
  dial(callback: Callback, raw?: Socket): void {
    const { connection, clock } = this.#options;
    const limitMs = connection.connectTimeoutMs;
    const dialing: Dialing = { raw, missing: CREDENTIALS, socket: undefined, over: false, end: ended };
    const late = (): void => {
      if (dialing.over) return;
      const { socket, missing } = dialing;
      const text = `${missing} within ${limitMs} ms`;
      if (missing === HANDSHAKE) this.#options.handshakes.failed.timeout += 1;
      const error = Object.assign(new Error(text), { code: "ETIMEDOUT" });
      ended(missing === CREDENTIALS ? this.#unusable(text) : this.#explained(error), null);
      socket?.destroy();
    };
    // Looked at again a turn later: when this process stood still, what it waits for may lie unread (pitfalls L10).
    const timer = clock.after(limitMs, () => void setImmediate(late));
    function ended(error: Error | null, socket: TLSSocket | null): void {
      if (dialing.over) return void socket?.destroy();
      dialing.over = true;
      timer.cancel();
      if (error !== null) raw?.destroy();
      callback(error, socket);
    }
    this.#begin(dialing);
  }

  #begin(dialing: Dialing): void {
    const { trust, connection } = this.#options;
    void trust.check(connection.connectTimeoutMs).then(() => {
      if (dialing.over) return;
      if (trust.context === undefined) dialing.end(this.#unusable(), null);
      else if (dialing.raw === undefined) this.#connect(dialing);
      else this.#take(dialing, dialing.raw);
    });
  }

  #connect(dialing: Dialing): void {
    const { connection } = this.#options;
    dialing.missing = "no connection";
    let socket: Socket;
    try {
      socket = watchOpening(connectTcp(this.#address()));
    } catch (error) {
      return dialing.end(error as Error, null); // an address that is none
    }
    dialing.socket = socket.setNoDelay(true).setKeepAlive(true, keepAliveDelay(connection));
    // Stays after the handshake has begun: of what happens then the encrypted socket tells.
    socket.on("error", (error) => dialing.missing !== HANDSHAKE && dialing.end(error, null));
    socket.once("connect", () => {
      dialing.missing = HANDSHAKE;
      this.#handshake(dialing, socket);
    });
  }

  #take(dialing: Dialing, raw: Socket): void {
    dialing.socket = raw;
    dialing.missing = HANDSHAKE;
    raw.on("error", () => {}); // of what happens from here on the encrypted socket tells
    this.#handshake(dialing, raw);
  }

  #handshake(dialing: Dialing, socket: Socket): void {
    this.#options.handshakes.begin((over) => {
      if (!dialing.over && !socket.destroyed) return this.#secure(dialing, socket, over);
      over();
      socket.destroy();
      dialing.end(Object.assign(new Error("the endpoint closed the connection"), { code: "ECONNRESET" }), null);
    });
  }

  #secure(dialing: Dialing, raw: Socket, over: () => void): void {
    const { trust, connection } = this.#options;
    const { generation, shows, validTo } = trust;
    const used = this.#usable(generation);
    let verified: Verified | undefined;
    let socket: TLSSocket;
    try {
      socket = this.#open(raw, used?.session, (found) => {
        verified = { ...found, generation };
      });
    } catch (error) {
      over();
      raw.destroy();
      return dialing.end(error as Error, null); // credentials that expired just now
    }
    dialing.socket = socket;
    const failed = (error: Error): void => {
      over();
      if (!dialing.over) this.#options.handshakes.failed[failureOf(error, socket)] += 1;
      this.#ticket = undefined;
      dialing.end(this.#explained(this.#isMesh && socket.authorizationError ? this.#unverified(error) : error), null);
    };
    socket.once("error", failed);
    // A peer that closes without a word, which is no error to Node before the handshake.
    socket.once("close", over);
    // TLS 1.2 gives the ticket before the server is verified, TLS 1.3 later and more than one.
    let early: Buffer | undefined;
    let keep = (session: Buffer): void => {
      early = session;
    };
    socket.on("session", (session) => keep(session));
    socket.once("secureConnect", () => {
      over();
      socket.removeListener("error", failed);
      // Whom nobody verifies, nobody judges either.
      const anybody = this.#options.tls.insecureSkipVerify
        ? { peer: "", root: "", generation, validTo: validToOf(socket) }
        : undefined;
      const as = used !== undefined && socket.isSessionReused() ? used.verified : (verified ?? anybody);
      trust.look();
      if (as === undefined || (generation !== trust.generation && !trust.holds(as))) {
        socket.on("error", () => {}).destroy();
        // Trust changed meanwhile, and it was verified by the old one.
        if (dialing.raw === undefined) return this.#begin(dialing);
        return dialing.end(
          Object.assign(new Error("trust changed during the handshake"), { code: "ECONNRESET" }),
          null,
        );
      }
      keep = (session) => {
        if (this.#options.handshakes.tickets) this.#ticket = { session, verified: as };
      };
      if (early !== undefined) keep(early);
      if (connection.protocol === "http2" && !HTTP2.has(socket.alpnProtocol)) {
        socket.on("error", () => {}).destroy();
        const error = Object.assign(new Error("no HTTP/2 was agreed on"), { code: NO_ALPN });
        return dialing.end(this.#explained(error), null);
      }
      this.#options.handshakes.done += 1;
      this.#note(as);
      sameOpening(raw, socket);
      noteSecured(socket, { verified: as, showed: shows, retiresAt: this.#retiresAt(as, validTo) });
      dialing.end(null, socket);
    });
  }

  #open(raw: Socket, session: Buffer | undefined, onVerified: OnVerified): TLSSocket {
    const { tls, trust, serverName, connection } = this.#options;
    const secureContext = trust.context;
    if (secureContext === undefined) throw this.#unusable();
    const alpn = this.#isMesh ? MESH_ALPN : ALPN;
    const options = {
      socket: raw,
      secureContext,
      servername: isIP(serverName) === 0 ? serverName : "", // RFC 6066 allows no address
      ALPNProtocols: [...alpn[connection.protocol === "http2" ? "http2" : "http1"]],
      rejectUnauthorized: !tls.insecureSkipVerify,
      // Typed as the short form of a certificate, and given the long one.
      checkServerIdentity: (_: string, certificate: object) =>
        this.#judge(certificate as DetailedPeerCertificate, onVerified),
      ...(session && { session }),
      highWaterMark: HIGH_WATER_MARK, // which the types do not tell of
    };
    return connectTls(options);
  }

  /** Never throws: Node would end the process. */
  #judge(certificate: DetailedPeerCertificate, onVerified: OnVerified): Error | undefined {
    try {
      const verdict = this.#options.trust.judge(certificate, this.#options);
      if (verdict.verified === undefined) return verdict.error;
      onVerified(verdict.verified);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #address(): { path: string } | { host: string; port: number } {
    const { address, port } = this.#options.of.endpoint;
    return address.startsWith(UNIX)
      ? { path: address.slice(UNIX.length) }
      : { host: address, port, ...{ autoSelectFamilyAttemptTimeout: addressMs() } }; // left out of the types
  }

  #usable(generation: number): Ticket | undefined {
    const { trust, clock } = this.#options;
    const ticket = this.#ticket;
    if (ticket === undefined || ticket.verified.generation !== generation || !trust.holds(ticket.verified))
      return undefined;
    return ticket.verified.validTo > clock.wallTime() ? ticket : undefined;
  }

  /** Some time in the second half of what is left of the shorter certificate, so that connections do not all end at once. */
  #retiresAt({ validTo }: Verified, ownValidTo: number): number {
    const { clock, random } = this.#options;
    if (ownValidTo === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    const leftMs = Math.max(0, Math.min(validTo, ownValidTo) - clock.wallTime());
    return clock.now() + Math.min(LONGEST_MS, leftMs * (0.5 + random.next() / 2));
  }

  #note(verified: Verified): void {
    const known = this.#verified.get(verified.root);
    if (known === undefined || verified.generation < known.generation) this.#verified.set(verified.root, verified);
  }

  #unverified(error: Error): Error {
    return unverified(error, errorCode(error), this.#options.tls.identities);
  }

  /** What the server was asked for and who decides what is right: the error itself says what is wrong. */
  #explained(error: Error): Error {
    const { tls, serverName, trust } = this.#options;
    const code = errorCode(error);
    const roots = this.#isMesh
      ? "the roots of the mesh"
      : tls.caCertificates === ""
        ? "Node's roots"
        : tls.caCertificates;
    const hint = HINTS[code] ?? (trust.shows !== "" && REFUSALS.test(code) ? REFUSED : "");
    const shown = trust.shows === "" ? "" : `, showing ${trust.shows},`;
    const message = `TLS as "${serverName}" by ${roots}${shown} failed: ${error.message}${hint === "" ? "" : ` (${hint})`}; see ${tlsSource(tls)}`;
    return Object.assign(new Error(message, { cause: error }), code !== "" && { code });
  }

  #unusable(what?: string): MeshError {
    const { tls, trust, of } = this.#options;
    const { file, why } = trust.failure ?? {};
    if (this.#isMesh) {
      const reason = why ?? what ?? "none has come yet";
      return new MeshError(
        "TLS_UNAVAILABLE",
        `nothing was sent to ${of.endpoint.id}: this process has no identity to show, and ${tlsSource(tls)} asks for one: ${reason}. inmesh certs shows what there is`,
      );
    }
    const field = file === undefined ? "" : `.${file.field}`;
    return new MeshError(
      "TLS_UNAVAILABLE",
      `nothing was sent to ${of.endpoint.id}: ${file?.path ?? "a file"} ${why ?? what ?? "cannot be used"}, and ${tlsSource(tls)}${field} asks for it. Put it where this process runs, or correct the field`,
    );
  }
}

/** OpenSSL's, of a server that speaks none of the protocols offered; also where it does not say so. */
const NO_ALPN = "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL";

const HINTS: Readonly<Record<string, string>> = {
  [NO_ALPN]: "the endpoint speaks no HTTP/2, which h2UpgradePolicy or the port's protocol asks for",
  ERR_SSL_WRONG_VERSION_NUMBER: "the endpoint speaks no TLS on this port",
  UNABLE_TO_GET_CRL: "caCrl has no list of this certificate's authority",
  CRL_HAS_EXPIRED: "caCrl is out of date",
};

/** Of a server that says in the handshake what it thinks of our certificate, or just closes, as TLS 1.2 lets it. */
const REFUSALS =
  /^ERR_SSL_.*ALERT_(?:HANDSHAKE|CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED|ACCESS_DENIED)|^ECONNRESET$|^EPROTO$/;
const REFUSED = "the server may have refused the certificate of this process: its log says so";

function failureOf(error: Error, { authorizationError }: TLSSocket): HandshakeFailure {
  const code = errorCode(error);
  if (code === WRONG_PEER_CODE) return "wrongPeer";
  if (authorizationError !== null && authorizationError !== undefined) return "unverified";
  return REFUSALS.test(code) ? "refused" : "other";
}

function validToOf(socket: TLSSocket): number {
  const text = socket.getPeerX509Certificate()?.validTo;
  return text === undefined ? 0 : Date.parse(text);
}
