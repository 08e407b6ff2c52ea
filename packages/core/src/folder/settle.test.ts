import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { FileSettler, LOSS_MS, SETTLE_MS } from "./settle.js";

function setup() {
  const clock = new FakeClock();
  const settler = new FileSettler(clock);
  const look = (files: Record<string, string>, hidden: readonly string[] = [], changedAt = 0) => {
    const found = new Map(
      Object.entries(files).map(([path, text]) => [
        path,
        { signature: text, bytes: text.length, directory: false, id: path, changedAt },
      ]),
    );
    const decision = settler.decide(found, (path) => hidden.includes(path));
    for (const path of decision.read) settler.take(path, found.get(path) ?? expect.fail(path));
    for (const path of decision.gone) settler.drop(path);
    return decision;
  };
  return { clock, look };
}

const QUIET = { read: [], gone: [], againInMs: undefined };

describe("FileSettler", () => {
  it("reads everything at the first look, and then nothing until something changes", () => {
    const { look } = setup();
    expect(look({ a: "1", b: "2" })).toEqual({ read: ["a", "b"], gone: [], againInMs: undefined });
    expect(look({ a: "1", b: "2" })).toEqual(QUIET);
  });

  it("waits until a changed file looks the same twice", () => {
    const { look, clock } = setup();
    look({ a: "1" });
    expect(look({ a: "12" })).toEqual({ ...QUIET, againInMs: SETTLE_MS });
    clock.advance(SETTLE_MS);
    expect(look({ a: "123" })).toEqual({ ...QUIET, againInMs: SETTLE_MS });
    clock.advance(SETTLE_MS);
    expect(look({ a: "123" }).read).toEqual(["a"]);
  });

  it("waits longer for a file that became empty, and obeys in the end", () => {
    const { look, clock } = setup();
    look({ a: "1" });
    look({ a: "" });
    clock.advance(SETTLE_MS);
    expect(look({ a: "" })).toEqual({ ...QUIET, againInMs: LOSS_MS - SETTLE_MS });
    clock.advance(LOSS_MS - SETTLE_MS);
    expect(look({ a: "" }).read).toEqual(["a"]);
  });

  it("does not take the moment between unlink and create for a removal", () => {
    const { look, clock } = setup();
    look({ a: "1" });
    expect(look({})).toEqual({ ...QUIET, againInMs: LOSS_MS });
    clock.advance(SETTLE_MS);
    expect(look({ a: "2" }).gone).toEqual([]);
    clock.advance(SETTLE_MS);
    expect(look({ a: "2" }).read).toEqual(["a"]);
  });

  it("takes a file that stays away for removed", () => {
    const { look, clock } = setup();
    look({ a: "1" });
    look({});
    clock.advance(LOSS_MS);
    expect(look({}).gone).toEqual(["a"]);
    expect(look({})).toEqual(QUIET);
  });

  it("takes nothing for removed where it cannot look", () => {
    const { look, clock } = setup();
    look({ a: "1" });
    look({}, ["a"]);
    clock.advance(60_000);
    expect(look({}, ["a"])).toEqual(QUIET);
  });

  it("reads a file again while its last change is so young that another may hide behind it", () => {
    const { look, clock } = setup();
    look({ a: "1" }, [], clock.wallTime());
    expect(look({ a: "1" }, [], clock.wallTime() - 1_999)).toEqual({ ...QUIET, read: ["a"] });
    expect(look({ a: "1" }, [], clock.wallTime() - 2_000)).toEqual(QUIET);
  });

  it("reads a file that never comes to rest", () => {
    const { look, clock } = setup();
    look({ a: "" });
    let looks = 0;
    for (let text = "x"; look({ a: text }).read.length === 0; text += "x") {
      clock.advance(25);
      if (++looks > 100) expect.fail("it is never read");
    }
    expect(clock.now()).toBe(500);
  });
});
