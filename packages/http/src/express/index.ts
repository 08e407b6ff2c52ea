/** Middleware for Express 4 and 5, and for whatever else takes `(request, response, next)`. Imports none of them. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Enter } from "../server/index.js";

export type MeshMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** First of all middleware: what comes after it is in the request's context. */
export function meshMiddleware(enter: Enter): MeshMiddleware {
  return (request, response, next) => enter(request, response, () => next());
}
