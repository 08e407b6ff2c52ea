/** The body of a request, for those who look at it before the application: its caller may be waiting to be asked for it. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Readable } from "node:stream";
import type { RequestHead } from "./request-head.js";

const EXPECTS = /^100-continue$/i;

export function bodyOf(request: IncomingMessage, response: ServerResponse & { readonly _sent100?: boolean }): Readable {
  if (EXPECTS.test(request.headers.expect ?? "") && response._sent100 !== true) response.writeContinue();
  return request;
}

export function bodyOfStream(stream: ServerHttp2Stream, { headers }: RequestHead): Readable {
  const { expect } = headers;
  if (typeof expect === "string" && EXPECTS.test(expect) && !stream.headersSent) {
    stream.additionalHeaders({ ":status": 100 });
  }
  return stream;
}
