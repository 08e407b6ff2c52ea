import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { ReplayBody } from "./replay-body.js";

const chunk = (size: number, fill = "a") => Buffer.alloc(size, fill);
const body = (source: object, capBytes = 100) => new ReplayBody(source, { onError: () => {}, capBytes });

async function read(view: AsyncIterable<unknown>, most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = "";
  const iterator = view[Symbol.asyncIterator]();
  for (let count = 0; count < most; count++) {
    const { done, value } = await iterator.next();
    if (done) break;
    text += value;
  }
  return text;
}

describe("ReplayBody", () => {
  it("gives a later attempt what was read, then the rest", async () => {
    const replay = body(Readable.from(["one ", "two ", "three"]));
    expect(await read(replay.open(), 2)).toBe("one two ");
    expect(replay.canReplay()).toBe(true);
    expect(await read(replay.open())).toBe("one two three");
    expect(await read(replay.open())).toBe("one two three");
  });

  it.each([
    ["a generator", () => (async function* () { yield "x"; yield "y"; })()], // biome-ignore format: one line each
    ["an array", () => ["x", "y"]],
    ["a stream older than Readable", () => legacy(["x", "y"])],
  ])("reads %s", async (_, source) => {
    expect(await read(body(source()).open())).toBe("xy");
  });

  it("can not be sent again once more than the cap was read, and loses nothing of it", async () => {
    const replay = body(Readable.from([chunk(60), chunk(60), chunk(60)]));
    const text = await read(replay.open());
    expect([text.length, replay.canReplay()]).toEqual([180, false]);
  });

  it("can be sent again while a longer body was read only up to the cap", async () => {
    const replay = body(Readable.from([chunk(60), chunk(60), chunk(60)]));
    await read(replay.open(), 1);
    expect(replay.canReplay()).toBe(true);
    expect((await read(replay.open())).length).toBe(180);
    expect(replay.canReplay()).toBe(false);
  });

  it("ends what an earlier attempt still reads", async () => {
    const source = new PassThrough();
    const replay = body(source);
    const first = read(replay.open());
    const second = read(replay.open());
    source.end("late");
    await expect(first).rejects.toThrow("the attempt that sent this body is over");
    expect(await second).toBe("late");
  });

  it("keeps nothing once no attempt follows", async () => {
    const replay = body(Readable.from(["a", "b", "c"]));
    const view = replay.open();
    expect(await read(view, 1)).toBe("a");
    replay.commit();
    expect(replay.canReplay()).toBe(false);
    expect(await read(view)).toBe("bc");
  });

  it("passes on what the body threw, and says whose error it is", async () => {
    const broken = new Error("disk");
    const told: unknown[] = [];
    const source = new Readable({ read() {} });
    const replay = new ReplayBody(source, { onError: (error) => told.push(error) });
    const reading = read(replay.open());
    source.destroy(broken);
    await expect(reading).rejects.toBe(broken);
    expect([told, replay.failedWith(broken), replay.canReplay()]).toEqual([[broken], true, false]);
  });

  it("destroys a body that the call did not need to its end", () => {
    const source = new PassThrough();
    const replay = body(source);
    replay.open();
    replay.close(undefined);
    expect(source.destroyed).toBe(true);
  });
});

/** As the form-data package's: `pipe` and events, no iterator. */
function legacy(chunks: string[]): object {
  const inner = Readable.from(chunks);
  return {
    pipe: inner.pipe.bind(inner),
    on: inner.on.bind(inner),
    resume: inner.resume.bind(inner),
    pause: inner.pause.bind(inner),
  };
}
