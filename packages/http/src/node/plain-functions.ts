/**
 * `request` of node:http and node:https as they were when this was loaded: before the mesh puts its own in their place, and
 * before the mocks of a test do. For traffic that is nobody's business, such as that to the registry.
 */

import http from "node:http";
import https from "node:https";

export interface PlainFunctions {
  readonly http: typeof http.request;
  readonly https: typeof https.request;
}

export const PLAIN_FUNCTIONS: PlainFunctions = { http: http.request, https: https.request };
