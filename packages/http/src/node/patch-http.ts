/**
 * `request` and `get` of node:http and node:https, and `new ClientRequest`: a host of the mesh gets our ClientRequest,
 * any other the original function with the arguments as they came (experience.md §1.2).
 */

import http, { type ClientRequest } from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import type { HttpClient } from "../client/client.js";
import { isForwarded } from "../client/mark.js";
import type { Origin } from "../client/origin.js";
import { MeshRequest } from "./mesh-request.js";
import { type RequestTarget, requestTarget } from "./request-target.js";

type Request = (...args: unknown[]) => ClientRequest;
type Scheme = "http:" | "https:";

/** @returns undoes it, as far as nobody else has replaced the functions since */
export function patchHttp(client: HttpClient): () => void {
  const undos = [
    ...patchModule(http as unknown as Record<string, unknown>, "http:", client),
    ...patchModule(https as unknown as Record<string, unknown>, "https:", client),
    replace(http as unknown as Record<string, unknown>, "ClientRequest", (original) =>
      classFor(original as Request, client),
    ),
  ];
  syncBuiltinESMExports();
  return () => {
    for (const undo of undos) undo();
    syncBuiltinESMExports();
  };
}

function patchModule(exports: Record<string, unknown>, scheme: Scheme, client: HttpClient): (() => void)[] {
  const originals = { request: exports["request"] as Request, get: exports["get"] as Request };
  const through = (original: Request, args: unknown[]): ClientRequest => {
    const found = find(client, args, scheme);
    if (found === undefined) return original.apply(exports, args);
    return meshRequest(client, found, () => originals.request.apply(exports, withoutListener(args)));
  };
  const request: Request = (...args) => through(originals.request, args);
  const get: Request = (...args) => {
    const made = through(originals.get, args);
    if (made instanceof MeshRequest) made.end();
    return made;
  };
  Object.defineProperty(request, "name", { value: "request" });
  Object.defineProperty(get, "name", { value: "get" });
  return [replace(exports, "request", () => request), replace(exports, "get", () => get)];
}

/** `new http.ClientRequest(…)`, and `instanceof` for requests of both kinds. */
function classFor(original: Request, client: HttpClient): unknown {
  return new Proxy(original, {
    construct(target, args, newTarget) {
      const found = find(client, args, "http:");
      if (found === undefined) return Reflect.construct(target, args, newTarget);
      return meshRequest(client, found, () => Reflect.construct(target, withoutListener(args)) as ClientRequest);
    },
    get(target, key, receiver) {
      if (key !== Symbol.hasInstance) return Reflect.get(target, key, receiver);
      return (value: unknown) =>
        value instanceof MeshRequest || Function.prototype[Symbol.hasInstance].call(target, value);
    },
  });
}

interface Found {
  readonly origin: Origin;
  readonly target: RequestTarget;
}

function find(client: HttpClient, args: readonly unknown[], scheme: Scheme): Found | undefined {
  const target = requestTarget(args, scheme);
  if (target === undefined || isForwarded(target.options)) return undefined;
  const { host, port } = target;
  const origin = client.origins.get(`${scheme}//${host.includes(":") ? `[${host}]` : host}:${port}`);
  return origin === undefined || client.origins.judge(origin) === "pass" ? undefined : { origin, target };
}

function meshRequest(client: HttpClient, { origin, target }: Found, original: () => ClientRequest): ClientRequest {
  return new MeshRequest({ client, origin, target, original }) as unknown as ClientRequest;
}

function withoutListener(args: readonly unknown[]): unknown[] {
  const last = args.findLastIndex((each) => typeof each === "function");
  return last < 0 ? [...args] : args.filter((_, index) => index !== last);
}

function replace(exports: Record<string, unknown>, name: string, make: (original: unknown) => unknown): () => void {
  const original = exports[name];
  const made = make(original);
  exports[name] = made;
  return () => {
    if (exports[name] === made) exports[name] = original;
  };
}
