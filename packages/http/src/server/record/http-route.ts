/**
 * The pattern by which the application's router found who serves a request: `/users/:id`. Express says it on the request, others by
 * `noteRoute`. Patterns come from the application's source; what a caller wrote never gets into one.
 */

import { notedRoute } from "./note-route.js";

/** Of a process: an application that makes routes from what callers send must not fill the memory. */
const MOST_ROUTES = 1_000;
const LONGEST_CHARS = 200;
const known = new Set<string>();

/** @returns empty where nobody said it */
export function routeOf(carrier: object): string {
  const noted = notedRoute(carrier);
  return noted === undefined ? expressRoute(carrier as ExpressRequest) : interned(noted);
}

interface ExpressRequest {
  readonly route?: { readonly path?: unknown };
  readonly baseUrl?: unknown;
  readonly app?: { readonly _router?: Router; readonly router?: Router };
}

interface Router {
  readonly stack?: readonly Layer[];
}

/** Of Express 4 and 5. */
interface Layer extends Pick<Matched, "path" | "params"> {
  readonly handle?: Router;
  readonly route?: unknown;
  /** What was matched, or, before router 2.3, whether: then it is on the layer. */
  match?(path: string): boolean | Matched | undefined;
}

interface Matched {
  readonly path?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** As it was declared. */
  readonly pattern?: unknown;
}

function expressRoute({ route, baseUrl, app }: ExpressRequest): string {
  const path = textOf(route?.path);
  if (path === "") return "";
  if (typeof baseUrl !== "string" || baseUrl === "") return interned(path);
  const mount = mountPattern(routerOf(app)?.stack, baseUrl);
  return interned(mount + (path === "/" && mount !== "" ? "" : path));
}

/** In Express 4 the getter of `router` throws, to say that it is gone. */
function routerOf(app: ExpressRequest["app"]): Router | undefined {
  return app?._router ?? app?.router;
}

function textOf(path: unknown): string {
  if (typeof path === "string") return path;
  if (path instanceof RegExp) return String(path);
  return Array.isArray(path) ? path.map(textOf).join("|") : "";
}

/**
 * `baseUrl` is what the caller wrote where a router is mounted at `/users/:id`: parameters are written by their names again. Layers
 * keep what they matched last until they match anew, which they do before anybody reads it.
 */
function mountPattern(stack: readonly Layer[] | undefined, baseUrl: string): string {
  for (const layer of stack ?? []) {
    if (layer.route !== undefined || layer.handle?.stack === undefined) continue;
    const result = layer.match?.(baseUrl);
    if (!result) continue;
    const { path: matched = "", params = {}, pattern } = result === true ? (layer as Matched) : result;
    const rest = baseUrl.slice(matched.length);
    if (rest === baseUrl && rest !== "") {
      const inner = mountPattern(layer.handle.stack, baseUrl);
      if (inner !== "") return inner;
      continue;
    }
    const own = typeof pattern === "string" ? pattern : withNames(matched, params);
    if (rest === "" || rest === "/") return own;
    const inner = mountPattern(layer.handle.stack, rest);
    if (inner !== "") return own + inner;
  }
  return "";
}

function withNames(matched: string, params: Readonly<Record<string, unknown>>): string {
  const names = new Map(Object.entries(params).map(([name, value]) => [String(value), name]));
  return matched
    .split("/")
    .map((segment) => {
      const name = names.get(decoded(segment));
      return name === undefined ? segment : `:${name}`;
    })
    .join("/");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** @returns empty beyond the most */
function interned(pattern: string): string {
  if (known.has(pattern)) return pattern;
  if (known.size >= MOST_ROUTES || pattern.length > LONGEST_CHARS) return "";
  known.add(pattern);
  return pattern;
}
