import type { StateFile } from "@inmesh/core/internal";
import { FakeClock, settle } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { FakeXdsClient } from "./fake-xds-client.test.helper.js";
import { KeptResources } from "./kept-resources.js";
import { thing } from "./scripted-server.test.helper.js";
import type { ResourceType } from "./watch.js";

/** Wall time at which each run begins. */
const NOW = new FakeClock().wallTime();

type Content = Parameters<StateFile["save"]>[0];

const ALL: ResourceType<{ text: string }> = {
  url: "test.Cluster",
  wholeState: true,
  nameOf: () => "",
  decode: (bytes) => {
    const text = Buffer.from(bytes.subarray(bytes.indexOf(18) + 2)).toString();
    if (text === "bad") throw new Error("bad");
    return { text };
  },
};
const SOME = { ...ALL, url: "test.Endpoints", wholeState: false };

/** A run of a process: what it hears, and what stays on the disk. */
async function run(disk: { content?: Content; savedAt: number }) {
  const clock = new FakeClock();
  const client = new FakeXdsClient();
  const kept = new KeptResources({
    clock,
    state: {
      load: async () => disk.content && { ...disk.content, savedAt: disk.savedAt },
      save: (content) => {
        // A file has what it is at that moment.
        const resources = content.resources?.map((each) => ({ ...each, bytes: Uint8Array.from(each.bytes) })) ?? [];
        disk.content = { ...content, resources };
      },
      refresh: () => {},
      close: async () => {},
    },
  });
  const around = kept.around(client, "calls");
  const lines: string[] = [];
  const watch = <Value extends { text: string }>(type: ResourceType<Value>, names: readonly string[] | "*") =>
    around.watch(type, {
      names,
      onChanges: ({ changed, removed }) => {
        for (const [name, { text }] of changed) lines.push(`${name}=${text}`);
        for (const name of removed) lines.push(`-${name}`);
      },
    });
  const all = watch(ALL, "*");
  const some = watch(SOME, ["a"]);
  await settle();
  const answer = (url: string, things: Record<string, string | undefined>): void =>
    client.answer(
      url,
      new Map(Object.entries(things).map(([name, text]) => [name, text === undefined ? undefined : thing(name, text)])),
    );
  return { clock, client, kept, lines, all, some, answer, take: () => lines.splice(0) };
}

async function earlier() {
  const disk: { content?: Content; savedAt: number } = { savedAt: NOW };
  const first = await run(disk);
  first.some.add(["b"]);
  first.answer("test.Cluster", { a: "1", gone: "1" });
  first.answer("test.Endpoints", { a: "1", b: "1" });
  await first.kept.close();
  return disk;
}

describe("KeptResources", () => {
  it("stands in for a control plane that does not answer, and says since when", async () => {
    const { clock, take, kept, some } = await run(await earlier());
    expect([take(), kept.standsInSince]).toEqual([[], undefined]);
    clock.advance(1_000);
    expect([take(), kept.standsInSince]).toEqual([["a=1", "gone=1", "a=1"], NOW]);
    some.add(["b"]); // asked for while it is away
    await settle();
    expect(take()).toEqual(["b=1"]);
  });

  it("shows what stands in, beside what this run was told and in place of what it has no answer for", async () => {
    const { clock, kept } = await run(await earlier());
    const asked = { url: "test.Endpoints", name: "a", state: "REQUESTED", version: "", updatedAt: 0 } as const;
    const good = {
      url: "test.Cluster",
      name: "gone",
      state: "ACKED",
      version: "7",
      updatedAt: 5,
      bytes: thing("gone", "2"),
    } as const;
    expect(kept.shown([asked, good])).toEqual([asked, good]);
    clock.advance(1_000);
    const standIn = { state: "REQUESTED", version: "kept from an earlier run", updatedAt: NOW };
    expect(kept.shown([asked, good])).toEqual([
      { ...standIn, url: "test.Endpoints", name: "a", bytes: thing("a", "1") },
      good,
      { ...standIn, url: "test.Cluster", name: "a", bytes: thing("a", "1") },
    ]);
  });

  it("does so at once when it is known to be away", async () => {
    const { clock, client, take } = await run(await earlier());
    client.state("stale", "nobody listens");
    clock.advance(50);
    expect(take()).toHaveLength(3);
  });

  it("gives way to what is answered, and takes back what is no more", async () => {
    const disk = await earlier();
    const { clock, answer, take, kept } = await run(disk);
    clock.advance(1_000);
    take();
    answer("test.Cluster", { a: "2" });
    answer("test.Endpoints", { a: undefined });
    expect(take()).toEqual(["a=2", "-a"]);
    clock.advance(1_000);
    expect([take(), kept.standsInSince]).toEqual([["-gone"], undefined]);
    await kept.close();
    expect(disk.content?.resources?.map(({ type, name }) => `${type} ${name}`)).toEqual([
      "test.Cluster a",
      "test.Endpoints b",
    ]);
  });

  it("stays silent where the control plane answers in time", async () => {
    const { clock, answer, take } = await run(await earlier());
    answer("test.Cluster", { a: "2" });
    answer("test.Endpoints", { a: "2" });
    clock.advance(10_000);
    expect(take()).toEqual(["a=2", "a=2"]);
  });

  it("leaves out what this version cannot read, and what nobody has told for a week", async () => {
    const disk = await earlier();
    const resources = (disk.content?.resources ?? []).map((each) =>
      each.type === "test.Cluster" && each.name === "a" ? { ...each, bytes: thing("a", "bad") } : each,
    );
    const week = 7 * 24 * 3_600_000;
    const old = resources.map((each) => (each.name === "gone" ? { ...each, since: NOW - week - 1 } : each));
    const { clock, take } = await run({ content: { documents: [], leases: [], resources: old }, savedAt: NOW });
    clock.advance(1_000);
    expect(take()).toEqual(["a=1"]);
  });
});
