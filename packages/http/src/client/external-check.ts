/** Asks external authorizers, those of HTTP through the mesh's own client: their routes, limits, mTLS and retries are those of any call. */

import {
  type AuthorizerAnswer,
  type AuthorizerRequest,
  type AuthorizerTransport,
  authorizerRequest,
  authorizerVerdict,
  BODY_TOO_LARGE,
  type CheckedRequest,
  type ExternalCheck,
  type ExternalDenial,
  type ExternalPass,
  messageOf,
  silence,
  unaskable,
  unasked,
} from "@inmesh/core";
import type { ExternalAuthorizer } from "@inmesh/model";
import type { HttpClient } from "./client.js";
import { type Controller, isNewShape, type NewHandler, type PlainDispatcher } from "./handler.js";
import { decodeHeaders } from "./raw-headers.js";

export interface HttpExternalCheckOptions {
  readonly client: HttpClient;
  /** Whether a host is this process's own service: it would ask itself about each of its own questions. */
  readonly isOwn: (host: string) => boolean;
  /** For authorizers of that protocol. @default they cannot be asked */
  readonly grpc?: AuthorizerTransport;
  /** Told when an authorizer cannot be asked, and when it can again. */
  readonly onNotice: (message: string) => void;
}

const PASS: ExternalPass = { kind: "pass", remove: [], set: [], answer: [] };
/** Of an authorizer's answer. */
const MOST_BYTES = 1024 * 1024;

export class HttpExternalCheck implements ExternalCheck {
  readonly #options: HttpExternalCheckOptions;
  /** Names of authorizers that could not be asked last time. */
  readonly #silent = new Set<string>();

  constructor(options: HttpExternalCheckOptions) {
    this.#options = options;
  }

  async check(authorizer: ExternalAuthorizer, request: CheckedRequest): Promise<ExternalPass | ExternalDenial> {
    const { client, isOwn, grpc } = this.#options;
    const { host, port, body } = authorizer;
    const { arrival } = request;
    if (client.engine.onlyObserves) return PASS;
    if (client.engine.lookup(host, port) === undefined) {
      return unaskable(authorizer, `the mesh knows no service "${host}" with port ${port}`);
    }
    if (isOwn(host)) {
      return unaskable(authorizer, "it is this very service, which would ask itself: exclude it from the policy");
    }
    const overGrpc = authorizer.protocol === "grpc";
    if (overGrpc && grpc === undefined) return unaskable(authorizer, "this process asks nobody over gRPC");
    if (arrival.method === "CONNECT" && !overGrpc)
      return unaskable(authorizer, "over HTTP nobody can be asked about CONNECT");
    const start = body === undefined ? undefined : await arrival.body(body.maxBytes);
    if (start !== undefined && !start.complete && body?.allowPartial !== true) return BODY_TOO_LARGE;
    try {
      const verdict = await client.engine.contexts.run(arrival.context, () =>
        overGrpc && grpc !== undefined
          ? grpc.ask(authorizer, request, start)
          : this.#askHttp(authorizer, authorizerRequest(authorizer, request, start)),
      );
      this.#note(authorizer, undefined);
      return verdict;
    } catch (error) {
      const why = messageOf(error);
      this.#note(authorizer, why);
      return unasked(authorizer, why);
    }
  }

  async #askHttp(authorizer: ExternalAuthorizer, asked: AuthorizerRequest): Promise<ExternalPass | ExternalDenial> {
    return authorizerVerdict(authorizer, await this.#ask(authorizer, asked));
  }

  #ask({ host, port, timeoutMs }: ExternalAuthorizer, asked: AuthorizerRequest): Promise<AuthorizerAnswer> {
    const { client } = this.#options;
    const { method, path, headers, body } = asked;
    const origin = client.origins.get(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    return new Promise((resolve, reject) => {
      if (origin === undefined) return reject(new Error(`"${host}" with port ${port} is no address`));
      const answer = new Answer(resolve, reject);
      const timer = client.engine.clock.after(timeoutMs, () =>
        answer.abort(new Error(`no answer within ${timeoutMs} ms`)),
      );
      answer.over = () => timer.cancel();
      const options = { origin: `http://${host}:${port}`, method, path, headers, body: body.length > 0 ? body : null };
      client.start(origin, options, answer, NOWHERE);
    });
  }

  /** Says once that an authorizer is silent, and once that it is not any more. */
  #note({ name, failOpen }: ExternalAuthorizer, why: string | undefined): void {
    const { onNotice } = this.#options;
    if (why !== undefined && !this.#silent.has(name)) {
      this.#silent.add(name);
      onNotice(`${silence(name, why)}; requests that it should judge are ${failOpen ? "let in (failOpen)" : "denied"}`);
    } else if (why === undefined && this.#silent.delete(name)) onNotice(`the authorizer "${name}" answers again`);
  }
}

/** What is none of the mesh's any more goes to nobody: it was to be judged by a service of the mesh. */
const NOWHERE: PlainDispatcher = {
  dispatch(_options, handler) {
    if (isNewShape(handler))
      handler.onResponseError?.(undefined as unknown as Controller, new Error("the mesh does not know it any more"));
    return true;
  },
};

/** Collects an answer, within bounds. */
class Answer implements NewHandler {
  /** Called once at its end. */
  over: () => void = () => {};
  readonly #resolve: (answer: AuthorizerAnswer) => void;
  readonly #reject: (error: unknown) => void;
  readonly #chunks: Buffer[] = [];
  #controller: Controller | undefined;
  #status = 0;
  #headers: readonly string[] = [];
  #bytes = 0;

  constructor(resolve: (answer: AuthorizerAnswer) => void, reject: (error: unknown) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  abort(reason: Error): void {
    this.over();
    this.#reject(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
  }

  onResponseStart(controller: Controller, status: number): void {
    this.#status = status; // the last one counts: others only inform
    this.#headers = decodeHeaders(controller.rawHeaders ?? []);
  }

  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MOST_BYTES) this.abort(new Error(`its answer is larger than ${MOST_BYTES} bytes`));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.over();
    this.#resolve({ status: this.#status, headers: this.#headers, body: Buffer.concat(this.#chunks) });
  }

  onResponseError(_controller: Controller, error: unknown): void {
    this.over();
    this.#reject(error);
  }
}
