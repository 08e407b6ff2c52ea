/**
 * Servers in the mesh, and the same servers without it: the same programs, the same callers on plain sockets, and what
 * came out of each scenario must be equal to the byte and to the order of events.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SUITES } from "../fixtures/as-bare/suites.mjs";
import { type Observed, observe, runProgram, type Way } from "./as-bare.js";
import { Registry } from "./registry.js";

const SECURED: Way = "--import, with an identity";
const EXPLICIT: readonly Way[] = ["--import", SECURED, "attach", "handler"];
/** A connection is looked at before its server gets it, so that its first bytes come a turn later, and from a JS stream. */
const LATER = "what came first is parsed in a turn of its own";
/** What is otherwise where callers and servers have an identity, and why that harms nobody. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "AsyncLocalStorage of the application": `${LATER}: the context of a listener lasts to the end of the request, where Node loses it`,
  "an application that resets": `${LATER}: more of the body has come by then`,
  "an application that destroys the answer": `${LATER}: more of the body has come by then`,
  "a WebSocket by the package ws": "messages of both sides cross in another order",
  "headers as they are written": "the server is told who called, in x-forwarded-client-cert",
};
const RUNS: readonly (readonly [suite: string, ways: readonly Way[]])[] = [
  ["http", EXPLICIT],
  ["http2", EXPLICIT],
  ["servers over TLS", ["--import"]],
  ["frameworks with plug-ins", ["--import", "plug-in"]],
  ["frameworks without", ["--import"]],
  ["callers in the mesh", ["--import", SECURED]],
];

const registry = new Registry();
/** Its processes have the name of the others. */
const securedRegistry = new Registry();
afterAll(() => {
  registry[Symbol.dispose]();
  securedRegistry[Symbol.dispose]();
});

describe.each(RUNS)("%s, in the mesh", async (suite, ways) => {
  const scenarios = Object.keys(await SUITES[suite]());
  let bare: Observed;
  let meshed: ReadonlyMap<Way, Observed>;

  beforeAll(async () => {
    const all = await Promise.all(
      (["none", ...ways] as const).map((way) => observe(suite, way, way === SECURED ? securedRegistry : registry)),
    );
    bare = all[0] as Observed;
    meshed = new Map(ways.map((way, index) => [way, all[index + 1] as Observed]));
  });

  it.each(scenarios)("is as without it: %s", (scenario) => {
    const expected = bare.found(scenario);
    expect(expected).not.toMatch(/^"(nothing was found|threw)/);
    for (const [way, observed] of meshed) {
      if (way === SECURED && OTHERWISE[scenario] !== undefined) expect(observed.found(scenario)).not.toMatch(/^"/);
      else expect([way, observed.found(scenario)]).toEqual([way, expected]);
    }
  });

  it("counted the requests of all that, and waits for none of them", () => {
    for (const [way, { inbound, errors }] of meshed) {
      expect([way, inbound?.inFlight, errors]).toEqual([way, 0, ""]);
      expect(inbound?.requests).toBeGreaterThan(8);
      // What a plug-in sees of a connection that becomes a WebSocket is no request either.
      if (way === "plug-in") expect(inbound?.requests).toBe(meshed.get("--import")?.inbound?.requests);
    }
    expect([bare.inbound, bare.errors]).toEqual([undefined, ""]);
  });
});

describe("a process whose application fails", () => {
  it.each([
    "a listener throws",
    "a listener throws later",
    "a promise of a listener's is rejected",
    "a listener of the body throws",
    "an answer without a listener has an error",
    "a listener throws, and somebody catches",
  ])("dies, or lives on, as without a mesh: %s", async (what) => {
    const outcome = async (way: Way) => {
      const { out, errors, code } = await runProgram(["fails.mjs", what], way, registry);
      return { out, error: /^\w*Error.*$/m.exec(errors)?.[0], code };
    };
    const [bare, meshed] = await Promise.all([outcome("none"), outcome("--import")]);
    expect(bare.code).toBe(what.endsWith("catches") ? 0 : 1);
    expect(meshed).toEqual(bare);
  });
});
