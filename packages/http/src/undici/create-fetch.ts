/** `fetch` over the mesh: undici's, with our dispatcher unless the caller names another. */

import {
  type Dispatcher,
  Request,
  type RequestInfo,
  type RequestInit,
  type Response,
  fetch as undiciFetch,
} from "undici";
import { isForm, ownForm } from "../client/own-form.js";
import { importUndici } from "./import-undici.js";

export type FetchInit = Omit<RequestInit, "body"> & { readonly body?: RequestInit["body"] | globalThis.FormData };

/** As the global `fetch`, so that it can stand wherever `typeof fetch` is asked for; undici's own types are taken too. */
export interface MeshFetch {
  (input: string | URL | globalThis.Request, init?: globalThis.RequestInit): Promise<globalThis.Response>;
  (input: RequestInfo, init?: FetchInit): Promise<Response>;
}

export function createFetch(dispatcher: Dispatcher): MeshFetch {
  const fetch = async (input: RequestInfo | globalThis.Request, init?: FetchInit): Promise<Response> => {
    const own = isForeign(input) ? adoptRequest(input) : input;
    const form = isForm(init?.body) ? { body: ownForm(init?.body, importUndici) } : undefined;
    return undiciFetch(own, { dispatcher, ...init, ...form } as RequestInit);
  };
  return fetch as MeshFetch; // two copies of the same WHATWG types, which the compiler tells apart
}

/** Node's own `Request` is of another copy of undici, which npm's would read as a string. */
function isForeign(value: RequestInfo | globalThis.Request): value is globalThis.Request {
  if (typeof value !== "object" || value instanceof Request) return false;
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Request";
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
