/** Asks external authorizers by Envoy's protocol over gRPC: `envoyExtAuthzGrpc` of extensionProviders. */

import type { AuthorizerTransport, BodyStart, CheckedRequest, ExternalDenial, ExternalPass } from "@inmesh/core";
import { httpToGrpcStatus } from "@inmesh/core/internal";
import type { ExternalAuthorizer } from "@inmesh/model";
import { type CheckResponse, checkRequest, checkResponse, type HeaderChange } from "./check-messages.js";
import type { ServiceClients } from "./service-clients.js";

const METHOD = "/envoy.service.auth.v3.Authorization/Check";
const FORBIDDEN = 403;
/** Of a connection, or of the mesh: no authorizer's to set. */
const NEVER_SET = /^(?::|x-inmesh-|host$|content-length$|connection$|transfer-encoding$)/;

export class GrpcAuthorizer implements AuthorizerTransport {
  readonly #clients: ServiceClients;
  readonly #onNotice: (message: string) => void;
  /** Names of authorizers of whose metadata it was said that nobody reads it. */
  readonly #told = new Set<string>();

  /** @param onNotice told once of what an authorizer says and nobody here reads */
  constructor(clients: ServiceClients, onNotice: (message: string) => void = () => {}) {
    this.#clients = clients;
    this.#onNotice = onNotice;
  }

  async ask(
    authorizer: ExternalAuthorizer,
    request: CheckedRequest,
    start: BodyStart | undefined,
  ): Promise<ExternalPass | ExternalDenial> {
    const { host, port, timeoutMs } = authorizer;
    const message = checkRequest(authorizer, request, start);
    const answer = checkResponse(await this.#clients.call({ host, port, path: METHOD, message, timeoutMs }));
    if (answer.hasMetadata && !this.#told.has(authorizer.name)) {
      this.#told.add(authorizer.name);
      this.#onNotice(
        `the authorizer "${authorizer.name}" answers with dynamic_metadata, which is for other filters of Envoy: nothing here reads it`,
      );
    }
    if (answer.code !== 0) return denial(authorizer, answer);
    if (answer.changesQuery) throw new Error("it wants to change the query, which this version does not do");
    const { headers, remove, answer: toCaller } = answer.ok;
    return {
      kind: "pass",
      remove: remove.filter((name) => !NEVER_SET.test(name)),
      set: flat(headers, request),
      answer: flat(toCaller, undefined),
    };
  }
}

function denial({ name }: ExternalAuthorizer, { denied, code }: CheckResponse): ExternalDenial {
  const status = denied.status || FORBIDDEN;
  const grpcStatus = httpToGrpcStatus(status);
  const headers = flat(denied.headers, undefined);
  return {
    kind: "denial",
    rejection: { code: "ACCESS_DENIED", status, grpcStatus, headers, body: denied.body },
    reason: `the authorizer "${name}" denies it with code ${code} and status ${status}`,
  };
}

/** @param request what its headers are to be added to; undefined: to nothing that is known here */
function flat(changes: readonly HeaderChange[], request: CheckedRequest | undefined): readonly string[] {
  const values = new Map<string, string>();
  for (const { name, value, appends } of changes) {
    if (name === "" || NEVER_SET.test(name)) continue;
    const before = values.get(name) ?? (appends ? lineOf(request?.arrival.header(name)) : undefined);
    values.set(name, appends && before !== undefined ? `${before},${value}` : value);
  }
  return [...values].flat();
}

function lineOf(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined || typeof value === "string" ? value : value.join(",");
}
