/**
 * The `consul` package's client, and what it lacks: calls it has no method for (config entries, Connect, any field it
 * drops) go over the same transport and come back with their status, headers and parsed body.
 */

import { EventEmitter } from "node:events";
import http from "node:http";
import https from "node:https";
import { withoutBrackets } from "@inmesh/core/internal";
import Consul from "consul";
import { connectionReason } from "./connection-reason.js";
import { ConsulError } from "./consul-error.js";
import { type ConsulTarget, shownTarget } from "./consul-target.js";
import { refusalAdvice } from "./refusal-advice.js";

export interface ConsulRequest {
  readonly method?: "GET" | "PUT" | "POST" | "DELETE";
  /** Below `/v1`, with a leading slash, each part encoded by `path`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number>>;
  /** Sent as it is when a Buffer, else as JSON. */
  readonly body?: unknown;
  /** For the whole exchange, in ms. @default 10_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Nobody waits for it: the process may end meanwhile. @default false */
  readonly background?: boolean;
}

export interface ConsulAnswer {
  /** 200, or 404 where that is an answer: nothing there. */
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Parsed JSON; a string where the answer is text; undefined where it is empty. */
  readonly body: unknown;
}

/** The transport that every call of the package goes over. */
interface Transport {
  _request(options: object): Promise<http.IncomingMessage & { body?: unknown }>;
  _ext(event: "onRequest", hook: (request: PendingRequest, next: () => void) => void): void;
}

interface PendingRequest {
  /** Absent of the package's calls that are made without one. */
  readonly ctx?: Context;
  transport: { request: typeof http.request };
}

interface ResponseError extends Error {
  /** The answer's body could not be decoded. */
  readonly isCodec?: boolean;
  readonly response?: http.IncomingMessage & { readonly body?: unknown };
}

const TIMEOUT_MS = 10_000;
/** Held questions have a connection each; of idle ones few are kept, as an agent takes 200 of one machine by default. */
const KEPT = { keepAlive: true, maxFreeSockets: 2 };

/** What the package carries along with a request; `cancel` ends it. */
class Context extends EventEmitter {
  readonly background: boolean;

  constructor(background: boolean) {
    super();
    this.background = background;
  }
}

export interface ConsulClientOptions {
  /**
   * Whether the server may be left with questions that it holds until something changes. It goes on holding one, and
   * counting its connection, when the asker is long gone: not for programs that end in a moment. @default true
   */
  readonly holds?: boolean;
  /** `request` of node:http and node:https. @default those of the modules when a request is made: a mock's, where one is in force */
  readonly functions?: RequestFunctions;
}

export interface RequestFunctions {
  readonly http: typeof http.request;
  readonly https: typeof https.request;
}

export class ConsulClient {
  readonly target: ConsulTarget;
  readonly holds: boolean;
  readonly #consul: Consul & Transport;
  readonly #agent: http.Agent;

