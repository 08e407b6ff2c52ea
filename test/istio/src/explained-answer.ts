/** What `explain` says of a request, as recordings say it. */

import type { Explanation } from "@inmesh/core";
import type { RecordedAnswer } from "./recorded.js";

/** In the recording's own form, so that both can be compared whole. */
export function answerOf(explanation: Explanation): RecordedAnswer {
  const { outcome, status, destinations, request, redirect, directResponse, responseHeaders } = explanation;
  if (outcome === "passThrough") return { passThrough: true };
  const headers = { ...responseHeaders.set };
  for (const [name, value] of Object.entries(responseHeaders.add)) {
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  const [destination] = destinations;
  return {
    status: status ?? 200,
    ...(outcome === "route" && { host: destination!.host, upstream: request! }), // a route has both
    subset: destination?.subset || undefined,
    ...(redirect && { location: redirect.location }),
    ...(directResponse?.body && { body: directResponse.body }),
    ...(outcome === "fault" && { body: "fault filter abort" }),
    ...(Object.keys(headers).length > 0 && { responseHeaders: headers }),
  };
}
