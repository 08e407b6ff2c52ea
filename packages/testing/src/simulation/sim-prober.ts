/** Health checks of a simulation: endpoints answer them as badly as they answer anybody. */

import type { EngineOptions } from "@inmesh/core";
import type { Draw } from "./draw.js";
import type { Fleet } from "./fleet.js";
import type { World } from "./world.js";

type HealthProber = NonNullable<EngineOptions["healthProber"]>;
type HealthProbe = Exclude<ReturnType<HealthProber["open"]>, string>;

export class SimProber implements HealthProber {
  /** Endpoints being watched. */
  watched = 0;
  readonly #world: World;
  readonly #fleet: Fleet;
  readonly #draw: Draw;

  constructor(world: World, fleet: Fleet, draw: Draw) {
    this.#world = world;
    this.#fleet = fleet;
    this.#draw = draw;
  }

  open({ of }: Parameters<HealthProber["open"]>[0]): HealthProbe {
    this.watched += 1;
    return {
      ask: (done) => {
        const { id } = of.endpoint;
        const { faults, medianMs, spread, errorRatio } = this.#fleet.get(id);
        const draw = this.#draw;
        const silent = [...faults].some(({ kind, ratio }) => SILENCING.has(kind) && draw.chance(ratio));
        if (silent) return () => {};
        const failing = [...faults].some(({ ratio }) => draw.chance(ratio)) || draw.chance(errorRatio);
        const finding = { well: !failing, found: failing ? "503" : "200" };
        const timer = this.#world.arrives(draw.skewed(medianMs, spread), () => {
          this.#world.note(`check of ${id} finds ${finding.found}`);
          done(finding);
        });
        return () => timer.cancel();
      },
      close: () => {
        this.watched -= 1;
      },
    };
  }
}

/** A check gets no answer. */
const SILENCING: ReadonlySet<string> = new Set(["hangs", "partition"]);
