import type { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { atProcess } from "./process-moments.js";

const moments: EventEmitter = process;
const crash = (origin: string) => moments.emit("uncaughtExceptionMonitor", new Error("x"), origin);

it("tells all, in order, by one listener of the process's, which goes with the last of them", () => {
  const listeners = () => process.listenerCount("uncaughtExceptionMonitor");
  const before = listeners();
  const told: string[] = [];
  const undos = Array.from({ length: 30 }, (_, n) =>
    atProcess("uncaughtExceptionMonitor", (_error, origin) => told.push(`${n} ${origin}`)),
  );
  expect(listeners()).toBe(before + 1);
  for (const undo of undos.slice(2)) undo();
  crash("first");
  crash("second");
  expect(told).toEqual(["0 first", "1 first", "0 second", "1 second"]);
  for (const undo of undos) undo();
  expect(listeners()).toBe(before);
  crash("third");
  expect(told).toHaveLength(4);
});

it("tells once that nothing is left to do, unless it is asked again", () => {
  const told: string[] = [];
  const again = (): void => {
    told.push("again");
    if (told.length < 3) atProcess("beforeExit", again);
  };
  atProcess("beforeExit", () => told.push("once"));
  atProcess("beforeExit", again);
  for (let turn = 0; turn < 4; turn++) moments.emit("beforeExit", 0);
  expect(told).toEqual(["once", "again", "again"]);
  expect(process.listenerCount("beforeExit")).toBe(0);
});
