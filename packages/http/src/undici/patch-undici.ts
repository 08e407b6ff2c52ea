/**
 * Dispatchers that an application made itself: `new Agent()`, `new Pool(origin)`, those it installs globally. Every copy
 * of undici that is loaded gets its `dispatch` wrapped on the prototype that owns it. What the application chose on
 * purpose to stand in for the network stays in charge: mocks and proxies.
 */

import Module from "node:module";
import type { HttpClient } from "../client/client.js";
import {
  hasOptionsOf6,
  type NewHandler,
  type OldHandler,
  type PlainDispatcher,
  type RequestOptions,
} from "../client/handler.js";
import { FORWARDED, isForwarded, MOCKED } from "../client/mark.js";

type Dispatch = (this: object, options: RequestOptions, handler: OldHandler | NewHandler) => boolean;
interface DispatcherClass {
  prototype: { dispatch: Dispatch };
}
type Copy = Record<string, unknown>;

/** Those whose requests may be calls. `Agent` too, except in undici 6, which follows redirects in it. */
const CARRIERS = ["Client", "Pool", "BalancedPool", "RoundRobinPool"] as const;
const MOCKS = ["MockClient", "MockPool"] as const;
/** What these send through agents of their own inside is theirs too. */
const STAND_INS = ["SnapshotAgent", "ProxyAgent", "Socks5ProxyAgent"] as const;

interface ModuleInternals {
  _load(request: string, parent: unknown, isMain: boolean): unknown;
  _cache: Record<string, { exports: unknown } | undefined>;
}

/** @returns undoes it in every copy */
export function patchUndici(client: HttpClient): () => void {
  const internals = Module as unknown as ModuleInternals;
  const undos: (() => void)[] = [];
  const seen = new WeakSet<object>();
  const see = (loaded: unknown): void => {
    if (!isUndici(loaded) || seen.has(loaded)) return;
    seen.add(loaded);
    undos.push(...patchCopy(loaded, client));
  };
  for (const [file, module] of Object.entries(internals._cache)) {
    if (file.includes("undici")) see(module?.exports);
  }
  const load = internals._load;
  const hooked: ModuleInternals["_load"] = function (this: unknown, request, parent, isMain) {
    const loaded = load.call(this, request, parent, isMain);
    if (typeof request === "string" && request.includes("undici")) see(loaded);
    return loaded;
  };
  internals._load = hooked;
  return () => {
    if (internals._load === hooked) internals._load = load;
    for (const undo of undos) undo();
  };
}

function isUndici(loaded: unknown): loaded is Copy {
  if (typeof loaded !== "object" || loaded === null) return false;
  const { Dispatcher, Client, Agent, getGlobalDispatcher } = loaded as Copy;
  return [Dispatcher, Client, Agent, getGlobalDispatcher].every((each) => typeof each === "function");
}

function patchCopy(copy: Copy, client: HttpClient): (() => void)[] {
  const carriers = classes(copy, CARRIERS);
  const ofUndici6 = "createRedirectInterceptor" in copy;
  if (!ofUndici6) carriers.push(...classes(copy, ["Agent"]));
  const mocks = classes(copy, MOCKS);
  const origins = new WeakMap<object, string>();
  const wrap = (original: Dispatch): Dispatch =>
    function dispatch(options, handler) {
      if (!isObject(options) || isForwarded(options)) return original.call(this, options, handler);
      // A mock comes here with what it lets through, which then is a call like any other.
      if (MOCKED in options && !isOneOf(this, mocks)) return original.call(this, options, handler);
      const origin = options.origin ?? originOf(this, origins);
      const found = client.claims(options, origin);
      if (found === undefined || !isOneOf(this, carriers) || isOver(this)) {
        return original.call(this, options, handler);
      }
      const plain: PlainDispatcher = { dispatch: (o, h) => original.call(this, o, h), ofUndici6 };
      if (hasOptionsOf6(options)) return client.dispatch({ ...options, origin }, handler, plain);
      return client.start(found, options, handler, plain);
    };
  const mark =
    (symbol: symbol) =>
    (original: Dispatch): Dispatch =>
      function dispatch(options, handler) {
        return original.call(this, isObject(options) ? { ...options, [symbol]: true } : options, handler);
      };
  const owners = new Set(carriers.map(({ prototype }) => ownerOf(prototype)));
  return [
    ...[...owners].map((owner) => replace(owner, wrap)),
    ...classes(copy, STAND_INS).map(({ prototype }) => replace(prototype, mark(FORWARDED))),
    ...classes(copy, ["MockAgent"]).map(({ prototype }) => replace(prototype, mark(MOCKED))),
  ];
}

function replace(owner: { dispatch: Dispatch }, wrap: (original: Dispatch) => Dispatch): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, "dispatch");
  const wrapped = wrap(owner.dispatch);
  Object.defineProperty(owner, "dispatch", { value: wrapped, writable: true, configurable: true, enumerable: false });
  return () => {
    if (owner.dispatch !== wrapped) return;
    if (own === undefined) delete (owner as Partial<typeof owner>).dispatch;
    else Object.defineProperty(owner, "dispatch", own);
  };
}

function ownerOf(prototype: { dispatch: Dispatch }): { dispatch: Dispatch } {
  let owner = prototype;
  while (!Object.hasOwn(owner, "dispatch")) owner = Object.getPrototypeOf(owner);
  return owner;
}

function classes(copy: Copy, names: readonly string[]): DispatcherClass[] {
  return names.flatMap((name) => (typeof copy[name] === "function" ? [copy[name] as unknown as DispatcherClass] : []));
}

function isOneOf(dispatcher: object, kinds: readonly DispatcherClass[]): boolean {
  return kinds.some((kind) => Object.prototype.isPrototypeOf.call(kind.prototype, dispatcher));
}

/** A closed dispatcher refuses requests itself. */
function isOver(dispatcher: object): boolean {
  const { closed, destroyed } = dispatcher as { closed?: unknown; destroyed?: unknown };
  return closed === true || destroyed === true;
}

/** Clients and pools are made for one origin, which they keep under a symbol. @returns empty when there is none */
function originOf(dispatcher: object, known: WeakMap<object, string>): string {
  const cached = known.get(dispatcher);
  if (cached !== undefined) return cached;
  const symbol = Object.getOwnPropertySymbols(dispatcher).find(({ description }) => description === "url");
  const url = symbol === undefined ? undefined : (dispatcher as Record<symbol, unknown>)[symbol];
  const origin = url instanceof URL ? url.origin : "";
  known.set(dispatcher, origin);
  return origin;
}

function isObject(options: unknown): options is RequestOptions {
  return typeof options === "object" && options !== null;
}
