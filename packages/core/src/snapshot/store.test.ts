import { getEventListeners } from "node:events";
import type { Snapshot } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { FakeClock, settle } from "../runtime/fake-clock.js";
import { SnapshotStore } from "./store.js";

const snapshot = (version: number) => ({ version }) as Snapshot;

function setup(options: ConstructorParameters<typeof SnapshotStore>[0] = {}) {
  const clock = new FakeClock();
  return { clock, store: new SnapshotStore({ clock, ...options }) };
}

describe("SnapshotStore", () => {
  it("is empty at first and then holds what was published last", () => {
    const { store } = setup();
    expect([store.current, store.nextVersion]).toEqual([undefined, 1]);
    store.publish(snapshot(1));
    store.publish(snapshot(2));
    expect([store.current?.version, store.nextVersion]).toEqual([2, 3]);
  });

  it.each([0, 1, 3])("refuses version %s after version 1", (version) => {
    const { store } = setup();
    store.publish(snapshot(1));
    expect(() => store.publish(snapshot(version))).toThrowError(expect.objectContaining({ code: "CONFIG_INVALID" }));
    expect(store.current?.version).toBe(1);
  });

  it("tells its listeners old and new, until they stop listening", () => {
    const { store } = setup();
    const heard: unknown[] = [];
    const stop = store.subscribe((now, before) => heard.push([now.version, before?.version]));
    store.publish(snapshot(1));
    store.publish(snapshot(2));
    stop();
    store.publish(snapshot(3));
    expect(heard).toEqual([
      [1, undefined],
      [2, 1],
    ]);
  });

  it("serves every listener although one throws", () => {
    const errors: unknown[] = [];
    const { store } = setup({ onListenerError: (error) => errors.push(error) });
    const heard: number[] = [];
    store.subscribe(() => {
      throw new Error("mine");
    });
    store.subscribe(({ version }) => heard.push(version));
    store.publish(snapshot(1));
    expect([heard, errors]).toEqual([[1], [new Error("mine")]]);
  });

  it("gives the snapshot at once when there is one", async () => {
    const { store, clock } = setup();
    store.publish(snapshot(1));
    expect([await store.ready(0), clock.pending]).toEqual([snapshot(1), 0]);
  });

  it("gives the first snapshot to all who wait, and leaves no timer", async () => {
    const { store, clock } = setup();
    const { signal } = new AbortController();
    const waiting = [store.ready(100), store.ready(200, signal)];
    clock.advance(99);
    store.publish(snapshot(1));
    expect(await Promise.all(waiting)).toEqual([snapshot(1), snapshot(1)]);
    expect([clock.pending, getEventListeners(signal, "abort")]).toEqual([0, []]);
  });

  it("rejects with CONFIG_UNAVAILABLE and the reason after the time given", async () => {
    const { store, clock } = setup({ explain: () => "/mesh does not exist" });
    const waiting = store.ready(100);
    clock.advance(100);
    await expect(waiting).rejects.toMatchObject({
      code: "CONFIG_UNAVAILABLE",
      message: expect.stringContaining("/mesh does not exist"),
    });
    expect(clock.pending).toBe(0);
  });

  it("waits five seconds at most", async () => {
    const { store, clock } = setup();
    let rejected = false;
    const waiting = store.ready(3_600_000).catch(() => {
      rejected = true;
    });
    clock.advance(4_999);
    await settle();
    expect(rejected).toBe(false);
    clock.advance(1);
    await waiting;
    expect(rejected).toBe(true);
  });

  it("rejects with the signal's own reason when it aborts, before or while waiting", async () => {
    const { store, clock } = setup();
    const reason = new Error("gone");
    await expect(store.ready(100, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = store.ready(100, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });
});
