/**
 * Says on a failed answer that calls made for it were tried more than once, so that the caller does not do so again
 * (docs/design/2026-11-27-retry-ledger.md). Only answers of requests with such a call are touched.
 */

import { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { isTriedLater, RETRIED_HEADER } from "@inmesh/core/internal";
import type { Answer } from "./inbound-request.js";
import { override } from "./override.js";
import { StreamAnswer } from "./stream-answer.js";

const TOLD = new WeakSet<Answer>();

/** @param retried asked when the head is written: a later try of the application's may have succeeded meanwhile */
export function tellRetried(answer: Answer, retried: () => number): void {
  if (TOLD.has(answer)) return;
  TOLD.add(answer);
  if (answer instanceof ServerResponse) onHead1(answer, retried);
  else if (answer instanceof StreamAnswer) onHead2(answer.stream, retried);
}

function onHead1(response: ServerResponse, retried: () => number): void {
  const { writeHead } = response;
  override(response, "writeHead", function (this: ServerResponse, status: number, ...rest: unknown[]) {
    const attempts = isTriedLater(status) ? retried() : 0;
    if (attempts > 0 && !this.headersSent) this.setHeader(RETRIED_HEADER, String(attempts));
    return Reflect.apply(writeHead, this, [status, ...rest]) as ServerResponse;
  } as ServerResponse["writeHead"]);
}

function onHead2(stream: ServerHttp2Stream, retried: () => number): void {
  const { respond } = stream;
  override(stream, "respond", function (this: ServerHttp2Stream, headers, options) {
    const attempts = isTriedLater(Number(headers?.[":status"])) ? retried() : 0;
    const told = attempts > 0 ? { ...headers, [RETRIED_HEADER]: String(attempts) } : headers;
    return respond.call(this, told, options);
  });
}
