/**
 * axios over the mesh: `axios.create({ ...mesh.axios() })`. axios hands a `transport` its requests one by one and then
 * follows no redirects itself; follow-redirects, which it uses otherwise, does so here.
 */

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { wrap } from "follow-redirects";
import type { HttpClient } from "../client/client.js";
import { createHttp, createHttps } from "../node/http-functions.js";

/** What axios does not tell its transport, under its own names. */
export interface AxiosRedirects {
  /** 0 hands redirects to the caller. @default 21, which is axios's */
  readonly maxRedirects?: number;
  /** Called before each redirect is followed, with the options of the next request. */
  readonly beforeRedirect?: (
    options: Record<string, unknown>,
    response: { readonly headers: Record<string, string>; readonly statusCode: number },
  ) => void;
}

/** axios's options of those names. */
export interface AxiosOptions {
  readonly transport: {
    request(options: RequestOptions, callback: (response: IncomingMessage) => void): ClientRequest;
  };
  readonly maxRedirects?: number;
}

/** As axios makes its requests' options. */
type AxiosRequest = RequestOptions & { beforeRedirects?: { config?: AxiosRedirects["beforeRedirect"] } };

export function axiosOptions(client: HttpClient, { maxRedirects, beforeRedirect }: AxiosRedirects = {}): AxiosOptions {
  const direct = { http: createHttp(client), https: createHttps(client) };
  const following = wrap({ http: direct.http as never, https: direct.https as never });
  return {
    ...(maxRedirects !== undefined && { maxRedirects }),
    transport: {
      request(options: AxiosRequest, callback) {
        const scheme = options.protocol === "https:" ? "https" : "http";
        if (maxRedirects === 0) return direct[scheme].request(options, callback);
        if (beforeRedirect !== undefined && options.beforeRedirects !== undefined) {
          options.beforeRedirects.config = beforeRedirect;
        }
        const asked = { ...options, ...(maxRedirects !== undefined && { maxRedirects }) };
        return following[scheme].request(asked as never, callback as never) as unknown as ClientRequest;
      },
    },
  };
}