  constructor(target: ConsulTarget, { holds = true, functions }: ConsulClientOptions = {}) {
    this.target = target;
    this.holds = holds;
    const { host, port, secure, token, tls } = target;
    const { ca, cert, key, serverName } = tls ?? {};
    this.#agent = secure
      ? new https.Agent({
          ...KEPT,
          ...(ca !== undefined && { ca }),
          ...(cert !== undefined && { cert }),
          ...(key !== undefined && { key }),
          ...(serverName !== undefined && { servername: serverName }),
        })
      : new http.Agent(KEPT);
    const named = host.includes(":") ? `[${host}]` : host;
    this.#consul = new Consul({
      ...{ host: named, port, secure, agent: this.#agent },
      ...(token !== undefined && { defaults: { token } }),
    }) as Consul & Transport;
    this.#consul._ext("onRequest", (request, next) => {
      const given = functions && { request: secure ? functions.https : functions.http };
      request.transport = noticingCuts(given ?? request.transport, request.ctx?.background === true);
      next();
    });
  }

  /** The package's own calls. */
  get api(): Consul {
    return this.#consul;
  }

  /** For display. */
  get shown(): string {
    return shownTarget(this.target);
  }

  /** @throws {ConsulError} but for 2xx and 404 */
  async ask({
    method = "GET",
    path,
    query = {},
    body,
    timeoutMs = TIMEOUT_MS,
    signal,
    background = false,
  }: ConsulRequest): Promise<ConsulAnswer> {
    const { token, dc } = this.target;
    try {
      const response = await cancellable({ signal, background }, (ctx) =>
        this.#consul._request({
          ...{ method, path, ctx, timeout: timeoutMs, name: `${method} ${path}` },
          headers: token === undefined ? {} : { "x-consul-token": token },
          query: { ...(dc !== undefined && { dc }), ...query },
          ...(body !== undefined && { body }),
        }),
      );
      return { status: response.statusCode ?? 200, headers: response.headers, body: response.body };
    } catch (error) {
      const response = (error as ResponseError).response;
      if (response?.statusCode === 404) return { status: 404, headers: response.headers, body: response.body };
      throw consulError(error as ResponseError, this);
    }
  }

  /**
   * One of the package's own calls, with what it takes beside its own arguments.
   * @throws {ConsulError} but for 2xx
   */
  async own<Result>(
    call: (api: Consul, common: { readonly ctx: EventEmitter; readonly timeout: number }) => Promise<Result>,
    { timeoutMs = TIMEOUT_MS, signal, background }: Pick<ConsulRequest, "timeoutMs" | "signal" | "background"> = {},
  ): Promise<Result> {
    try {
      return await cancellable({ signal, background }, (ctx) => call(this.#consul, { ctx, timeout: timeoutMs }));
    } catch (error) {
      throw consulError(error as ResponseError, this);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Parts of a path, each encoded. */
export function path(strings: TemplateStringsArray, ...parts: readonly string[]): string {
  return strings.reduce((made, text, index) => made + encodeURIComponent(parts[index - 1] ?? "") + text);
}

async function cancellable<Result>(
  {
    signal,
    background = false,
  }: { readonly signal: AbortSignal | undefined; readonly background: boolean | undefined },
  request: (ctx: Context) => Promise<Result>,
): Promise<Result> {
  const ctx = new Context(background);
  const cancel = (): void => void ctx.emit("cancel");
  if (signal?.aborted) throw new Error("the question was withdrawn", { cause: signal.reason });
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await request(ctx);
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** The package waits for the end of an answer, which never comes when the connection ends first. */
function noticingCuts(
  transport: { request: typeof http.request },
  background: boolean,
): { request: typeof http.request } {
  const request = (options: http.RequestOptions): http.ClientRequest => {
    // The package takes the name from a URL, where an IPv6 address has brackets; nobody can look that up.
    const { hostname } = options;
    const made = transport.request({ ...options, ...(hostname && { hostname: withoutBrackets(hostname) }) });
    if (background) made.on("socket", (socket) => socket.unref()); // the agent holds it again for the next request
    made.on("response", (response) => {
      response.on("error", () => {}); // said by `close`
      response.once("close", () => {
        if (!response.complete) made.emit("error", new CutOff());
      });
    });
    return made;
  };
  return { request: request as typeof http.request };
}

class CutOff extends Error {
  override readonly message = "the answer was cut off";
}

function consulError(error: ResponseError, { target, shown }: ConsulClient): ConsulError {
  const { response } = error;
  if (response === undefined) {
    const garbled = error instanceof CutOff || error.isCodec === true;
    const reason = error.isCodec === true ? "the answer is no JSON" : connectionReason(error, target);
    return new ConsulError(garbled ? "garbled" : "unreachable", `${shown}: ${reason}`, { cause: error });
  }
  const status = response.statusCode ?? 0;
  const text = textOf(response.body).trim().slice(0, 300);
  const kind = status >= 400 && status < 500 && status !== 429 ? "refused" : "failed";
  const said = `${shown} answered ${status}${text && `: ${text}`}${refusalAdvice(status, text, target)}`;
  return new ConsulError(kind, said, { status, cause: error });
}

/** Go's own server says no type of what it refuses. */
function textOf(body: unknown): string {
  if (Buffer.isBuffer(body)) return body.toString("utf8");
  return typeof body === "string" ? body : "";
}
