/** Every caller hears exactly one last word, and nothing after it. */

import type { MakeInvariant } from "./invariant.js";

export const answeredOnce: MakeInvariant = ({ world, engine, load }) => {
  const ended = new Map<unknown, number>();
  engine.observe({ callEnded: (call) => void ended.set(call, (ended.get(call) ?? 0) + 1) });
  return {
    heard({ name, heard }, word) {
      const before = heard.slice(0, -1);
      const answer = word === "end" || (word === "fail" && before.length > 0);
      const fits = answer ? before.length === 1 && before[0] === "head" : before.length === 0;
      if (!fits) world.violate("answeredOnce", `${name} heard ${heard.join(", ")}`);
    },
    drained() {
      for (const { exchange, call } of load.calls) {
        const { name, over, status } = exchange;
        if (!over) world.violate("answeredOnce", `${name} was lost: it never heard the last word`);
        const times = ended.get(call) ?? 0;
        const expected = exchange.heard[0] === "passThrough" ? 0 : 1;
        if (times !== expected) world.violate("answeredOnce", `observers heard ${times} times of the end of ${name}`);
        if (status !== 0 && call.status !== status) {
          world.violate("answeredOnce", `${name} got ${status}, but the engine has ${call.status}`);
        }
      }
    },
  };
};
