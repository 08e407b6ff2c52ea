import type { PipelineStatus, RegistryView } from "@inmesh/core";
import { FakeClock, lease, ScriptedSource } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { RegistryGuard, type RegistryGuardOptions } from "./registry-guard.js";

const SETTINGS = { protectionMs: 20_000, protectionPercent: 50, protectionLeast: 3 };
const THREE = [1, 2, 3].map((n) => ({
  ...lease(`i-${n}`),
  ports: [{ name: "http", number: 3_000 + n }],
  name: `shop.reviews.i-${n}`,
}));

function setup(registry: Partial<RegistryGuardOptions["registry"]> = {}, status: Partial<PipelineStatus> = {}) {
  const clock = new FakeClock();
  const source = new ScriptedSource();
  const lines: string[] = [];
  const events: string[] = [];
  const guard = new RegistryGuard({
    registry: { url: "consul://127.0.0.1:8500", server: "127.0.0.1:8500", state: {} as never, source, ...registry },
    settings: SETTINGS,
    clock,
    log: { warn: (message) => lines.push(`warn ${message}`), info: (message) => lines.push(`info ${message}`) },
    onEvent: (message) => events.push(message),
    pipeline: () => ({ version: 1, fromState: false, ...status }) as PipelineStatus,
  });
  const views: RegistryView[] = [];
  guard.source.watch((view) => views.push(view));
  return { clock, source, guard, lines, events, views };
}

it("holds instances of a server's registry back by the settings, until a call finds nobody there", () => {
  const { clock, source, guard, lines, events, views } = setup();
  source.say({ leases: THREE });
  source.say({});
  clock.advance(250);
  expect(lines[0]).toMatch(
    /^warn the registry lost 3 of 3 instances of shop\/reviews at once: they stay in use for 20 s/,
  );
  guard.closed("127.0.0.1:3002");
  expect(views.at(-1)?.leases).toEqual([THREE[0], THREE[2]]);
  clock.advance(20_000);
  expect(views.at(-1)).toMatchObject({ leases: [], services: [{ service: "reviews", loaded: true }] });
  expect(lines[1]).toMatch(/^info no instance is held back .*: 1 refused connections, 2 stayed away and are gone$/);
  expect(events).toEqual(lines.map((line) => line.slice(5)));
});

it("obeys a folder and the memory at once, and knows the name of the service all the same", () => {
  const { source, views } = setup({ server: undefined as never });
  source.say({ leases: THREE });
  source.say({});
  expect(views.at(-1)).toMatchObject({ leases: [], services: [{ service: "reviews", loaded: true }] });
});

it.each<[Partial<PipelineStatus>, RegExp]>([
  [{}, /What it said last stays in force$/],
  [{ fromState: true, stateSavedAt: Date.UTC(2025, 11, 31, 22) }, /The state saved 2 h ago is in force$/],
  [{ version: 0 }, /Nothing is in force yet, and calls wait: no state was kept from an earlier run$/],
])("says when the registry is away, and what is in force then: %j", (status, expected) => {
  const { clock, source, lines, guard } = setup({}, status);
  source.lose("connection refused");
  clock.advance(59_000);
  expect(lines).toEqual([
    expect.stringMatching(/^warn the registry consul:\S+ is away for 1 s: connection refused\. /),
  ]);
  expect(lines[0]).toMatch(expected);
  source.say({});
  clock.advance(1_000);
  expect(lines[1]).toBe("info the registry consul://127.0.0.1:8500 is back after 60 s");
  guard.close();
  expect(clock.pending).toBe(0);
});

it("does not look at a registry in memory, which cannot be away", () => {
  expect(setup({ state: undefined }).clock.pending).toBe(0);
});
