/**
 * A stream of HTTP/2 without what it leaves behind. `ClientHttp2Session.request` binds its start to an `AsyncResource`, and
 * `AsyncResource.bind` gives each function that it makes a deprecated property. Making that sets a prototype, and the hidden
 * classes of it hold the stream, and with it all of the call, until the next full collection of garbage: each collection of young
 * objects before copies what is left of hundreds of calls. On Node 20 collecting is nearly half of what a bare call of gRPC takes
 * (docs/design/2026-11-28-grpc-client.md); 22 keeps as much; from 24 on Node keeps a stream anyway, and the property's own price is saved.
 */

import { AsyncResource } from "node:async_hooks";

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

/** As `AsyncResource.bind`, without the property `asyncResource`, which is deprecated (DEP0172). */
function lightBind(this: AsyncResource, fn: AnyFunction): AnyFunction {
  const resource = this;
  return function bound(this: unknown, ...args) {
    return resource.runInAsyncScope(fn, this, ...args);
  };
}

const prototype = AsyncResource.prototype as { bind: unknown };

/** @param work that begins one request, and runs nothing of the application's */
export function withLightBind<Result>(work: () => Result): Result {
  const { bind } = prototype;
  if (!Reflect.set(prototype, "bind", lightBind)) return work(); // somebody froze it
  try {
    return work();
  } finally {
    prototype.bind = bind;
  }
}
