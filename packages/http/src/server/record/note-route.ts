/** Where whoever finds the route of a request leaves its pattern. A file of its own, since it is loaded before the application. */

const ROUTE: unique symbol = Symbol.for("@inmesh/http-route@1");

interface Routed {
  [ROUTE]?: string;
}

/** @param carrier its IncomingMessage, or its stream of HTTP/2, or Node's request made of that */
export function noteRoute(carrier: object, pattern: string | undefined): void {
  const target = (carrier as { readonly stream?: object }).stream ?? carrier;
  if (typeof pattern === "string" && pattern !== "") (target as Routed)[ROUTE] = pattern;
}

/** @returns undefined where nobody left any */
export function notedRoute(carrier: object): string | undefined {
  return (carrier as Routed)[ROUTE];
}
