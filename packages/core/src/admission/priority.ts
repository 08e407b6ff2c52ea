/** Who is turned away first when there is too much to do. */

import type { AdmissionPolicy, MatchRequest, Priority } from "@inmesh/model";

/** Share of a limit up to which requests of a priority are let in. */
export const SHARES: Readonly<Record<Priority, number>> = { sheddable: 0.8, default: 1, critical: 1.2 };

/** What the server says itself comes first, then what the caller says in the header that policy names. */
export function priorityOf({ priorities, priorityHeader }: AdmissionPolicy, request: MatchRequest): Priority {
  for (const { priority, matches } of priorities) if (matches(request)) return priority;
  if (priorityHeader === "") return "default";
  const said = request.header(priorityHeader);
  return typeof said === "string" ? (parsePriority(said) ?? "default") : "default";
}

function parsePriority(text: string): Priority | undefined {
  const name = text.trim().toLowerCase();
  return Object.hasOwn(SHARES, name) ? (name as Priority) : undefined;
}
