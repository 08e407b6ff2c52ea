/** Whether OpenTelemetry's own instrumentation counts requests of this process already. */

import http from "node:http";

export interface Besides {
  readonly client: boolean;
  readonly server: boolean;
}

export function instrumentedBesides(): Besides {
  return { client: isWrapped(http.request), server: isWrapped(http.Server.prototype.emit) };
}

/** As shimmer leaves its mark. */
function isWrapped(found: unknown): boolean {
  return typeof found === "function" && (found as { __wrapped?: unknown }).__wrapped === true;
}
