/** What somebody asked of `http.request`, in any of its argument forms, as far as a mesh needs to know it. */

import type { IncomingMessage, RequestOptions } from "node:http";
import { urlToHttpOptions } from "node:url";
import { isMockAgent } from "./mock-passage.js";

export type ResponseListener = (response: IncomingMessage) => void;
export type NodeOptions = RequestOptions & { readonly href?: string; readonly defaultPort?: number };

export interface RequestTarget {
  readonly options: NodeOptions;
  readonly listener: ResponseListener | undefined;
  /** `http:` or `https:`. */
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly method: string;
  readonly path: string;
}

/**
 * @returns undefined for what only Node can judge: connections of the caller's own, sockets by path, arguments that are
 *   wrong, agents that stand in for the network
 */
export function requestTarget(args: readonly unknown[], scheme: "http:" | "https:"): RequestTarget | undefined {
  const parsed = parseArguments(args);
  if (parsed === undefined) return undefined;
  const { options, listener } = parsed;
  const { socketPath, protocol = scheme, hostname, host, method = "GET", path = "/", agent } = options;
  if ((socketPath !== undefined && socketPath !== null) || bringsConnection(options)) return undefined;
  if (protocol !== scheme || isStandIn(agent)) return undefined;
  if (typeof method !== "string" || typeof path !== "string" || !isToken(method) || !isPath(path)) return undefined;
  const name = hostname ?? host ?? "localhost";
  const defaultPort = options.defaultPort ?? (scheme === "https:" ? 443 : 80);
  const port = Number(options.port ?? defaultPort) || defaultPort;
  if (typeof name !== "string" || !Number.isInteger(port)) return undefined;
  return { options, listener, protocol: scheme, host: name, port, method: method.toUpperCase(), path };
}

function parseArguments(
  args: readonly unknown[],
): { options: NodeOptions; listener: ResponseListener | undefined } | undefined {
  const [first, second, third] = args;
  let options: NodeOptions;
  let rest: unknown[];
  if (typeof first === "string" || first instanceof URL) {
    if (typeof first === "string" && !URL.canParse(first)) return undefined;
    const url = typeof first === "string" ? new URL(first) : first;
    const more = isOptions(second) ? second : {};
    options = { ...(urlToHttpOptions(url) as NodeOptions), ...more };
    rest = typeof second === "function" ? [second] : [third];
  } else {
    if (!isOptions(first)) return undefined;
    // Options may be inherited, and `{ ...options }` would lose them; nothing here writes to the object.
    options = first;
    rest = [second];
  }
  const [listener] = rest;
  return { options, listener: typeof listener === "function" ? (listener as ResponseListener) : undefined };
}

function isOptions(value: unknown): value is NodeOptions {
  return typeof value === "object" && value !== null;
}

/** Not what asks for an upgrade: ws names Node's own way to connect in each of its requests. */
function bringsConnection({ createConnection, headers }: NodeOptions): boolean {
  if (typeof createConnection !== "function") return false;
  const names = Array.isArray(headers) ? headers.flat() : Object.keys(headers ?? {});
  return !names.some((name) => String(name).toLowerCase() === "upgrade");
}

/**
 * Agents of mocks and egress proxies are there on purpose; other agents only keep connections, and so do we. A mock that
 * lets requests through to an agent of ours is met in mock-passage.ts.
 */
function isStandIn(agent: unknown): boolean {
  if (typeof agent !== "object" || agent === null) return false;
  const { name } = agent.constructor;
  return name.endsWith("ProxyAgent") || (name.startsWith("Mock") && !isMockAgent(agent));
}

/** RFC 9110 §5.6.2. */
function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

function isPath(path: string): boolean {
  return path.startsWith("/") && !/[^\u0021-\u00ff]/.test(path);
}
