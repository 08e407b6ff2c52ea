/**
 * One question to a process over a connection of its own: a command ends, so none is worth keeping. In plaintext by HTTP/1.1; over
 * mTLS by what the application's port speaks, which for gRPC is HTTP/2 and nothing else.
 */

import { type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import type { Readable } from "node:stream";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import type { Target } from "./admin-target.js";

export interface Question {
  readonly method: string;
  /** Without the target's prefix. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  /** Must be read, or destroyed. */
  readonly body: Readable;
}

const PROTOCOLS = ["http/1.1", "h2"];

/** @param signal ends it, also while the body comes @throws its reason, or what the connection says */
export async function exchange(target: Target, question: Question, signal: AbortSignal): Promise<Answer> {
  signal.throwIfAborted();
  if (target.tls === undefined) return overHttp1(target, question, signal);
  const socket = await secured(target, signal);
  if (socket.alpnProtocol === "h2") return overHttp2(target, socket, question, signal);
  return overHttp1(target, question, signal, socket);
}

function overHttp1(
  { host, port, socketPath, prefix = "" }: Target,
  { method, path, headers }: Question,
  signal: AbortSignal,
  socket?: TLSSocket,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({
      ...(socketPath === undefined ? { host, port } : { socketPath }),
      ...{ method, headers, path: `${prefix}${path}` },
      ...(socket === undefined ? { agent: false as const } : { createConnection: () => socket }),
    });
    const abort = (): void => void call.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    call.on("close", () => signal.removeEventListener("abort", abort));
    call.on("error", reject);
    call.on("response", (body: IncomingMessage) => {
      // Cut off while its body comes: the reason is told by the body, too.
      call.on("error", (error) => body.destroy(error));
      body.once("close", () => socket?.destroy());
      resolve({ status: body.statusCode ?? 0, body });
    });
    call.end();
  });
}

function overHttp2(
  { host = "", port = "", prefix = "" }: Target,
  socket: TLSSocket,
  { method, path, headers }: Question,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const session: ClientHttp2Session = connect(`https://${authority}`, { createConnection: () => socket });
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": `${prefix}${path}`, ...headers });
    const abort = (): void => void stream.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    stream.on("error", reject);
    stream.on("response", ({ ":status": status = 0 }) => resolve({ status, body: stream }));
    stream.once("close", () => {
      signal.removeEventListener("abort", abort);
      session.destroy();
    });
  });
}

function secured({ host, port, tls }: Target, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ ...tls, host, port: Number(port), ALPNProtocols: PROTOCOLS });
    const abort = (): void => void socket.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const done = (): void => signal.removeEventListener("abort", abort);
    socket.once("error", (error) => {
      done();
      reject(error);
    });
    socket.once("secureConnect", () => {
      done();
      resolve(socket);
    });
  });
}
