/** `request` and `get` of node:http and node:https, and `new ClientRequest`, for a whole process (experience.md §1.2). */

import http, { type ClientRequest } from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import type { HttpClient } from "../client/client.js";
import {
  findTarget,
  meshedFunctions,
  meshRequest,
  type RequestFunction,
  type Scheme,
  unmocked,
  watched,
  withoutListener,
} from "./http-functions.js";
import { MeshRequest } from "./mesh-request.js";
import { throughMock } from "./mock-passage.js";
import { replaceExport } from "./replace-export.js";

type Exports = Record<string, unknown>;

/** @returns undoes it, as far as nobody else has replaced the functions since */
export function patchHttp(client: HttpClient): () => void {
  const undos = [
    ...patchModule(http as unknown as Exports, "http:", client),
    ...patchModule(https as unknown as Exports, "https:", client),
    replaceExport(http as unknown as Exports, "ClientRequest", (original) =>
      classFor(original as RequestFunction, client),
    ),
  ];
  syncBuiltinESMExports();
  return () => {
    for (const undo of undos) undo();
    syncBuiltinESMExports();
  };
}

function patchModule(exports: Exports, scheme: Scheme, client: HttpClient): (() => void)[] {
  // Looked up with each request: a mock that goes brings another function to light.
  const originals = { request: exports["request"] as RequestFunction, get: exports["get"] as RequestFunction };
  const { request, get } = meshedFunctions(client, originals, scheme);
  const over = (name: "request" | "get", ours: RequestFunction) =>
    replaceExport(exports, name, (original) => {
      originals[name] = original as RequestFunction;
      return ours;
    });
  return [over("request", request), over("get", get)];
}

/** `new http.ClientRequest(…)`, and `instanceof` for requests of both kinds. */
function classFor(original: RequestFunction, client: HttpClient): unknown {
  return new Proxy(original, {
    construct(target, args, newTarget) {
      const found = findTarget(client, args, "http:");
      if (found === undefined) {
        return watched(client, Reflect.construct(target, args, newTarget) as ClientRequest, args, "http:");
      }
      const make = (...given: unknown[]): ClientRequest => Reflect.construct(target, given) as ClientRequest;
      const mocked = throughMock(found.target, args, (options) => unmocked(client, found, options, make));
      if (mocked !== undefined) return Reflect.construct(target, mocked, newTarget);
      return meshRequest(client, found, () => make(...withoutListener(args)));
    },
    get(target, key, receiver) {
      if (key !== Symbol.hasInstance) return Reflect.get(target, key, receiver);
      return (value: unknown) =>
        value instanceof MeshRequest || Function.prototype[Symbol.hasInstance].call(target, value);
    },
  });
}
