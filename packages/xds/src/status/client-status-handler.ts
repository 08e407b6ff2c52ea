/** envoy.service.status.v3.ClientStatusDiscoveryService over HTTP/2, in few lines: requests are small, and there are two methods. */

import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { messageOf } from "@inmesh/core";
import { grpcMessageText } from "@inmesh/core/internal";
import { type ClientStatus, clientStatusResponse, readClientStatusRequest } from "./client-status.js";

export interface ClientStatusPorts {
  /** Why whoever asks is not answered, with an HTTP status: 401 or 403; undefined: they are. */
  readonly judge: (
    socket: Socket,
    headers: IncomingHttpHeaders,
  ) => { readonly status: number; readonly reason: string } | undefined;
  /** Undefined: there is no control plane. */
  readonly status: () => ClientStatus | undefined;
}

const SERVICE = "/envoy.service.status.v3.ClientStatusDiscoveryService/";
const [FETCH, STREAM] = [`${SERVICE}FetchClientStatus`, `${SERVICE}StreamClientStatus`];
const MOST_BYTES = 64 * 1024;

/** google.rpc.Code */
const CODES = {
  ...{ ok: 0, invalidArgument: 3, permissionDenied: 7, resourceExhausted: 8, unimplemented: 12, unauthenticated: 16 },
};

/** For event `stream` of an HTTP/2 server. */
export function clientStatusHandler(
  ports: ClientStatusPorts,
): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void {
  return (stream, headers) => answer(ports, stream, headers);
}

function answer(ports: ClientStatusPorts, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  stream.on("error", () => {}); // the caller is gone
  const path = String(headers[":path"] ?? "");
  const { socket } = stream.session ?? {};
  const stranger = socket && ports.judge(socket, headers);
  if (stranger !== undefined)
    return end(stream, stranger.status === 401 ? CODES.unauthenticated : CODES.permissionDenied, stranger.reason);
  if (!String(headers["content-type"] ?? "").startsWith("application/grpc")) {
    stream.respond({ ":status": 415 }, { endStream: true });
    return;
  }
  if (path !== FETCH && path !== STREAM)
    return end(stream, CODES.unimplemented, `there is no ${path}; this is ${SERVICE.slice(1, -1)}`);
  let rest = Buffer.alloc(0);
  stream.on("data", (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (!stream.closed && rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (rest[0] !== 0) return end(stream, CODES.unimplemented, "compressed messages are not read");
      if (length > MOST_BYTES) return end(stream, CODES.resourceExhausted, `a request has at most ${MOST_BYTES} bytes`);
      if (rest.length < 5 + length) return;
      const message = rest.subarray(5, 5 + length);
      rest = rest.subarray(5 + length);
      if (!tell(ports, stream, message) || path === FETCH) return end(stream, CODES.ok, "");
    }
  });
  stream.on("end", () => end(stream, CODES.ok, ""));
}

/** @returns false: the stream was ended for what was asked */
function tell(ports: ClientStatusPorts, stream: ServerHttp2Stream, request: Uint8Array): boolean {
  let message: Uint8Array;
  try {
    const question = readClientStatusRequest(request);
    if (question.hasMatchers) throw new TypeError("node_matchers are not supported: there is one node here");
    message = clientStatusResponse(ports.status(), question);
  } catch (error) {
    end(stream, CODES.invalidArgument, messageOf(error));
    return false;
  }
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  begin(stream);
  stream.write(Buffer.concat([head, message]));
  return true;
}

function begin(stream: ServerHttp2Stream): void {
  if (!stream.headersSent)
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
}

/** Idempotent: the first word counts. */
function end(stream: ServerHttp2Stream, status: number, message: string): void {
  if (stream.closed || stream.writableEnded) return;
  begin(stream);
  stream.once("wantTrailers", () =>
    stream.sendTrailers({
      "grpc-status": `${status}`,
      ...(message !== "" && { "grpc-message": grpcMessageText(message) }),
    }),
  );
  stream.end();
}
