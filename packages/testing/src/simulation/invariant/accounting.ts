/** The engine's own figures say what happened: calls, failures and retries of each cluster, and what never found one. */

import type { MakeInvariant } from "./invariant.js";

interface Figures {
  calls: number;
  aborted: number;
  failures: number;
}

export const accounting: MakeInvariant = ({ world, engine, load }) => ({
  drained() {
    const real = new Map<string, Figures>();
    let unrouted = 0;
    for (const { call, exchange } of load.calls) {
      if (exchange.heard[0] === "passThrough") continue;
      const { name } = call.cluster?.config ?? {};
      if (name === undefined) {
        unrouted += 1;
        continue;
      }
      const figures = real.get(name) ?? { calls: 0, aborted: 0, failures: 0 };
      real.set(name, figures);
      figures.calls += 1;
      if (exchange.code === "AbortError") figures.aborted += 1;
      else if (exchange.code !== "" || exchange.status >= 500) figures.failures += 1;
    }
    if (engine.unrouted !== unrouted) {
      world.violate("accounting", `${unrouted} calls found no cluster, counted are ${engine.unrouted}`);
    }
    for (const { config, stats } of engine.clusters.all()) {
      const expected = real.get(config.name) ?? { calls: 0, aborted: 0, failures: 0 };
      for (const figure of ["calls", "aborted", "failures"] as const) {
        const [counted, happened] = [stats[figure], expected[figure]];
        if (counted !== happened) {
          world.violate("accounting", `${config.name} had ${happened} ${figure}, counted are ${counted}`);
        }
      }
    }
  },
});
