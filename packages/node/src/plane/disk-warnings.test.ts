import { describe, expect, it } from "vitest";
import { DiskWarnings } from "./disk-warnings.js";

function setup(obstacle: string | undefined) {
  const said: string[] = [];
  const state = { directory: "/state", obstacle: async () => obstacle };
  const warnings = new DiskWarnings({ write: (line) => said.push(line), registry: () => "/mesh", state: () => state });
  const take = (code: string): Promise<void> => warnings.take({ code, message: code });
  return { said, take };
}

describe("DiskWarnings", () => {
  it("says once what a disk that takes nothing means", async () => {
    const { said, take } = setup("EROFS");
    await Promise.all([take("IM0704"), take("IM0707"), take("IM0704")]);
    await take("IM0704");
    expect(said).toEqual([
      expect.stringMatching(/to \/mesh nor its state to \/state \(EROFS\).*calls and servers work/),
    ]);
  });

  it("tells of the lease alone while the state can be written, and of the state when that fails later", async () => {
    const { said, take } = setup(undefined);
    await take("IM0704");
    await take("IM0707");
    expect(said).toEqual(["IM0704", "IM0707"]);
  });

  it("tells of the state alone", async () => {
    const { said, take } = setup("EROFS");
    await take("IM0707");
    await take("IM0704"); // the rest was said already
    expect(said).toEqual(["IM0707", "IM0704"]);
  });

  it("passes on every other warning", async () => {
    const { said, take } = setup("EROFS");
    await take("IM0702");
    expect(said).toEqual(["IM0702"]);
  });
});
