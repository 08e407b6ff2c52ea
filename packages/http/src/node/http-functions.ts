/**
 * `request` and `get` as node:http and node:https have them: a host of the mesh gets our ClientRequest, any other the
 * original function with the arguments as they came.
 */

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import http from "node:http";
import type { RequestOptions as SecureRequestOptions } from "node:https";
import https from "node:https";
import type { Origin } from "@inmesh/core/internal";
import type { HttpClient } from "../client/client.js";
import { isForwarded } from "../client/mark.js";
import { watchClientRequest } from "../observe/client-request-watcher.js";
import { MeshRequest } from "./mesh-request.js";
import { isStub, throughMock } from "./mock-passage.js";
import { type RequestTarget, requestTarget } from "./request-target.js";

export interface PlainFunctions {
  readonly http: typeof http.request;
  readonly https: typeof https.request;
}

/**
 * Those of node:http and node:https as they were when this was loaded: before the mesh puts its own in their place, and
 * before the mocks of a test do. For traffic that is nobody's business, such as that to the registry.
 */
export const PLAIN_FUNCTIONS: PlainFunctions = { http: http.request, https: https.request };

export type Scheme = "http:" | "https:";
export type RequestFunction = (...args: unknown[]) => ClientRequest;

type Listener = (response: IncomingMessage) => void;

/** As `http.request`, in all of its argument forms. */
export interface HttpRequestFunction<Options> {
  (options: string | URL | Options, listener?: Listener): ClientRequest;
  (url: string | URL, options: Options, listener?: Listener): ClientRequest;
}

/** As much of node:http, or node:https, as makes requests. Given to libraries that take such a module. */
export interface HttpFunctions<Options extends RequestOptions = RequestOptions> {
  readonly request: HttpRequestFunction<Options>;
  readonly get: HttpRequestFunction<Options>;
}

export function createHttp(client: HttpClient): HttpFunctions {
  return createFunctions(client, http, "http:") as HttpFunctions;
}

export function createHttps(client: HttpClient): HttpFunctions<SecureRequestOptions> {
  return createFunctions(client, https, "https:") as HttpFunctions<SecureRequestOptions>;
}

/** Looked up with each request: whoever patches node:http later gets what is none of this mesh's. */
function createFunctions(client: HttpClient, module: typeof http | typeof https, scheme: Scheme): object {
  const originals = {
    request: (...args: unknown[]) => (module.request as RequestFunction)(...args),
    get: (...args: unknown[]) => (module.get as RequestFunction)(...args),
  };
  return meshedFunctions(client, originals, scheme);
}

export function meshedFunctions(
  client: HttpClient,
  originals: { readonly request: RequestFunction; readonly get: RequestFunction },
  scheme: Scheme,
): { request: RequestFunction; get: RequestFunction } {
  const through = (original: RequestFunction, args: unknown[]): ClientRequest => {
    const found = findTarget(client, args, scheme);
    if (found === undefined) return watched(client, original(...args), args, scheme);
    if (isStub(original)) return original(...args);
    const mocked = throughMock(found.target, args, (options) => unmocked(client, found, options, originals.request));
    if (mocked !== undefined) return original(...mocked);
    return meshRequest(client, found, () => originals.request(...withoutListener(args)));
  };
  return {
    request: (...args) => through(originals.request, args),
    get: (...args) => {
      const made = through(originals.get, args);
      if (made instanceof MeshRequest) made.end();
      return made;
    },
  };
}

export interface FoundTarget {
  readonly origin: Origin;
  readonly target: RequestTarget;
}

/** @returns undefined for what is none of the mesh's */
export function findTarget(client: HttpClient, args: readonly unknown[], scheme: Scheme): FoundTarget | undefined {
  const target = requestTarget(args, scheme);
  if (target === undefined || isForwarded(target.options)) return undefined;
  const { host, port } = target;
  const origin = client.origins.get(`${scheme}//${host.includes(":") ? `[${host}]` : host}:${port}`);
  return origin === undefined || !client.takes(origin, target.method, target.path) ? undefined : { origin, target };
}

/** @returns the request, which is as Node made it; a process that only observes listens to it */
export function watched(
  client: HttpClient,
  request: ClientRequest,
  args: readonly unknown[],
  scheme: Scheme,
): ClientRequest {
  if (client.engine.onlyObserves) watchClientRequest(client, request, requestTarget(args, scheme));
  return request;
}

/** @param original makes the request as if there were no mesh, without its response listener */
export function meshRequest(
  client: HttpClient,
  { origin, target }: FoundTarget,
  original: () => ClientRequest,
): ClientRequest {
  return new MeshRequest({ client, origin, target, original }) as unknown as ClientRequest;
}

/** The call of a request that a mock has let through. */
export function unmocked(
  client: HttpClient,
  { origin, target: { host, port, protocol } }: FoundTarget,
  options: RequestOptions,
  original: RequestFunction,
): ClientRequest {
  const all = { ...options, host, port };
  const target = requestTarget([all], protocol as Scheme);
  return target === undefined ? original(all) : meshRequest(client, { origin, target }, () => original(all));
}

export function withoutListener(args: readonly unknown[]): unknown[] {
  const last = args.findLastIndex((each) => typeof each === "function");
  return last < 0 ? [...args] : args.filter((_, index) => index !== last);
}
