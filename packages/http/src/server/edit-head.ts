/** What access control changes of a request before the application sees it: its path, its host, and lines of its head. */

import type { IncomingMessage } from "node:http";
import type { Passage } from "@inmesh/core";
import { hideHeaders } from "./inbound-headers.js";
import type { RequestHead } from "./request-head.js";

/** Of HTTP/1.1. */
export function editRequest(request: IncomingMessage, { target, authority, remove, set }: Passage): void {
  const { url } = request;
  if (url !== target) {
    const framed = request as { originalUrl?: string };
    // A framework that came first has kept the target as it was, and what comes later goes by that.
    if (framed.originalUrl === url) framed.originalUrl = target;
    request.url = target;
  }
  if (authority !== undefined) replaceLines(request, ["host"], ["host", authority]);
  if (remove.length > 0 || set.length > 0) replaceLines(request, remove, set);
}

/** Of HTTP/2, where method, path and host are lines, too. */
export function editStream(head: RequestHead, { target, remove, set }: Passage): void {
  const isConnect = head.headers[":method"] === "CONNECT";
  if (!isConnect && head.headers[":path"] !== target) {
    head.headers[":path"] = target;
    const at = head.rawHeaders.indexOf(":path");
    if (at >= 0) head.rawHeaders[at + 1] = target;
  }
  if (remove.length > 0 || set.length > 0) replaceLines(head, remove, set);
}

/** @param set in lower case, flat: they replace lines of the same names */
export function setLines(head: RequestHead, set: readonly string[]): void {
  if (set.length > 0) replaceLines(head, [], set);
}

/** @param set in lower case, flat: they replace lines of the same names */
function replaceLines(head: RequestHead, remove: readonly string[], set: readonly string[]): void {
  const names = new Set(remove);
  for (let index = 0; index < set.length; index += 2) names.add(set[index]!); // flat pairs
  hideHeaders(head, (name) => names.has(name) || names.has(name.toLowerCase()));
  const { headers, headersDistinct, rawHeaders } = head; // the view of each line is made of what is left
  for (let index = 0; index < set.length; index += 2) {
    const [name = "", value = ""] = [set[index], set[index + 1]];
    const before = headers[name];
    headers[name] = typeof before === "string" ? `${before}, ${value}` : value;
    if (headersDistinct !== undefined) headersDistinct[name] = [...(headersDistinct[name] ?? []), value];
    rawHeaders.push(name, value);
  }
}
