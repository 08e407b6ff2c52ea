/** One guarded GET: bounded in time and size, to permitted addresses only, and to nowhere else afterwards. */

import { lookup as systemLookup } from "node:dns";
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { Clock } from "@inmesh/core";
import { withoutBrackets } from "@inmesh/core/internal";
import type { AddressGuard } from "./address-guard.js";

/** As node:http and node:https make requests: outside of any mesh. */
export interface RequestFunctions {
  readonly http: (url: URL, options: RequestOptions) => ClientRequest;
  readonly https: (url: URL, options: RequestOptions) => ClientRequest;
}

export interface FetchOptions {
  readonly clock: Clock;
  readonly guard: AddressGuard;
  /** Of the whole, name resolution to last byte. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** @default those of Node */
  readonly functions?: RequestFunctions | undefined;
  /** As `dns.lookup` with `all`. @default the system's resolver */
  readonly lookup?: typeof systemLookup | undefined;
}

/** Key sets are a few KB, some carry certificates. */
const MOST_BYTES = 512 * 1024;

/** @throws in words for the operator, without query, user and password of the address */
export function fetchText(address: string, options: FetchOptions): Promise<string> {
  const { clock, guard, timeoutMs, signal, functions = { http: httpRequest, https: httpsRequest } } = options;
  return new Promise((resolve, reject) => {
    const url = parseAddress(address);
    if (typeof url === "string") return reject(new Error(url));
    const host = withoutBrackets(url.hostname);
    // Of an address nobody asks the resolver, so it is judged here.
    if (isIP(host) !== 0 && !guard.permits(host)) return reject(new Error(forbidden(host)));
    const request = (url.protocol === "https:" ? functions.https : functions.http)(url, {
      agent: false, // a connection of its own, made to the address judged
      lookup: guardedLookup(guard, options.lookup ?? systemLookup),
      headers: { accept: "application/json", "accept-encoding": "identity", "user-agent": "inmesh" },
    });
    const timer = clock.after(timeoutMs, () => end(new Error(`no answer within ${timeoutMs} ms`)));
    const abort = (): void => end(new Error("the mesh was closed"));
    signal.addEventListener("abort", abort, { once: true });
    const end = (error: Error | undefined, text = ""): void => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
      if (error === undefined) return resolve(text);
      reject(error);
      request.destroy();
    };
    request.on("error", (error: NodeJS.ErrnoException) => end(plain(error)));
    request.on("response", (response: IncomingMessage) => collect(response, end));
    request.end();
  });
}

/** For people and logs. */
export function shownAddress(address: string): string {
  const url = parseAddress(address);
  return typeof url === "string" ? "an address that cannot be read" : `${url.protocol}//${url.host}${url.pathname}`;
}

function parseAddress(address: string): URL | string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return "the address cannot be read; expected one such as https://issuer.example/keys";
  }
  return url.protocol === "https:" || url.protocol === "http:" ? url : "the address is neither http nor https";
}

function collect(response: IncomingMessage, end: (error: Error | undefined, text?: string) => void): void {
  const { statusCode = 0 } = response;
  if (statusCode !== 200) {
    response.resume();
    return end(
      new Error(
        statusCode >= 300 && statusCode < 400
          ? `it redirects (${statusCode}), which is not followed`
          : `status ${statusCode}`,
      ),
    );
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) end(new Error(`more than ${MOST_BYTES} bytes`));
    else chunks.push(chunk);
  });
  response.on("error", (error) => end(plain(error)));
  response.on("end", () => end(undefined, Buffer.concat(chunks).toString("utf8")));
}

/** Only what is permitted is given to connect to. */
function guardedLookup(guard: AddressGuard, lookup: typeof systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "");
      const permitted = found.filter(({ address }) => guard.permits(address));
      const [first] = permitted;
      if (first === undefined) return callback(new Error(forbidden(found[0]?.address ?? hostname)), "");
      if (options.all === true) callback(null, permitted);
      else callback(null, first.address, first.family);
    });
  };
}

function forbidden(address: string): string {
  return `${address} is this machine's, this link's or a metadata service's, and keys are not fetched from there unless jwksAllow (INMESH_JWKS_ALLOW) names it`;
}

/** Node's messages hold addresses, and nothing else of the request. */
function plain(error: NodeJS.ErrnoException): Error {
  return new Error(error.message || error.code || "the connection failed");
}
