/** Single calls of gRPC whose messages are bytes: to an authority, and to an agent on this machine. */

import type { CallOptions, ChannelCredentials, Client, Metadata, ServiceError } from "@grpc/grpc-js";
import { grpcJs, tlsCredentials } from "../grpc-js.js";

/** A server, and what it is shown. */
export interface CallServer {
  /** `host:port`, or `unix:/path`. */
  readonly address: string;
  /** Absent: plain text. PEM. */
  readonly tls?: {
    /** Absent: the system's. */
    readonly roots?: string;
    /** Of this process, leaf first. */
    readonly certificateChain?: string;
    readonly privateKey?: string;
    /** Expected in its certificate in place of the address's host. */
    readonly serverName?: string;
  };
  readonly headers?: Readonly<Record<string, string>>;
}

/** A call that failed, by the code that gRPC gives it (grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const asCame = (bytes: Buffer): Uint8Array => bytes;

/** @throws {CallError} @param deadlineMs wall ms */
export function callOnce(
  server: CallServer,
  path: string,
  request: Uint8Array,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const client = open(server);
    const options: CallOptions = { deadline: deadlineMs };
    const end = (error: Error | undefined, answer?: Uint8Array): void => {
      signal.removeEventListener("abort", abort);
      client.close();
      if (error !== undefined) reject(error);
      else resolve(answer ?? new Uint8Array());
    };
    const call = client.makeUnaryRequest(path, asIs, asCame, request, metadataOf(server), options, (error, answer) =>
      end(error === null ? undefined : failureOf(error, server), answer),
    );
    const abort = (): void => call.cancel();
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) call.cancel();
  });
}

export interface MessageListener {
  onMessage(bytes: Uint8Array): void;
  /** Once, last of all. */
  onEnd(error: CallError): void;
}

/** One request, and messages until the server ends them. @returns ends it; nothing is told any more */
export function callStream(
  server: CallServer,
  path: string,
  request: Uint8Array,
  { onMessage, onEnd }: MessageListener,
): () => void {
  const client = open(server);
  const call = client.makeServerStreamRequest(path, asIs, asCame, request, metadataOf(server));
  let ended = false;
  const end = (error: CallError | undefined): void => {
    if (ended) return;
    ended = true;
    client.close();
    if (error !== undefined) onEnd(error);
  };
  call.on("data", (bytes: Uint8Array) => {
    if (!ended) onMessage(bytes);
  });
  call.on("error", (error) => end(failureOf(error as ServiceError, server)));
  call.on("end", () => end(new CallError(0, `${server.address} ended the stream`)));
  return () => {
    end(undefined);
    call.cancel();
  };
}

function open(server: CallServer): Client {
  const { address, tls } = server;
  const name = tls?.serverName;
  return new (grpcJs().Client)(address, credentialsOf(tls), {
    "inmesh.exempt": 1, // no call of the application's
    "grpc.enable_retries": 0,
    "grpc.enable_channelz": 0,
    "grpc.use_local_subchannel_pool": 1, // the next call sees the next root
    "grpc.service_config_disable_resolution": 1,
    ...(name !== undefined && { "grpc.ssl_target_name_override": name, "grpc.default_authority": name }),
    // A socket's path is no host: HTTP/2 servers refuse it as one.
    ...(address.startsWith("unix:") && { "grpc.default_authority": "localhost" }),
  });
}

function credentialsOf(tls: CallServer["tls"]): ChannelCredentials {
  if (tls === undefined) return grpcJs().credentials.createInsecure();
  return tlsCredentials(tls.roots, tls.privateKey, tls.certificateChain);
}

function metadataOf({ headers = {} }: CallServer): Metadata {
  const metadata = new (grpcJs().Metadata)();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

function failureOf({ code, details, message }: ServiceError, { address }: CallServer): CallError {
  return new CallError(code, `${address} answered ${details || message}`);
}
