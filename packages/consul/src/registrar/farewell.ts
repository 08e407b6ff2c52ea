/**
 * An agent that lost its memory takes instances out without a word. A process that leaves says so before, so that readers
 * can tell the one from the other: they obey at once. Where it cannot be said, they keep the instance in use until it
 * refuses a connection.
 */

import { type Clock, sleep } from "@inmesh/core";
import type { Agent, AgentRequest } from "./agent.js";

/** Between the farewell and the end, in ms: by then readers have seen the first by itself. */
const FAREWELL_MS = 300;

/** Never rejects. `timeoutMs` is for the farewell and for the time until readers know of it. */
export async function sayFarewell(agent: Agent, id: string, clock: Clock, request: AgentRequest): Promise<void> {
  const mostMs = Math.min(FAREWELL_MS, request.timeoutMs / 2);
  try {
    await agent.sayFarewell(id, { ...request, timeoutMs: mostMs });
    await sleep(clock, mostMs);
  } catch {
    // The agent does not know it, or does not answer: deregistering finds out which.
  }
}
