import { createHash } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Problem, parseDocuments, type Workload } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { nodeFiles } from "../folder/files.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { lease, namespace } from "../testing/registry-cases.js";
import type { Lease } from "./source.js";
import { StateFile, type StateFileOptions, stateDirectory } from "./state-file.js";

const HERE: Lease = { ...lease("a"), name: "shop.reviews.a" };
const POLICY = parseDocuments("apiVersion: v1\nkind: Namespace\nmetadata: {name: one, labels: {__proto__: x}}\n", {
  file: "sub/a.yaml",
}).documents.map((document) => ({ ...document, origin: { ...document.origin, order: 7 } }));
const OWNER = { registry: "consul://127.0.0.1:8500", namespace: "shop", service: "web" };
const DAY_MS = 24 * 3_600_000;

async function setup() {
  const base = await mkdtemp(join(tmpdir(), "inmesh-state-"));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const directory = join(base, "a/b");
  const file = join(directory, "policy.jsonl");
  const clock = new FakeClock();
  const warnings: Problem[] = [];
  const open = (options: Partial<StateFileOptions> = {}) =>
    new StateFile({ directory, owner: OWNER, clock, onWarning: (warning) => warnings.push(warning), ...options });
  const saved = async () => {
    const state = open();
    state.save({ documents: POLICY, leases: [HERE] });
    await state.close();
    expect(warnings).toEqual([]);
  };
  return { base, directory, file, clock, warnings, open, saved };
}

/** Changes the header and makes the checksum fit again, as somebody who knows the format would. */
async function rewrite(file: string, change: (header: Record<string, unknown>) => void): Promise<void> {
  const [first = "", ...rest] = (await readFile(file, "utf8")).split("\n");
  const header = JSON.parse(first) as Record<string, unknown>;
  change(header);
  const body = [JSON.stringify(header), ...rest.slice(0, -2), ""].join("\n");
  await writeFile(file, `${body}${JSON.stringify({ sha256: createHash("sha256").update(body).digest("hex") })}\n`);
}

