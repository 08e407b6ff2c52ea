/** Header operations of the request and rewrites of path and authority: once per request, before the first attempt. */

import type { Route } from "@inmesh/model";
import { ORIGINAL_PATH_HEADER } from "../call/mesh-headers.js";
import { editRequest } from "../call/request-edit.js";
import type { Stage } from "../stack/stack.js";

export const rewrite: Stage = {
  role: "rewrite",
  describe: "changes headers, path and authority as the rule says",
  make(route) {
    if (!changesRequest(route)) return undefined;
    return {
      parameters: route.rewrite === undefined ? "headers" : "path, authority or headers",
      call: (next) => (call) => {
        const edited = editRequest(route, call.destination, call);
        call.headers = edited.rewritesPath ? [...edited.headers, ORIGINAL_PATH_HEADER, call.path] : edited.headers;
        call.path = edited.path;
        call.authority = edited.authority;
        next(call);
      },
    };
  },
};

function changesRequest({ action, rewrite, requestHeaders }: Route): boolean {
  if (action.kind !== "forward") return false;
  if (rewrite !== undefined || requestHeaders !== undefined) return true;
  return action.destinations.some((each) => each.requestHeaders !== undefined || each.authority !== undefined);
}
