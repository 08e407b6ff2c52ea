/**
 * Listens to a request of node:http without a trace: an error monitor is no error listener, and whether there is an
 * answer is read once all is over, since a listener for it would have to consume it.
 */

import { AsyncResource } from "node:async_hooks";
import { errorMonitor } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { HttpClient } from "../client/client.js";
import type { RequestTarget } from "../node/request-target.js";
import { asWatched } from "./as-watched.js";
import { quietly } from "./quietly.js";

const SWITCHED = 101;

/** @param target undefined for what only Node can judge */
export function watchClientRequest(
  { engine, origins }: Pick<HttpClient, "engine" | "origins">,
  request: ClientRequest,
  target: RequestTarget | undefined,
): void {
  if (target === undefined) return;
  const { host, port, protocol, method, path } = target;
  const origin = origins.get(`${protocol}//${host.includes(":") ? `[${host}]` : host}:${port}`);
  if (origin === undefined) return;
  const startedAt = engine.clock.now();
  let failure: unknown;
  request.on(errorMonitor, (error) => {
    failure = error;
  });
  // In the context in which the request was made, whoever's connection it came over (pitfalls O3).
  const closed = AsyncResource.bind(
    quietly(() => {
      // Only now are the request's own headers complete.
      const { authority, headers } = headersOf(request);
      const watch = engine.rehearsal.watch(asWatched(origin, method, path, authority, headers), request, startedAt);
      if (watch === undefined) return;
      const answer = (request as { res?: IncomingMessage | null }).res ?? undefined;
      if (answer?.statusCode !== undefined) watch.answered(answer.statusCode, (name) => text(answer.headers[name]));
      watch.ended(failure ?? missing(request, answer));
    }),
  );
  request.once("close", closed);
}

function missing(request: ClientRequest, answer: IncomingMessage | undefined): Error | undefined {
  if (answer?.complete || answer?.statusCode === SWITCHED) return undefined;
  if (request.destroyed && failureIsCallers(request, answer)) return new DOMException("given up", "AbortError");
  return new Error("the connection closed before the answer was complete");
}

/** `destroy()` without a reason, or an answer that nobody read to its end. */
function failureIsCallers({ errored }: ClientRequest, answer: IncomingMessage | undefined): boolean {
  return errored === null && (answer === undefined || answer.errored === null);
}

function headersOf(request: ClientRequest): { authority: string | undefined; headers: readonly string[] } {
  const headers: string[] = [];
  let authority: string | undefined;
  for (const [name, value] of Object.entries(request.getHeaders())) {
    if (name === "host") authority = text(value);
    else for (const line of Array.isArray(value) ? value : [value]) headers.push(name, String(line));
  }
  return { authority, headers };
}

function text(value: number | string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : Array.isArray(value) ? value.join(", ") : String(value);
}
