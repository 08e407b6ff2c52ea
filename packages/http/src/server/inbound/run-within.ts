/** The application's turn with a request: inside of its context, and of its span where it has one. */

import type { InboundContext } from "@inmesh/core";
import type { InboundEngine } from "../inbound-request.js";

export function runWithin<Result>(
  { contexts }: Pick<InboundEngine, "contexts">,
  context: InboundContext,
  work: () => Result,
): Result {
  const { span } = context;
  return span === undefined ? contexts.run(context, work) : contexts.run(context, () => span.run(work));
}
