/**
 * Servers in the mesh, and the same servers without it: the same programs, the same callers on plain sockets, and what
 * came out of each scenario must be equal to the byte and to the order of events.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SUITES } from "../fixtures/as-bare/suites.mjs";
import { type Observed, observe, type Way } from "./as-bare.js";
import { Registry } from "./registry.js";

const EXPLICIT: readonly Way[] = ["--import", "attach", "handler"];
const KINDS: readonly (readonly [kind: string, ways: readonly Way[]])[] = [
  ["http", EXPLICIT],
  ["https", ["--import"]],
  ["http2 by HTTP/1.1", ["--import", "attach"]],
  ["http2 over TLS", ["--import"]],
  ["http2", EXPLICIT],
];

const registry = new Registry();
afterAll(() => registry[Symbol.dispose]());

describe.each(KINDS)("a server of %s", async (kind, ways) => {
  const scenarios = Object.keys(await SUITES[kind]());
  let bare: Observed;
  let meshed: ReadonlyMap<Way, Observed>;

  beforeAll(async () => {
    const all = await Promise.all((["none", ...ways] as const).map((way) => observe(kind, way, registry)));
    bare = all[0] as Observed;
    meshed = new Map(ways.map((way, index) => [way, all[index + 1] as Observed]));
  });

  it.each(scenarios)("in the mesh is as without it: %s", (scenario) => {
    const expected = bare.found(scenario);
    expect(expected).not.toMatch(/^"(nothing was found|threw)/);
    for (const [way, observed] of meshed) expect([way, observed.found(scenario)]).toEqual([way, expected]);
  });

  it("counted the requests of all that, and waits for none of them", () => {
    for (const [way, { inbound, errors }] of meshed) {
      expect([way, inbound?.inFlight, errors]).toEqual([way, 0, ""]);
      expect(inbound?.requests).toBeGreaterThan(way === "handler" ? 10 : 15);
    }
    expect([bare.inbound, bare.errors]).toEqual([undefined, ""]);
  });
});
