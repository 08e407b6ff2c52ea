/** Which servers of node:http2 belong to a `Server` of @grpc/grpc-js, of whichever copy: nothing of it is loaded for this. */

import type { AnyServer } from "./patch-servers.js";

/** What grpc-js puts on "stream": one of two methods, bound. With channelz, and without. */
const LISTENERS: ReadonlySet<string> = new Set(["bound _channelzHandler", "bound _streamHandler"]);

export function isGrpcServer(server: AnyServer): boolean {
  return server.listeners("stream").some(({ name }) => LISTENERS.has(name));
}