describe("StateFile", () => {
  it("gives back what was saved, documents with their places and without prototypes", async () => {
    const { open, saved, clock, directory, file } = await setup();
    await saved();
    const found = await open().load();
    expect(found).toMatchObject({ leases: [HERE], savedAt: clock.wallTime() });
    const [document] = found?.documents ?? [];
    expect(document).toMatchObject({ key: "Namespace/one/one", hash: POLICY[0]?.hash, apiVersion: "v1" });
    expect(document?.value).toEqual(POLICY[0]?.value);
    expect([Object.getPrototypeOf(document?.value), document?.origin.file]).toEqual([null, "sub/a.yaml"]);
    expect(document?.origin.locate(["metadata"])).toEqual({ line: 1, column: 1 });
    expect(document?.origin.order).toBe(7);
    expect((await Promise.all([directory, file].map(nodeFiles.mode))).map((mode) => mode.toString(8))).toEqual([
      "700",
      "600",
    ]);
  });

  it("gives back instances that others registered, and the services that are known by name", async () => {
    const { open } = await setup();
    const workload: Workload = {
      ...{ name: "db-1", namespace: "shop", service: "db", address: "10.0.0.1", labels: { tier: "x" } },
      ...{ ports: [{ name: "http", number: 5432 }], weight: 5, healthy: false },
    };
    const services = [{ namespace: "shop", service: "db", loaded: true }];
    const state = open();
    state.save({ documents: [], leases: [], workloads: [workload], services });
    await state.close();
    expect(await open().load()).toMatchObject({ leases: [], workloads: [workload], services });
    state.save({ documents: [], leases: [], workloads: [workload] });
    await state.close();
    expect((await open().load())?.services).toBeUndefined();
  });

  it("keeps what a control plane sent, byte by byte", async () => {
    const { open } = await setup();
    const state = open();
    const bytes = Uint8Array.of(0, 10, 255, 128);
    const resources = [{ stream: "", type: "envoy.config.cluster.v3.Cluster", name: "a", bytes, since: 5 }];
    state.save({ documents: [], leases: [], resources });
    await state.close();
    expect((await open().load())?.resources).toEqual(resources);
  });

  it("gives back which services were in use", async () => {
    const { open, clock } = await setup();
    const used = [{ namespace: "shop", service: "db", idleMs: 600_000 }];
    const state = open();
    state.save({ documents: [], leases: [], used });
    await state.close();
    expect((await open().load())?.used).toEqual(used);
    const first = (await open().load())?.savedAt;
    clock.advance(DAY_MS);
    state.save({ documents: [], leases: [], used: [...used] });
    await state.close();
    expect((await open().load())?.savedAt).toBe(first);
    state.save({ documents: [], leases: [] });
    await state.close();
    expect((await open().load())?.used).toEqual([]);
  });

  it("reads what the version before wrote, which did not say whose it is: of a folder, for it knew no other", async () => {
    const { open, saved, file, warnings } = await setup();
    await saved();
    await rewrite(file, (header) => {
      delete header["owner"];
      header["schema"] = 1;
    });
    expect(await open({ owner: { ...OWNER, registry: "/mesh" } }).load()).toMatchObject({ leases: [HERE], used: [] });
    expect(warnings).toEqual([]);
    expect(await open().load()).toBeUndefined();
    expect(warnings[0]?.message).toMatch(/it is that of \?\/\? at \?, expected shop\/web at consul:/);
  });

  it("is nothing, without a word, before the first save", async () => {
    const { open, warnings } = await setup();
    expect([await open().load(), warnings]).toEqual([undefined, []]);
  });

  it("saves a moment later, once for all that changed meanwhile", async () => {
    const { open, clock, file } = await setup();
    const state = open();
    state.save({ documents: [], leases: [] });
    state.save({ documents: [namespace("one")], leases: [] });
    clock.advance(999);
    await expect(readFile(file)).rejects.toMatchObject({ code: "ENOENT" });
    state.save({ documents: [namespace("one"), namespace("two")], leases: [] });
    clock.advance(1);
    await state.close();
    expect([(await open().load())?.documents.length, clock.pending]).toEqual([2, 0]);
  });

  it("does not write the same again, unless to give it today's date", async () => {
    const { open, clock } = await setup();
    const state = open();
    const content = { documents: POLICY, leases: [HERE] };
    const first = clock.wallTime();
    state.save(content);
    await state.close();
    clock.advance(DAY_MS);
    state.save({ documents: [...POLICY], leases: [HERE] });
    await state.close();
    expect((await open().load())?.savedAt).toBe(first);
    state.refresh();
    await state.close();
    expect((await open().load())?.savedAt).toBe(first + DAY_MS);
  });

  it("keeps thousands of documents", async () => {
    const { open } = await setup();
    const documents = Array.from({ length: 2_000 }, (_, n) => namespace(`n-${n}`));
    const state = open();
    state.save({ documents, leases: [] });
    await state.close();
    expect((await open().load())?.documents.map(({ hash }) => hash)).toEqual(documents.map(({ hash }) => hash));
  });

  it.each<[string, (file: string) => Promise<void>, RegExp]>([
    ["is cut off", async (file) => writeFile(file, (await readFile(file)).subarray(0, -20)), /damaged/],
    ["is empty", (file) => writeFile(file, ""), /damaged/],
    [
      "was changed",
      async (file) => writeFile(file, (await readFile(file, "utf8")).replace("127.0.0.1", "6.6.6.6")),
      /checksum/,
    ],
    ["can be written by others", (file) => chmod(file, 0o620), /written by others \(mode 620\)/],
    [
      "lies in a folder that others may write",
      (file) => chmod(join(file, ".."), 0o777),
      /its folder can be written by others/,
    ],
    [
      "is a link",
      async (file) => {
        await rename(file, `${file}.real`);
        await symlink(`${file}.real`, file);
      },
      /ELOOP|link/,
    ],
    [
      "is a folder",
      async (file) => {
        await rm(file);
        await mkdir(file);
      },
      /no file|EISDIR/,
    ],
  ])("is left alone with a warning when it %s", async (_, change, reason) => {
    const { open, saved, file, warnings } = await setup();
    await saved();
    await change(file);
    expect(await open().load()).toBeUndefined();
    expect(warnings).toEqual([expect.objectContaining({ code: "IM0706", message: expect.stringMatching(reason) })]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "is left alone when it belongs to somebody else (only root can give a file away)",
    async () => {
      const { open, saved, file, warnings } = await setup();
      await saved();
      await chown(file, 12_345, 12_345);
      expect(await open().load()).toBeUndefined();
      expect(warnings[0]?.message).toMatch(/belongs to user 12345/);
    },
  );

  it.each<[string, (header: Record<string, unknown>) => void, RegExp]>([
    ["is of a schema to come", (header) => Object.assign(header, { schema: 99 }), /schema is 99, expected 2/],
    ["is of a schema nobody wrote", (header) => Object.assign(header, { schema: 0 }), /schema is 0, expected 2/],
    ["is something else", (header) => Object.assign(header, { format: "x" }), /it is no state of inmesh/],
    [
      "names nobody",
      (header) => Object.assign(header, { owner: "me" }),
      /it is that of \?\/\? at \?, expected shop\/web at consul:\/\/127\.0\.0\.1:8500/,
    ],
  ])("is left alone, however sound its checksum, when it %s", async (_, change, reason) => {
    const { open, saved, file, warnings } = await setup();
    await saved();
    await rewrite(file, change);
    expect(await open().load()).toBeUndefined();
    expect(warnings).toEqual([expect.objectContaining({ code: "IM0706", message: expect.stringMatching(reason) })]);
    expect(warnings[0]?.message).toContain(`the state in ${file} is not used`);
    expect(warnings[0]?.message).toContain("Remove the file");
  });

  it.each([
    { ...OWNER, registry: "consul://127.0.0.1:8501" },
    { ...OWNER, namespace: "bank" },
    { ...OWNER, service: "api" },
  ])("is left alone when it was copied from %j", async (owner) => {
    const { open, saved, warnings } = await setup();
    await saved();
    expect(await open({ owner }).load()).toBeUndefined();
    expect(warnings[0]?.message).toMatch(/it is that of shop\/web at consul:\/\/127.0.0.1:8500, expected \w+\/\w+ at /);
  });

  it("is too old after a week, but not when the clock was set back", async () => {
    const { open, saved, clock, warnings } = await setup();
    await saved();
    clock.jumpWall(7 * DAY_MS);
    expect(await open().load()).toBeDefined();
    clock.jumpWall(1);
    expect(await open().load()).toBeUndefined();
    expect(warnings[0]?.message).toMatch(/too long ago/);
    clock.jumpWall(-400 * DAY_MS);
    expect(await open().load()).toBeDefined();
  });

  it("warns once when it cannot be saved, and goes on trying", async () => {
    const { open, base, directory, warnings } = await setup();
    await writeFile(join(base, "a"), "in the way");
    const state = open();
    for (const name of ["one", "two"]) {
      state.save({ documents: [namespace(name)], leases: [] });
      await state.close();
    }
    expect(warnings).toEqual([
      expect.objectContaining({ code: "IM0707", message: expect.stringMatching(/ENOTDIR|EEXIST/) }),
    ]);
    await rm(join(base, "a"));
    state.save({ documents: [namespace("three")], leases: [] });
    await state.close();
    expect(await readdir(directory)).toEqual(["policy.jsonl"]);
  });

  it("is saved by several of one process at the same moment", async () => {
    const { open, directory, warnings } = await setup();
    const states = Array.from({ length: 8 }, () => open());
    for (const state of states) state.save({ documents: POLICY, leases: [HERE] });
    await Promise.all(states.map((state) => state.close()));
    expect([warnings, await readdir(directory)]).toEqual([[], ["policy.jsonl"]]);
  });

  it("is not written into a folder that others may write", async () => {
    const { open, directory, warnings } = await setup();
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
    const state = open();
    state.save({ documents: POLICY, leases: [] });
    await state.close();
    expect([await readdir(directory), warnings[0]?.code]).toEqual([[], "IM0707"]);
  });
});

describe("stateDirectory", () => {
  const of = { registry: "/mesh", namespace: "shop", service: "web" };

  it.each([
    [{ INMESH_STATE_DIR: "/s", XDG_CACHE_HOME: "/x" }, /^\/s\/[0-9a-f]{16}$/],
    [{ INMESH_STATE_DIR: "", XDG_CACHE_HOME: "/x" }, /^\/x\/inmesh\/[0-9a-f]{16}$/],
    [{}, /\/\.cache\/inmesh\/[0-9a-f]{16}$/],
  ])("%j", (env, expected) => {
    expect(stateDirectory(env, of)).toMatch(expected);
  });

  it("differs by registry and by service", () => {
    const all = [of, { ...of, registry: "/other" }, { ...of, namespace: "bank" }, { ...of, service: "api" }];
    expect(new Set(all.map((each) => stateDirectory({}, each))).size).toBe(4);
  });
});
