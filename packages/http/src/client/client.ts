/** The HTTP client side of one mesh: decides whose business a request is, and starts the calls that are the mesh's. */

import { stringify } from "node:querystring";
import { Call, type Engine, InboundContext, Tries } from "@inmesh/core";
import { type Origin, Origins } from "@inmesh/core/internal";
import type { Dispatcher } from "undici";
import { asWatched } from "../observe/as-watched.js";
import { UndiciWatcher } from "../observe/undici-watcher.js";
import { callerTimeoutMs } from "./caller-timeout.js";
import type { HttpExchange } from "./exchange.js";
import {
  type HeaderRecord,
  hasOptionsOf6,
  isNewShape,
  isOfUndici6,
  isOldShape,
  type NewHandler,
  type OldHandler,
  type PlainDispatcher,
  type RawHeaders,
  type RequestOptions,
  refusesOptionsOf6,
  triesAgain,
} from "./handler.js";
import { isForwarded } from "./mark.js";
import { NewShapeExchange } from "./new-shape.js";
import { Notices } from "./notices.js";
import { OldShapeExchange } from "./old-shape.js";
import { withOneLength } from "./one-length.js";
import { isForm, ownForm } from "./own-form.js";
import { readHeaders } from "./request-headers.js";
import type { Transport } from "./transport.js";
import type { Undici } from "./undici-module.js";

export interface HttpClientOptions {
  readonly engine: Engine;
  readonly transport: Transport;
  /** Called once, with the first request. */
  readonly undici: () => Undici;
  /** Takes what is none of the mesh's. @default a plain undici Agent, made when it is needed */
  readonly passThrough?: PlainDispatcher | undefined;
  /** Told what users of the clients should know. @default nobody hears it */
  readonly notices?: Notices | undefined;
}

export class HttpClient {
  readonly engine: Engine;
  readonly transport: Transport;
  readonly origins: Origins;
  readonly notices: Notices;
  /** Of handlers that dispatch one request several times. */
  readonly #tries = new WeakMap<object, Tries>();
  readonly #load: () => Undici;
  #undici: Undici | undefined;
  #plain: PlainDispatcher | undefined;
  readonly #watched = new UndiciWatcher(() => this);

  constructor({ engine, transport, undici, passThrough, notices = new Notices() }: HttpClientOptions) {
    this.engine = engine;
    this.transport = transport;
    this.notices = notices;
    this.#load = undici;
    this.#plain = passThrough;
    this.origins = new Origins(engine);
  }

  get undici(): Undici {
    this.#undici ??= this.#load();
    return this.#undici;
  }

  get plain(): PlainDispatcher {
    this.#plain ??= new this.undici.Agent() as unknown as PlainDispatcher;
    return this.#plain;
  }

  /** As undici's `dispatch`: a call of the mesh's, or passed on to `plain` as it is. */
  dispatch(asked: RequestOptions, handler: OldHandler | NewHandler, plain: PlainDispatcher = this.plain): boolean {
    const options = withOneLength(asked);
    const of6 = hasOptionsOf6(options);
    if (of6 && !isOfUndici6(plain)) {
      if (refusesOptionsOf6(handler)) return plain.dispatch(options, handler);
      return this.#asUndici6(options, handler, plain);
    }
    const origin = this.claims(options, options.origin);
    if (this.engine.onlyObserves) return this.#watched.during(() => plain.dispatch(options, handler));
    if (origin === undefined) return this.#passOn(options, handler, plain);
    // Where a redirect leads out of the mesh, undici 6 could not take what follows it here.
    return of6 ? this.#asUndici6(options, handler, this.plain) : this.start(origin, options, handler, plain);
  }

  /** An undici Dispatcher, with all its methods, over a `dispatch` function. */
  dispatcher(dispatch: PlainDispatcher["dispatch"]): Dispatcher {
    const made = new this.undici.Dispatcher();
    made.dispatch = dispatch as unknown as Dispatcher["dispatch"];
    return made;
  }

