import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { documentFromValue, type Problem, parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Revision } from "../snapshot/source.js";
import { nodeFiles } from "./files.js";
import { FolderHistory, HISTORY } from "./folder-history.js";
import { FolderRegistry } from "./folder-registry.js";

const KEY = "Namespace/shop/shop";

async function setup({ file = "", files = nodeFiles } = {}) {
  const path = await mkdtemp(join(tmpdir(), "inmesh-history-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const warnings: Problem[] = [];
  const open = () =>
    new FolderRegistry({
      path: join(path, file),
      parse: parseDocuments,
      onWarning: (warning) => warnings.push(warning),
      files,
    });
  return { path, open, registry: open(), warnings };
}

const shop = (tier: string) =>
  documentFromValue({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { tier } } }).documents;

const tierOf = (text: string | undefined) => /tier: (\w+)/.exec(text ?? "")?.[1];
const brief = (revisions: readonly Revision[]) =>
  revisions.map(({ id, outcome, before, after }) => [id, outcome, tierOf(before), tierOf(after)]);

describe("FolderRegistry keeps a history", () => {
  it("of who changed what, why, from what to what, the newest first", async () => {
    const { registry, open } = await setup();
    const began = Date.now();
    await registry.apply(shop("a"), { who: "ann@one", reason: "first" });
    await registry.apply(shop("a"), { who: "ann@one", reason: "again" });
    await registry.apply(shop("b"), { who: "bob@two" });
    await open().delete([KEY, "Namespace/x/x"], { who: "cid@three", reason: "gone" });
    const revisions = await open().history(KEY);
    expect(brief(revisions)).toEqual([
      ["3", "deleted", "b", undefined],
      ["2", "configured", "a", "b"],
      ["1", "created", undefined, "a"],
    ]);
    expect(revisions.map(({ who, reason }) => [who, reason])).toEqual([
      ["cid@three", "gone"],
      ["bob@two", undefined],
      ["ann@one", "first"],
    ]);
    for (const { at, key } of revisions) expect([key, at >= began && at <= Date.now()]).toEqual([KEY, true]);
    expect(await registry.history("Namespace/x/x")).toEqual([]);
  });

  it("with the text as its author wrote it, comments and all", async () => {
    const { path, registry } = await setup();
    const text = "# ours\napiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { tier: a } }\n";
    await writeFile(join(path, "shop.yaml"), text);
    await registry.apply(shop("b"), { who: "ann" });
    const [revision] = await registry.history(KEY);
    expect(revision?.before).toBe(text);
    expect(revision?.after).toBe(await readFile(join(path, "shop.yaml"), "utf8"));
  });

  it("which only this user may read, and which is no policy", async () => {
    const { path, registry } = await setup();
    await registry.apply(shop("a"));
    const [name = ""] = await readdir(join(path, HISTORY));
    const modes = await Promise.all([join(path, HISTORY), join(path, HISTORY, name)].map((each) => stat(each)));
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(["700", "600"]);
    expect((await registry.list()).map(({ key }) => key)).toEqual([KEY]);
    expect((await registry.history(KEY))[0]?.who).toBe("unknown");
  });

  it("of a registry that is one file apart from that of its neighbour", async () => {
    const { path, registry } = await setup({ file: "a.yaml" });
    const other = new FolderRegistry({ path: join(path, "b.yaml"), parse: parseDocuments });
    await registry.apply(shop("a"));
    await other.apply(shop("b"));
    expect(brief(await registry.history(KEY))).toEqual([["1", "created", undefined, "a"]]);
    expect(brief(await other.history(KEY))).toEqual([["1", "created", undefined, "b"]]);
  });

  it("of every change when ten are made at once", async () => {
    const { open } = await setup();
    await Promise.all(Array.from({ length: 10 }, (_, n) => open().apply(shop(`t${n}`), { who: `w${n}` })));
    const revisions = await open().history(KEY);
    expect(revisions.map(({ id }) => id)).toEqual(["10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]);
    expect(new Set(revisions.map(({ who }) => who)).size).toBe(10);
    for (const [index, { before }] of revisions.entries()) expect(before).toBe(revisions[index + 1]?.after);
  });

  it("whose failure is a warning, since the change is made", async () => {
    const { path, registry, warnings } = await setup();
    const denied = Object.assign(new Error("EACCES"), { code: "EACCES" });
    const files = {
      ...nodeFiles,
      create: (at: string, text: string, mode: number) =>
        at.includes(HISTORY) ? Promise.reject(denied) : nodeFiles.create(at, text, mode),
    };
    const other = new FolderRegistry({ path, parse: parseDocuments, files, onWarning: (each) => warnings.push(each) });
    expect((await other.apply(shop("a")))[0]?.outcome).toBe("created");
    expect((await registry.list()).map(({ key }) => key)).toEqual([KEY]);
    expect(warnings).toEqual([expect.objectContaining({ code: "IM0713", resource: KEY })]);
    expect(warnings[0]?.message).toContain("EACCES");
  });

  it("and says so when it cannot be read", async () => {
    const { path, registry } = await setup();
    await registry.apply(shop("a"));
    await rm(join(path, HISTORY, "Namespace+shop+shop.jsonl"));
    await mkdir(join(path, HISTORY, "Namespace+shop+shop.jsonl"));
    await expect(registry.history(KEY)).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE" });
  });
});

describe("FolderHistory", () => {
  const change = (key: string, after: string) => ({ key, outcome: "configured" as const, after });

  async function history() {
    const path = await mkdtemp(join(tmpdir(), "inmesh-history-"));
    onTestFinished(() => rm(path, { recursive: true, force: true }));
    return { path, history: new FolderHistory(join(path, HISTORY), nodeFiles) };
  }

  it("keeps the last fifty changes, and ids go on", async () => {
    const { history: kept } = await history();
    for (let n = 1; n <= 60; n++) await kept.add(change(KEY, `${n}`), n, { who: "ann" });
    const ids = (await kept.of(KEY)).map(({ id }) => Number(id));
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([50, 60, 11]);
  });

  it("keeps fewer of very large ones, but always the last", async () => {
    const { history: kept } = await history();
    for (let n = 1; n <= 4; n++) await kept.add(change(KEY, "x".repeat(1_500_000)), n, { who: "ann" });
    expect((await kept.of(KEY)).map(({ id }) => id)).toEqual(["4", "3"]);
    await kept.add(change(KEY, "x".repeat(5_000_000)), 5, { who: "ann" });
    expect((await kept.of(KEY)).map(({ id }) => id)).toEqual(["5"]);
  });

  it("takes names that are no names of files, and long ones, each for itself", async () => {
    const { history: kept, path } = await history();
    const long = "x".repeat(250);
    const keys = ["VirtualService/shop/../../etc", "VirtualService/shop/a+b", `Service/${long}/a`, `Service/${long}/b`];
    for (const key of keys) await kept.add(change(key, key), 1, { who: "ann" });
    for (const key of keys) expect((await kept.of(key)).map(({ after }) => after)).toEqual([key]);
    expect(await readdir(path)).toEqual([HISTORY]);
    expect(await readdir(join(path, HISTORY))).toHaveLength(4);
  });

  it("leaves out lines that are no changes", async () => {
    const { history: kept, path } = await history();
    await kept.add(change(KEY, "a"), 1, { who: "ann" });
    const [name = ""] = await readdir(join(path, HISTORY));
    const file = join(path, HISTORY, name);
    await writeFile(file, `${await readFile(file, "utf8")}{"id":"7"}\nnonsense\nnull\n{"cut`);
    expect((await kept.of(KEY)).map(({ id }) => id)).toEqual(["1"]);
    await kept.add(change(KEY, "b"), 2, { who: "ann" });
    expect((await kept.of(KEY)).map(({ id }) => id)).toEqual(["2", "1"]);
  });
});
