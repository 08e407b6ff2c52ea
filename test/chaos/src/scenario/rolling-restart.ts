/** Every backend is replaced while the load goes on: the new one first, then SIGTERM, then the next. */

import { setTimeout as delay } from "node:timers/promises";
import { amplifiedBeyond, type Form, failed, MIX, type Scenario } from "./scenario.js";

/** As long as it takes to replace three of them, on a quick machine. */
const LEAST_SECONDS = 6;

export function rollingRestart({ perSecond, seconds }: Form): Scenario {
  return {
    name: "rolling restart",
    load: { perSecond, seconds: Math.max(seconds, LEAST_SECONDS), ...MIX },
    async act(stage) {
      await delay(500);
      for (const [index, old] of [...stage.backends].entries()) {
        stage.backends[index] = await stage.startBackend(old.number);
        old.process.signal("SIGTERM");
        await old.process.ended; // it lets callers know first
      }
    },
    broken: (tally) => [...failed(tally), ...amplifiedBeyond(tally, 1.02)],
  };
}
