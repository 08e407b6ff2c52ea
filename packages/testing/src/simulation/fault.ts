/** What goes wrong in a simulation, and when. */

import type { Draw } from "./draw.js";
import type { Fleet, SimEndpoint } from "./fleet.js";
import type { World } from "./world.js";

/** What can be wrong with an endpoint, or with the way to it. */
export const ENDPOINT_FAULTS = [
  "errors",
  "overload",
  "resets",
  "cuts",
  "hangs",
  "slow",
  "refusals",
  "partition",
] as const;

/** What else can happen: a stall of this process's event loop, endpoints that come, go and change, other policy. */
export const EVENTS = ["stall", "churn", "policy"] as const;

export type FaultKind = (typeof ENDPOINT_FAULTS)[number] | (typeof EVENTS)[number];

export interface Fault {
  readonly kind: (typeof ENDPOINT_FAULTS)[number];
  /** Share of the attempts that meet it, 0–1. A partition spares none. */
  readonly ratio: number;
  /** Clock ms. */
  readonly until: number;
}

export interface FaultOptions {
  readonly world: World;
  readonly fleet: Fleet;
  readonly draw: Draw;
  /** Faults begin and end within this, in ms. */
  readonly durationMs: number;
  readonly kinds: readonly FaultKind[];
  /** The registry's view has changed. */
  readonly onChurn: () => void;
  /** It is time for other policy. */
  readonly onPolicy: () => void;
}

/** One event or fault in so many ms, on average. */
const EVERY_MS = 120;

export function scheduleFaults(options: FaultOptions): void {
  const { world, draw, durationMs, kinds } = options;
  if (kinds.length === 0) return;
  const count = draw.whole(0, Math.ceil((2 * durationMs) / EVERY_MS));
  for (let index = 0; index < count; index++) {
    const kind = draw.oneOf(kinds);
    world.later(draw.ms(0, durationMs), () => happen(kind, options));
  }
}

function happen(kind: FaultKind, { world, fleet, draw, durationMs, onChurn, onPolicy }: FaultOptions): void {
  switch (kind) {
    case "stall": {
      const ms = draw.oneOf([5, 30, 90, 150, 400]);
      world.note(`the event loop stands still for ${ms} ms`);
      return world.stall(ms);
    }
    case "policy":
      return onPolicy();
    case "churn":
      churn(fleet, draw, world);
      return onChurn();
    default: {
      const members = fleet.members(draw.oneOf(fleet.services));
      const hit = draw.some(members, draw.oneOf([0.2, 0.5, 1]));
      const until = Math.min(world.now + draw.ms(20, 1_500), durationMs);
      const ratio = kind === "partition" ? 1 : draw.oneOf([0.05, 0.3, 1]);
      const fault: Fault = { kind, ratio, until };
      if (hit.length === 0 || until <= world.now) return;
      world.note(`${kind} at ${ratio} on ${hit.map(({ id }) => id).join(" ")} until ${until.toFixed(3)}`);
      for (const { faults } of hit) faults.add(fault);
      world.later(until - world.now, () => {
        world.note(`${kind} over on ${hit.map(({ id }) => id).join(" ")}`);
        for (const { faults } of hit) faults.delete(fault);
      });
    }
  }
}

function churn(fleet: Fleet, draw: Draw, world: World): void {
  const service = draw.oneOf(fleet.services);
  const members = fleet.members(service);
  const what = draw.oneOf(["join", "leave", "replace", "change", "flap"] as const);
  const told: string[] = [];
  const leave = (endpoint: SimEndpoint): void => {
    fleet.leave(endpoint);
    told.push(`${endpoint.id} leaves`);
  };
  if (what === "leave" && members.length > 0) leave(draw.oneOf(members));
  if (what === "replace") for (const endpoint of draw.some(members, 0.5)) leave(endpoint);
  if (what === "join" || what === "replace") told.push(`${fleet.join(service).id} joins`);
  if (what === "change") {
    for (const endpoint of draw.some(members, 0.5)) {
      endpoint.weight = draw.whole(0, 4);
      endpoint.version = draw.oneOf(["v1", "v2"]);
      told.push(`${endpoint.id} has weight ${endpoint.weight} now`);
    }
  }
  if (what === "flap" && members.length > 1) {
    const endpoint = draw.oneOf(members);
    leave(endpoint);
    world.later(draw.ms(1, 50), () => {
      fleet.comeBack(endpoint);
      world.note(`${endpoint.id} is ready to be seen again`);
    });
  }
  world.note(`${service}: ${told.join(", ") || "nobody comes or goes"}`);
}
