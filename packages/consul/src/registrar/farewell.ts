/**
 * An agent that lost its memory takes instances out without a word. A process that leaves says so before, so that readers
 * can tell the one from the other: they obey at once. Where it cannot be said, they keep the instance in use until it
 * refuses a connection.
 */

import { type Clock, type Lease, sleep } from "@inmesh/core";
import type { Agent, AgentRequest } from "./agent.js";

/** For saying it, in ms: an agent that is slow is no reason to leave without a word. */
const SAY_MS = 1_000;
/** Between the farewell and the end, in ms: by then readers have seen the first by itself. */
const FAREWELL_MS = 300;

/** Never rejects. `timeoutMs` is for the farewell and for the time until readers know of it. */
export async function sayFarewell(
  agent: Agent,
  { name, ports }: Pick<Lease, "name" | "ports">,
  clock: Clock,
  request: AgentRequest,
): Promise<void> {
  if (ports.length === 0) return; // nobody calls it
  const mostMs = request.timeoutMs / 2;
  try {
    await agent.sayFarewell(name, { ...request, timeoutMs: Math.min(SAY_MS, mostMs) });
    await sleep(clock, Math.min(FAREWELL_MS, mostMs));
  } catch {
    // The agent does not know it, or does not answer: deregistering finds out which.
  }
}
