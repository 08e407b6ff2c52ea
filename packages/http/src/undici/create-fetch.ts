/** `fetch` over the mesh: undici's, with our dispatcher unless the caller names another. */

import {
  type Dispatcher,
  Request,
  type RequestInfo,
  type RequestInit,
  type Response,
  fetch as undiciFetch,
} from "undici";

/** Takes what the global `fetch` takes, a global `Request` included. */
export type MeshFetch = (input: RequestInfo | globalThis.Request, init?: RequestInit) => Promise<Response>;

export function createFetch(dispatcher: Dispatcher): MeshFetch {
  return async (input, init) => {
    const own = isForeignRequest(input) ? adopt(input) : (input as RequestInfo);
    return undiciFetch(own, { dispatcher, ...init });
  };
}

/** Node's own `Request` is of another copy of undici, which npm's would read as a string. */
function isForeignRequest(input: unknown): input is globalThis.Request {
  return (
    typeof input === "object" &&
    input !== null &&
    !(input instanceof Request) &&
    (input as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Request"
  );
}

function adopt(request: globalThis.Request): Request {
  const { method, headers, body, signal, redirect, credentials, cache, mode, referrer, referrerPolicy, integrity } =
    request;
  const init = {
    method,
    headers: [...headers],
    body,
    signal,
    redirect,
    credentials,
    cache,
    referrer,
    referrerPolicy,
    integrity,
  };
  return new Request(request.url, {
    ...init,
    keepalive: request.keepalive,
    ...(mode !== "navigate" && { mode }),
    ...(body !== null && { duplex: "half" }),
  } as RequestInit);
}
