/**
 * The classes of node:http2's servers. Node exports none of them, and loading the module costs 5 ms and 1.5 MB that most
 * processes never need; so they are met when a server of theirs first listens or gets a connection.
 */

import { Server as NetServer } from "node:net";
import { override, type Patchable } from "./override.js";

const NAMES: ReadonlySet<string> = new Set(["Http2Server", "Http2SecureServer"]);

/** @param found told of each class's prototype once, before its server does anything. @returns ends the watch */
export function watchHttp2Classes(found: (prototype: object) => void): () => void {
  const target = NetServer.prototype as unknown as Patchable<NetServer>;
  const { emit: original } = target;
  const seen = new WeakSet<object>();
  let active = true;

  const emit: typeof original = function (event, ...args) {
    if (!active || (event !== "listening" && event !== "connection")) return original.call(this, event, ...args);
    const own = Object.getPrototypeOf(this) as object;
    if (seen.has(own)) return original.call(this, event, ...args);
    seen.add(own);
    const prototype = classOf(own);
    if (prototype === undefined || (prototype !== own && seen.has(prototype)))
      return original.call(this, event, ...args);
    seen.add(prototype);
    found(prototype);
    return this.emit(event as string, ...args); // through what was just put there
  };

  const restore = override(target, "emit", emit);
  return () => {
    active = false;
    restore();
  };
}

export function isHttp2Server(server: NetServer): boolean {
  return classOf(Object.getPrototypeOf(server) as object) !== undefined;
}

/** Applications may extend them. */
function classOf(own: object): object | undefined {
  for (let at: object | null = own; at !== null && at !== NetServer.prototype; at = Object.getPrototypeOf(at)) {
    if (NAMES.has(at.constructor.name) && Object.hasOwn(at, "updateSettings")) return at;
  }
  return undefined;
}
