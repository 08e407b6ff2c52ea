/** got over the mesh: `got.extend(mesh.got())`. got follows redirects, decompresses and times out as ever; it calls us for each request. */

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { HttpClient } from "../client/client.js";
import { createHttp, createHttps } from "../node/http-functions.js";

/** got's option of that name. */
export interface GotOptions {
  readonly request: (
    url: URL,
    options: RequestOptions,
    callback?: (response: IncomingMessage) => void,
  ) => ClientRequest;
}

/** For hosts that the mesh does not know, `request` is node:http's own. got's option `http2` is not offered there. */
export function gotOptions(client: HttpClient): GotOptions {
  const http = createHttp(client);
  const https = createHttps(client);
  return {
    request: (url, options, callback) => (url.protocol === "https:" ? https : http).request(url, options, callback),
  };
}
