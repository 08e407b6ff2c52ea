/**
 * Asks endpoints how they are: a connection of its own each time, over TLS where calls go over TLS. Straight on sockets: the
 * mesh may have replaced Node's `http`, and a check is none of its calls.
 */

import { connect as connectTcp, type Socket } from "node:net";
import { type Clock, type Identity, systemRandom } from "@inmesh/core";
import {
  errorCode,
  type HealthFinding,
  type HealthProbe,
  type HealthProber,
  type HealthTarget,
  isMeshTls,
  isSecured,
  meshServerName,
} from "@inmesh/core/internal";
import type { Endpoint, HealthCheckPolicy } from "@inmesh/model";
import { UNIX } from "../client/endpoint-connector.js";
import { Dialer } from "../client/tls/dial.js";
import { Handshakes } from "../client/tls/handshakes.js";
import { type Trust, Trusts } from "../client/tls/trust.js";
import { askGrpcHealth } from "./grpc-health-question.js";

/** A head that has no first line by then is no HTTP. In bytes. */
const MOST_OF_LINE = 1_024;
/** RFC 9112 §4. Informational answers are followed by another. */
const STATUS_LINE = /^HTTP\/1\.[01] ([2-5]\d\d)(?: |$)/;

/** Would end the line. */
const UNSENDABLE = /[\0-\x20\x7f]/;

export interface HttpHealthProberOptions {
  readonly clock: Clock;
  /** As of HttpTransport. */
  readonly identity?: Identity | undefined;
  readonly tickets?: boolean;
  /** Told of a file that turned bad while it was in use. @default nobody hears it */
  readonly onNotice?: (message: string) => void;
}

export class HttpHealthProber implements HealthProber {
  readonly #clock: Clock;
  readonly #trusts: Trusts;
  readonly #handshakes: Handshakes;
  readonly #hasIdentity: boolean;

  constructor({ clock, identity, tickets = true, onNotice = () => {} }: HttpHealthProberOptions) {
    this.#clock = clock;
    this.#trusts = new Trusts({ clock, identity, notice: onNotice });
    this.#handshakes = new Handshakes(clock, tickets);
    this.#hasIdentity = identity !== undefined;
  }

  open(target: HealthTarget): HealthProbe | string {
    const { tls, connection, healthCheck } = target.cluster.policy;
    if (healthCheck !== undefined && UNSENDABLE.test(healthCheck.path + healthCheck.authority)) {
      return "path and host of a check are sent as they are, and may hold no blanks and no control characters";
    }
    if (tls.refusal !== "") return `calls go over TLS by ${tls.refusal}, which cannot be had`;
    if (connection.protocol === "http2" && healthCheck?.kind === "http") {
      return "its endpoints speak HTTP/2 and http checks speak HTTP/1.1; use a grpc or tcp check, or the port of another listener";
    }
    const inPlaintext = plain(target);
    if (tls.mode === "DISABLE" && tls.auto !== true) return new SocketProbe(target, inPlaintext);
    const trust = this.#trusts.use(tls);
    const overTls = this.#overTls(target, trust);
    // An endpoint may become a member of the mesh while it is checked.
    const connect: Connect = (done) =>
      isSecured(tls, target.of.endpoint, this.#hasIdentity) ? overTls(done) : inPlaintext(done);
    return new SocketProbe(target, connect, () => this.#trusts.leave(trust));
  }

  #overTls(target: HealthTarget, trust: Trust): Connect {
    const { host, policy } = target.cluster;
    const { tls, connection, healthCheck } = policy;
    const ofHost = isMeshTls(tls)
      ? meshServerName(target.cluster)
      : healthCheck?.authority.replace(/:\d*$/, "") || host;
    const serverName = tls.sni || ofHost;
    const of = {
      get endpoint() {
        return whereToAsk(target);
      },
    };
    // Nobody waits for longer, and a handshake under way would keep the process alive.
    const connectTimeoutMs = Math.min(connection.connectTimeoutMs, healthCheck?.timeoutMs ?? Number.POSITIVE_INFINITY);
    const limited = {
      ...connection,
      connectTimeoutMs,
      ...(healthCheck?.kind === "grpc" && { protocol: "http2" as const }),
    };
    const shared = { clock: this.#clock, random: systemRandom, handshakes: this.#handshakes };
    const dialer = new Dialer({ ...shared, of, tls, trust, serverName, connection: limited });
    return (done) => {
      dialer.dial((error, socket) => (socket === null ? done(error as Error) : done(socket)));
      return undefined;
    };
  }
}

/**
 * @param done called once, with a connection or with why there is none
 * @returns the socket that is connecting, where it may be destroyed before that
 */
type Connect = (done: (result: Socket | Error) => void) => Socket | undefined;

function whereToAsk({ of, cluster }: HealthTarget): Endpoint {
  const port = cluster.policy.healthCheck?.port || of.endpoint.port;
  return port === of.endpoint.port ? of.endpoint : { ...of.endpoint, port };
}

function plain(target: HealthTarget): Connect {
  return (done) => {
    const { address, port } = whereToAsk(target);
    const socket = address.startsWith(UNIX)
      ? connectTcp({ path: address.slice(UNIX.length) })
      : connectTcp({ host: address, port });
    const failed = (error: Error): void => done(error);
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.removeListener("error", failed);
      done(socket);
    });
    return socket.unref();
  };
}

