/**
 * One TLS connection to an endpoint: opened, verified, and only then handed over, so that no byte of a request reaches
 * a server which is not the one that policy means.
 */

import { isIP } from "node:net";
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { type Clock, MeshError } from "@inmesh/core";
import { errorCode, setImmediate, tlsSource } from "@inmesh/core/internal";
import type { ClientTls, ConnectionPolicy, Endpoint } from "@inmesh/model";
import { addressMs, keepAliveDelay, UNIX } from "../endpoint-connector.js";
import { wrongPeer } from "./peer-name.js";
import type { Trust } from "./trust.js";

/** As undici's own. In bytes. */
const HIGH_WATER_MARK = 64 * 1024;
/** One is offered, the one that is spoken. */
const ALPN = { http1: ["http/1.1"], http2: ["h2"] } as const;

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
}

/** What a later connection may shorten its handshake with. Of verified servers only: nobody verifies again. */
interface Ticket {
  readonly session: Buffer;
  readonly generation: number;
  /** Wall time at which the certificate expires that it stands for. */
  readonly validTo: number;
}

/** A connection being made. */
interface Dialing {
  /** What the time limit finds missing. */
  missing: string;
  socket: TLSSocket | undefined;
  readonly end: Callback;
}

const HANDSHAKE = "no end of the TLS handshake";

type Callback = (error: Error | null, socket: TLSSocket | null) => void;

/** Connections to one endpoint under one server name; keeps the last session ticket. */
export class Dialer {
  /** Generation of the trust by which the oldest of its connections was verified; Infinity before the first. */
  verifiedBy = Number.POSITIVE_INFINITY;
  readonly #options: DialOptions;
  #ticket: Ticket | undefined;

  constructor(options: DialOptions) {
    this.#options = options;
  }

  /** @param callback is called once, with a connection that may be used at once or with why there is none */
  dial(callback: Callback): void {
    const { connection, clock } = this.#options;
    const limitMs = connection.connectTimeoutMs;
    const dialing: Dialing = { missing: "no look at the files of policy", socket: undefined, end: ended };
    const late = (): void => {
      if (over) return;
      const { socket, missing } = dialing;
      ended(this.#explained(Object.assign(new Error(`${missing} within ${limitMs} ms`), { code: "ETIMEDOUT" })), null);
      socket?.destroy();
    };
    // Looked at again a turn later: when this process stood still, what it waits for may lie unread (pitfalls L10).
    const timer = clock.after(limitMs, () => void setImmediate(late));
    let over = false;
    function ended(error: Error | null, socket: TLSSocket | null): void {
      if (over) return void socket?.destroy();
      over = true;
      timer.cancel();
      callback(error, socket);
    }
    this.#begin(dialing);
  }

  #begin(dialing: Dialing): void {
    const { trust } = this.#options;
    void trust.check().then(() => {
      if (trust.context === undefined) dialing.end(this.#unusable(), null);
      else this.#connect(trust.context, dialing);
    });
  }

  #connect(secureContext: NonNullable<Trust["context"]>, dialing: Dialing): void {
    const { trust, connection } = this.#options;
    const { generation } = trust;
    const used = this.#usable(generation);
    let socket: TLSSocket;
    try {
      socket = this.#open(secureContext, used?.session);
    } catch (error) {
      return dialing.end(error as Error, null); // an address that is none
    }
    dialing.socket = socket;
    dialing.missing = "no connection";
    const failed = (error: Error): void => {
      this.#ticket = undefined;
      dialing.end(dialing.missing === HANDSHAKE ? this.#explained(error) : error, null);
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      dialing.missing = HANDSHAKE;
    });
    // TLS 1.2 gives the ticket before the server is verified, TLS 1.3 later and more than one.
    let early: Buffer | undefined;
    let keep = (session: Buffer): void => {
      early = session;
    };
    socket.on("session", (session) => keep(session));
    socket.once("secureConnect", () => {
      socket.removeListener("error", failed);
      const validTo = used !== undefined && socket.isSessionReused() ? used.validTo : validToOf(socket);
      keep = (session) => {
        this.#ticket = { session, generation, validTo };
      };
      if (early !== undefined) keep(early);
      if (connection.protocol === "http2" && socket.alpnProtocol !== "h2") {
        socket.on("error", () => {}).destroy();
        return dialing.end(
          this.#explained(Object.assign(new Error("no HTTP/2 was agreed on"), { code: NO_ALPN })),
          null,
        );
      }
      if (generation === this.#options.trust.generation) {
        this.verifiedBy = Math.min(this.verifiedBy, generation);
        return dialing.end(null, socket);
      }
      socket.on("error", () => {}).destroy(); // files changed meanwhile, and it was verified by the old ones
      this.#begin(dialing);
    });
  }

  #open(secureContext: NonNullable<Trust["context"]>, session: Buffer | undefined): TLSSocket {
    const { tls, serverName, connection } = this.#options;
    const options = {
      ...this.#address(),
      secureContext,
      servername: isIP(serverName) === 0 ? serverName : "", // RFC 6066 allows no address
      ALPNProtocols: [...ALPN[connection.protocol === "http2" ? "http2" : "http1"]],
      rejectUnauthorized: !tls.insecureSkipVerify,
      checkServerIdentity: (_: string, { raw }: PeerCertificate) => this.#judge(raw),
      ...(session && { session }),
      highWaterMark: HIGH_WATER_MARK, // of the stream, which the types do not tell of
    };
    return connect(options).setNoDelay(true).setKeepAlive(true, keepAliveDelay(connection));
  }

  /** Never throws: Node would end the process. */
  #judge(certificate: Buffer): Error | undefined {
    const { tls, serverName } = this.#options;
    if (tls.insecureSkipVerify) return undefined;
    try {
      return wrongPeer(certificate, tls, serverName);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #address(): ConnectionOptions {
    const { address, port } = this.#options.of.endpoint;
    return address.startsWith(UNIX)
      ? { path: address.slice(UNIX.length) }
      : { host: address, port, ...{ autoSelectFamilyAttemptTimeout: addressMs() } }; // left out of the types
  }

  #usable(generation: number): Ticket | undefined {
    const ticket = this.#ticket;
    if (ticket === undefined) return undefined;
    return ticket.generation === generation && ticket.validTo > this.#options.clock.wallTime() ? ticket : undefined;
  }

  /** What the server was asked for and who decides what is right: the error itself says what is wrong. */
  #explained(error: Error): Error {
    const { tls, serverName } = this.#options;
    const code = errorCode(error);
    const roots = tls.caCertificates === "" ? "Node's roots" : tls.caCertificates;
    const hint = HINTS[code] ?? "";
    const message = `TLS as "${serverName}" by ${roots} failed: ${error.message}${hint === "" ? "" : ` (${hint})`}; see ${tlsSource(tls)}`;
    return Object.assign(new Error(message, { cause: error }), code !== "" && { code });
  }

  #unusable(): MeshError {
    const { tls, trust, of } = this.#options;
    const { file, why = "cannot be used" } = trust.failure ?? {};
    const field = file === undefined ? "" : `.${file.field}`;
    return new MeshError(
      "TLS_UNAVAILABLE",
      `nothing was sent to ${of.endpoint.id}: ${file?.path ?? "a file"} ${why}, and ${tlsSource(tls)}${field} asks for it. Put it where this process runs, or correct the field`,
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

function validToOf(socket: TLSSocket): number {
  const text = socket.getPeerX509Certificate()?.validTo;
  return text === undefined ? 0 : Date.parse(text);
}
