/** Clients of fetch's shape. */

import { Readable } from "node:stream";
import ky from "ky";
import nodeFetch from "node-fetch";
import { type Client, flat, type Incoming, nothing, type Outgoing } from "./client.js";

interface FetchedResponse {
  readonly status: number;
  readonly headers: object;
  readonly body: unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: the fetches of four libraries, whose types are each other's only by name
type AnyFetch = (url: string, init: any) => Promise<FetchedResponse>;

const TRAITS = {
  followsRedirects: true,
  decompresses: true,
  lacks: { trailers: "fetch has no trailers API" },
} as const;

export function fetchClient(name: string, fetch: AnyFetch, more: object = {}): Client {
  return {
    ...TRAITS,
    name,
    async call({ url, method, headers, body, signal }: Outgoing): Promise<Incoming> {
      const sent = body instanceof Readable ? { body: Readable.toWeb(body), duplex: "half" } : { body };
      return incoming(await fetch(url, { method, headers, signal, ...sent, ...more }));
    },
  };
}

export function kyClient(more: object = {}): Client {
  return fetchClient("ky", ky as AnyFetch, { throwHttpErrors: false, retry: 0, timeout: false, ...more });
}

export function nodeFetchClient(more: object = {}): Client {
  return {
    ...TRAITS,
    name: "node-fetch",
    lacks: { trailers: "node-fetch has no trailers API" },
    async call({ url, method, headers, body = null, signal }) {
      return incoming(await nodeFetch(url, { method, headers, body, ...(signal && { signal }), ...more }));
    },
  };
}

function incoming({ status, headers, body }: FetchedResponse): Incoming {
  return { status, headers: flat(headers), body: (body as AsyncIterable<Uint8Array> | null) ?? nothing() };
}
