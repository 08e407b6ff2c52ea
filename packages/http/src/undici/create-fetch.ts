/** `fetch` over the mesh: undici's, with our dispatcher unless the caller names another. */

import {
  type Dispatcher,
  FormData,
  Request,
  type RequestInfo,
  type RequestInit,
  type Response,
  fetch as undiciFetch,
} from "undici";

export type FetchInit = Omit<RequestInit, "body"> & { readonly body?: RequestInit["body"] | globalThis.FormData };

/** As the global `fetch`, so that it can stand wherever `typeof fetch` is asked for; undici's own types are taken too. */
export interface MeshFetch {
  (input: string | URL | globalThis.Request, init?: globalThis.RequestInit): Promise<globalThis.Response>;
  (input: RequestInfo, init?: FetchInit): Promise<Response>;
}

export function createFetch(dispatcher: Dispatcher): MeshFetch {
  const fetch = async (input: RequestInfo | globalThis.Request, init?: FetchInit): Promise<Response> => {
    const own = isForeign(input, "Request", Request) ? adoptRequest(input as globalThis.Request) : input;
    const body = init?.body;
    const form = isForeign(body, "FormData", FormData) ? { body: adoptForm(body as globalThis.FormData) } : undefined;
    return undiciFetch(own as RequestInfo, { dispatcher, ...init, ...form } as RequestInit);
  };
  return fetch as MeshFetch; // two copies of the same WHATWG types, which the compiler tells apart
}

/** Node's own `Request` and `FormData` are of another copy of undici, which npm's would read as strings. */
function isForeign(value: unknown, tag: string, own: new (...args: never[]) => object): boolean {
  if (typeof value !== "object" || value === null || value instanceof own) return false;
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === tag;
}

function adoptForm(form: globalThis.FormData): FormData {
  const own = new FormData();
  for (const [name, value] of form) own.append(name, value);
  return own;
}

function adoptRequest(request: globalThis.Request): Request {
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