class SocketProbe implements HealthProbe {
  readonly #policy: HealthCheckPolicy;
  readonly #authority: string;
  readonly #connect: Connect;
  readonly #onClose: () => void;

  constructor({ cluster }: HealthTarget, connect: Connect, onClose: () => void = () => {}) {
    this.#policy = cluster.policy.healthCheck!; // only such clusters are checked
    this.#authority = this.#policy.authority || cluster.host;
    this.#connect = connect;
    this.#onClose = onClose;
  }

  ask(done: (finding: HealthFinding) => void): () => void {
    let over = false;
    let open: Socket | undefined;
    const end = (finding: HealthFinding | undefined): void => {
      if (over) return;
      over = true;
      open?.destroy();
      if (finding !== undefined) done(finding);
    };
    open = this.#connect((result) => {
      if (result instanceof Error) return end({ well: false, found: failureText(result) });
      open = result;
      result.on("error", (error) => end({ well: false, found: failureText(error) }));
      result.unref();
      if (over) result.destroy();
      else if (this.#policy.kind === "tcp") end({ well: true, found: "connected" });
      else if (this.#policy.kind === "grpc") askGrpcHealth(result, this.#authority, this.#policy.service ?? "", end);
      else this.#request(result, end);
    });
    return () => end(undefined);
  }

  close(): void {
    this.#onClose();
  }

  #request(socket: Socket, end: (finding: HealthFinding) => void): void {
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      head += chunk.toString("latin1");
      const finding = this.#read(head);
      if (finding !== undefined) end(finding);
    });
    socket.once("close", () => end({ well: false, found: "closed without an answer" }));
    socket.write(
      `GET ${this.#policy.path} HTTP/1.1\r\nhost: ${this.#authority}\r\nuser-agent: inmesh-health-check\r\nconnection: close\r\n\r\n`,
    );
  }

  /** Undefined while more is to come. */
  #read(head: string): HealthFinding | undefined {
    const lines = head.split("\r\n");
    const line = lines.slice(0, -1).find((each) => STATUS_LINE.test(each));
    if (line !== undefined) {
      const status = Number(STATUS_LINE.exec(line)?.[1]);
      return {
        well: this.#policy.statuses.some(([first, last]) => status >= first && status <= last),
        found: `${status}`,
      };
    }
    const begun = lines[0]!; // splitting yields one at least
    const isHttp = "HTTP/1.".startsWith(begun.slice(0, 7));
    return isHttp && head.length <= MOST_OF_LINE ? undefined : { well: false, found: "an answer that is no HTTP/1.1" };
  }
}

function failureText(error: Error): string {
  const code = errorCode(error);
  return code === "" || error.message.includes(code) ? error.message : `${error.message} (${code})`;
}
