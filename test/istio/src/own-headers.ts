/** What a client adds to requests by itself: known from what arrives when it is given no headers. */

import { explain } from "@inmesh/core";
import type { Client } from "../../conformance/src/client/client.js";
import type { DataPath } from "./data-path.js";
import { isSame, type Judged, PORT, type RecordedAnswer, type RecordedRequest } from "./recorded.js";

type Headers = Readonly<Record<string, string>>;

const METHODS = ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH"];

export class OwnHeaders {
  readonly #byMethod: ReadonlyMap<string, Headers>;

  private constructor(byMethod: ReadonlyMap<string, Headers>) {
    this.#byMethod = byMethod;
  }

  /** Asks a server outside the mesh, once for each method. */
  static async of(client: Client, { backends }: DataPath): Promise<OwnHeaders> {
    const byMethod = new Map<string, Headers>();
    for (const method of METHODS) {
      backends.expect();
      const url = `http://127.0.0.1:${backends.outside}/`;
      const { body } = await client.call({ url, method, headers: {}, body: undefined, signal: undefined });
      for await (const _ of body); // the connection is free once it was read
      byMethod.set(method, backends.seen?.headers ?? {});
    }
    return new OwnHeaders(byMethod);
  }

  /** Rules would treat the request another way than without them. */
  matter({ snapshot, request }: Judged): boolean {
    const own = this.#of(request);
    if (Object.keys(own).length === 0) return false;
    const bare = explain(snapshot, { ...request, port: PORT });
    const sent = explain(snapshot, { ...request, headers: { ...own, ...request.headers }, port: PORT });
    const { headers } = sent.request;
    const upstream = { ...sent.request, headers: without(headers, own, bare.request.headers) };
    // The steps tell of rules that did not match, in words.
    const judgedParts = ({ steps: _, ...parts }: typeof bare): object => parts;
    return !isSame(judgedParts({ ...sent, request: upstream }), judgedParts(bare));
  }

  /** The answer as it had been without them. */
  taken(found: RecordedAnswer, { request, wanted }: Judged): RecordedAnswer {
    const { upstream } = found;
    if (upstream === undefined) return found;
    const headers = without(upstream.headers, this.#of(request), wanted.upstream?.headers ?? {});
    return { ...found, upstream: { ...upstream, headers } };
  }

  /** A header that the request names is the request's. */
  #of({ method, headers = {} }: RecordedRequest): Headers {
    const own = Object.entries(this.#byMethod.get(method) ?? {});
    return Object.fromEntries(own.filter(([name]) => headers[name] === undefined));
  }
}

/** @param kept these stay, whoever wrote them */
function without(headers: Headers, own: Headers, kept: Headers): Headers {
  const isOwn = ([name, value]: readonly [string, string]): boolean => own[name] === value && kept[name] === undefined;
  return Object.fromEntries(Object.entries(headers).filter((line) => !isOwn(line)));
}
