/** node:http and node:https by hand. */

import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import { pipeline, Readable } from "node:stream";
import { type Client, flat, type Incoming, type Outgoing } from "./client.js";

const TRAITS = { followsRedirects: false, decompresses: false, lacks: {} } as const;

type Ask = (url: string, options: RequestOptions, listener: (response: IncomingMessage) => void) => ClientRequest;

interface HttpRequestOptions {
  readonly options?: RequestOptions;
  /** @default node:http's, as it is when asked: a mesh may have patched it */
  readonly ask?: Ask;
  readonly lacks?: Client["lacks"];
}

export function httpRequest(name: string, { options = {}, ask, lacks = {} }: HttpRequestOptions = {}): Client {
  return { ...TRAITS, lacks, name, call: (outgoing) => send(ask ?? http.request, outgoing, options) };
}

export function httpGet(): Client {
  return {
    ...TRAITS,
    name: "http.get",
    lacks: { body: "http.get ends the request itself" },
    call: (outgoing) => send(http.get, outgoing, {}),
  };
}

/** Where TLS is spoken is the destination policy's affair, so the port is the service's plain one. */
export function httpsRequest(name: string, { options = {}, ask }: HttpRequestOptions = {}): Client {
  return {
    ...TRAITS,
    name,
    call: (outgoing) => {
      const url = new URL(outgoing.url);
      if (url.hostname === "127.0.0.1") return send(http.request, outgoing, {}); // bare, and no TLS server there
      const secure = `https://${url.hostname}:80${url.pathname}${url.search}`;
      return send(ask ?? https.request, { ...outgoing, url: secure }, options);
    },
  };
}

function send(ask: Ask, { url, method, headers, body, signal }: Outgoing, more: RequestOptions): Promise<Incoming> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, ...(signal && { signal }), ...more };
    const request = ask(url, options, (response) =>
      resolve({
        status: response.statusCode ?? 0,
        headers: flat(response.headers),
        body: response,
        trailers: () => flat(response.trailers),
      }),
    );
    request.on("error", reject);
    if (ask === http.get) return;
    if (body instanceof Readable) pipeline(body, request, () => {});
    else request.end(body);
  });
}