  /**
   * Where a request goes when the mesh takes it; undefined when it does not: the caller then does what it would have
   * done without us.
   */
  claims(options: RequestOptions, origin: string | URL | undefined): Origin | undefined {
    if (origin === undefined || isForwarded(options)) return undefined;
    const { path, method } = options;
    if (typeof path !== "string" || typeof method !== "string") return undefined;
    if (path.charCodeAt(0) !== SLASH && method !== "CONNECT") return undefined;
    const found = this.origins.get(origin);
    return found === undefined || !this.takes(found, method, path) ? undefined : found;
  }

  /** Whether the mesh takes a request to `origin`. */
  takes(origin: Origin, method: string, path: string): boolean {
    if (this.origins.judge(origin) !== "pass") return true;
    if (origin.rehearsed) this.engine.rehearsal.passed(asWatched(origin, method, path, undefined, []));
    return false;
  }

  /** Starts a call. What follows comes through `handler`, possibly before this returns. */
  start(origin: Origin, options: RequestOptions, handler: OldHandler | NewHandler, plain: PlainDispatcher): boolean {
    if (!isNewShape(handler) && !isOldShape(handler)) return plain.dispatch(options, handler); // undici says what is wrong
    const exchange: HttpExchange = isNewShape(handler)
      ? new NewShapeExchange(this, options, handler, plain)
      : new OldShapeExchange(this, options, handler, plain);
    const headers: string[] = [];
    let host: string | undefined;
    try {
      host = readHeaders(options.headers, headers, this.undici);
    } catch (error) {
      exchange.abort(error);
      return false;
    }
    exchange.call = new Call(
      exchange,
      options.method,
      origin.scheme,
      origin.host,
      origin.port,
      host ?? origin.authority,
      withQuery(options),
      headers,
    );
    const tries = options.tries ?? (triesAgain(handler) ? this.#triesOf(handler) : undefined);
    if (tries !== undefined) exchange.call.tries = tries;
    const timeoutMs = options.tellsTimeout === true ? callerTimeoutMs(headers) : undefined;
    if (timeoutMs !== undefined) {
      exchange.call.deadlineAt = this.engine.clock.now() + timeoutMs;
      exchange.call.deadlineInherited = true;
    }
    exchange.start();
    return true;
  }

  #passOn(options: RequestOptions, handler: OldHandler | NewHandler, plain: PlainDispatcher): boolean {
    if (!isForm(options.body) || !(plain instanceof this.undici.Dispatcher)) return plain.dispatch(options, handler);
    return plain.dispatch({ ...options, body: ownForm(options.body, () => this.undici) }, handler);
  }

  /** undici 6 followed redirects by an option that undici 7 refuses, and told dispatchers of one that they never needed. */
  #asUndici6(options: RequestOptions, handler: OldHandler | NewHandler, plain: PlainDispatcher): boolean {
    const { throwOnError: _, ...rest } = options;
    if (!rest.maxRedirections) return this.dispatch(rest, handler, plain);
    const once = this.dispatcher((each, its) => this.dispatch(each, its, plain));
    const redirecting = once.compose(this.undici.interceptors.redirect({ maxRedirections: rest.maxRedirections }));
    return redirecting.dispatch(rest as Dispatcher.DispatchOptions, handler as unknown as Dispatcher.DispatchHandler);
  }

  #triesOf(handler: object): Tries {
    const known = this.#tries.get(handler);
    if (known !== undefined) return known;
    const tries = new Tries();
    this.#tries.set(handler, tries);
    this.notices.once(RETRY_AGENT);
    return tries;
  }

  /** For a request made outside of any inbound one: what its end sets off may be the same request again. */
  newScope(): InboundContext {
    const scope = new InboundContext(Number.POSITIVE_INFINITY, []);
    scope.tries = new Tries();
    return scope;
  }

  abortError(): Error {
    return new this.undici.errors.RequestAbortedError();
  }

  parseHeaders(headers: RawHeaders): HeaderRecord {
    return this.undici.util.parseHeaders(headers as Buffer[]);
  }
}

const SLASH = 47;

const RETRY_AGENT =
  "undici's RetryAgent or retry interceptor is in front of the mesh, which retries by policy: its tries share the attempts of the rule, instead of multiplying them. Take it away, or leave retries to it by attempts: 0";

function withQuery({ path, query }: RequestOptions): string {
  if (query === undefined || query === null) return path;
  const text = stringify(query as Parameters<typeof stringify>[0]);
  return text === "" ? path : `${path}?${text}`;
}
