/**
 * Fastify's patterns, with no line changed: it tells a diagnostics channel of every application that is made, before anybody
 * adds to it. The hook stands first, so that requests which another one turns away have their route as well.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { noteRoute } from "./note-route.js";

/** What is needed of a request of Fastify 4 or 5. */
export interface RoutedRequest {
  readonly raw: object;
  /** `url` is undefined where no route was found. */
  readonly routeOptions?: { readonly url?: string | undefined };
}

interface Application {
  addHook(name: "onRequest", hook: (request: RoutedRequest, reply: unknown, done: () => void) => void): unknown;
  /** By a mesh of this process, whichever comes first. Holds for every copy of this package. */
  [HOOKED]?: true;
}

const HOOKED: unique symbol = Symbol.for("@inmesh/fastify-routes@1");
const MADE = "fastify.initialization";

/** From now on, for all that are made. @returns undoes it, for those that come later */
export function watchFastify(): () => void {
  subscribe(MADE, onMade);
  return () => unsubscribe(MADE, onMade);
}

export function noteFastifyRoute({ raw, routeOptions }: RoutedRequest): void {
  noteRoute(raw, routeOptions?.url);
}

/** Of a channel: it must not throw. */
function onMade(message: unknown): void {
  const application = (message as { readonly fastify?: Application }).fastify;
  if (typeof application?.addHook !== "function" || application[HOOKED] === true) return;
  Object.defineProperty(application, HOOKED, { value: true });
  application.addHook("onRequest", (request, _, done) => {
    noteFastifyRoute(request);
    done();
  });
}
