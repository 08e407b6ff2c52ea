/** One of the endpoints is no more, in each of the ways a process or its machine can go. The stage has it replaced afterwards. */

import { setTimeout as delay } from "node:timers/promises";
import type { Stage } from "../stage.js";
import { type Form, failedIdempotent, MIX, type Scenario } from "./scenario.js";

/** When it goes, as a share of the load. */
const AT_RATIO = 0.3;

export function deadEndpoints({ perSecond, seconds }: Form): readonly Scenario[] {
  const dead = (name: string, act: (stage: Stage) => Promise<void>): Scenario => ({
    name,
    load: { perSecond, seconds, ...MIX },
    destroys: !name.includes("SIGCONT"),
    async act(stage) {
      await delay(seconds * 1_000 * AT_RATIO);
      await act(stage);
    },
    broken: (tally) => failedIdempotent(tally),
  });
  const last = (stage: Stage) => stage.backends.at(-1)!; // a stage has several
  return [
    dead("kill -9", async (stage) => last(stage).process.signal("SIGKILL")),
    dead("SIGSTOP, SIGCONT", async (stage) => {
      last(stage).process.signal("SIGSTOP");
      await delay(seconds * 1_000 * 0.4);
      last(stage).process.signal("SIGCONT");
    }),
    dead("half-open sockets", async (stage) => last(stage).process.send({ type: "half-open" })),
  ];
}
