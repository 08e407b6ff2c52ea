/** got, as a stream. */

import got, { type OptionsInit, type PlainResponse } from "got";
import { type Client, flat } from "./client.js";

/** What decides how it connects, and where to. */
export type GotOptions = Pick<OptionsInit, "agent" | "request" | "hooks" | "followRedirect">;

export function gotClient(name: string, options: () => GotOptions): Client {
  return {
    name,
    followsRedirects: true,
    decompresses: true,
    lacks: {},
    call: ({ url, method, headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const stream = got.stream(url, {
          method: method as "GET",
          headers: { ...headers },
          ...(body !== undefined && { body }),
          ...(signal && { signal }),
          throwHttpErrors: false,
          retry: { limit: 0 },
          ...options(),
        });
        stream.on("error", reject);
        stream.on("response", (response: PlainResponse) =>
          resolve({
            status: response.statusCode,
            headers: flat(response.headers),
            body: stream,
            trailers: () => flat(response.trailers),
          }),
        );
        if (body === undefined && method !== "GET" && method !== "HEAD") stream.end();
      }),
  };
}
