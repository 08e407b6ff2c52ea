/** The contract with opossum's real class: what opossum-switch.ts leans on. Fails loudly when a new major changes it. */

import CircuitBreaker from "opossum";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { settle } from "../runtime/fake-clock.js";
import { loadOpossum, OpossumSwitch } from "./opossum-switch.js";

beforeAll(loadOpossum);
afterEach(() => vi.useRealTimers());

function made(counts: { fires: number; failures: number }, halfOpen = false) {
  const heard: string[] = [];
  const machine = OpossumSwitch.create(
    {
      name: "a",
      ratio: 0.5,
      minimum: 10,
      counts: () => counts,
      onOpen: () => heard.push("open"),
      onClose: () => heard.push("close"),
    },
    halfOpen,
  )!; // loaded above
  return { machine, heard };
}

it.each([
  ["at the threshold and the volume", { fires: 10, failures: 5 }, []],
  ["above the threshold, below the volume", { fires: 9, failures: 9 }, []],
  ["above the threshold, at the volume", { fires: 10, failures: 6 }, ["open"]],
  ["just above a threshold with many", { fires: 1_000, failures: 501 }, ["open"]],
])("%s", async (_, counts, expected) => {
  const { machine, heard } = made(counts);
  machine.failed();
  await settle();
  expect(heard).toEqual(expected);
  machine.close();
});

it("opens once for many failures at once, and not after it was shut down", async () => {
  const { machine, heard } = made({ fires: 10, failures: 10 });
  for (let each = 0; each < 5; each++) machine.failed();
  await settle();
  expect(heard).toEqual(["open"]);
  const other = made({ fires: 10, failures: 10 });
  other.machine.failed();
  other.machine.close();
  await settle();
  expect(other.heard).toEqual([]);
  machine.close();
});

it.each([
  ["closes after a success", true, ["close"]],
  ["opens after a failure, whatever the volume", false, ["open"]],
])("half open it %s", async (_, good, expected) => {
  const { machine, heard } = made({ fires: 0, failures: 0 }, true);
  if (good) machine.succeeded();
  else machine.failed();
  await settle();
  expect(heard).toEqual(expected);
  machine.close();
});

it("arms no timer but the one of an opened one, which closing takes away", async () => {
  vi.useFakeTimers();
  const { machine } = made({ fires: 10, failures: 10 });
  made({ fires: 0, failures: 0 }, true);
  expect(vi.getTimerCount()).toBe(0);
  machine.failed();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(1);
  machine.close();
  expect(vi.getTimerCount()).toBe(0);
});

it("is the class it was written for: half open by its state, one probe at a time, counts from `status`", async () => {
  const breaker = new CircuitBreaker(() => Promise.resolve(), {
    timeout: false,
    state: { closed: false, halfOpen: true },
  } as CircuitBreaker.Options<[]>); // its types do not know `state`
  expect([breaker.halfOpen, breaker.pendingClose, breaker.closed]).toEqual([true, true, false]);
  const probe = breaker.fire();
  await expect(breaker.fire()).rejects.toMatchObject({ code: "EOPENBREAKER" });
  await probe;
  expect(breaker.closed).toBe(true);
  breaker.shutdown();
});
