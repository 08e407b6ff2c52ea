/** Rules that are asked before the one that matches, and what each did not find in the request. */

import type { Route, RuleForOthers, Snapshot, VirtualHost } from "@inmesh/model";
import type { AskedRequest } from "./asked-request.js";
import type { PassedRule } from "./explanation.js";
import { placeIn } from "./written.js";

/** In the order in which they are written. @param found undefined when none matches: then all are passed by */
export function passedBy(
  snapshot: Snapshot,
  { routes, forOthers = [] }: VirtualHost,
  found: Route | undefined,
  request: AskedRequest,
): readonly PassedRule[] {
  const end = found === undefined ? routes.length : routes.indexOf(found);
  const passed: PassedRule[] = [];
  const others = forOthers[Symbol.iterator]();
  let other = others.next();
  for (let position = 0; position <= end; position++) {
    for (; other.done !== true && other.value.before <= position; other = others.next()) {
      passed.push(passedRule(snapshot, other.value, [other.value.why]));
    }
    if (position === end) break;
    const route = routes[position]!; // in range
    const reasons = route.matches.flatMap((match) => match.whyNot(request) ?? []);
    passed.push(passedRule(snapshot, route, reasons));
  }
  return passed;
}

function passedRule(
  snapshot: Snapshot,
  { name, resource, path }: Route | RuleForOthers,
  reasons: readonly string[],
): PassedRule {
  return { name, ...placeIn(snapshot, resource, path), reasons };
}
