import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { documentFromValue, parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../runtime/clock.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { systemRandom } from "../runtime/random.js";
import { createHost } from "../snapshot/host.js";
import { type FileSystem, nodeFiles } from "./files.js";
import { HISTORY } from "./folder-history.js";
import { LOCK } from "./folder-lock.js";
import { FolderStore } from "./folder-store.js";

const SHOP = `# Who goes where.
apiVersion: v1
kind: Namespace
metadata: {name: shop}   # ours
---
# Theirs.
apiVersion: v1
kind: Namespace
metadata:
  name: bank
`;

async function setup({ files = nodeFiles, file = "" }: { files?: FileSystem; file?: string } = {}) {
  const path = await mkdtemp(join(tmpdir(), "inmesh-store-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  const clock = new FakeClock();
  const open = (): FolderStore =>
    new FolderStore({
      root: join(path, file),
      files,
      // Wall time stands still; waiting for the lock is real.
      clock: { ...systemClock, wallTime: () => clock.wallTime() },
      random: systemRandom,
      host: createHost(),
      parse: parseDocuments,
      namespace: "default",
    });
  const text = (name: string) => readFile(join(path, name), "utf8");
  return { path, open, store: open(), text };
}

function document(value: Record<string, unknown>, namespace = "default") {
  return documentFromValue(value, { namespace }).documents[0] ?? expect.fail("no document");
}

const namespace = (name: string, labels?: object) =>
  document({ apiVersion: "v1", kind: "Namespace", metadata: { name, ...(labels && { labels }) } });

const virtualService = (name: string, spec: object = {}, inNamespace = "default") =>
  document({ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name }, spec }, inNamespace);

/** All that lies there, but for the history. */
const policyIn = async (path: string) => (await readdir(path)).filter((name) => name !== HISTORY);

describe("FolderStore applies", () => {
  it("into the file that holds the document, and leaves all else in it as it was", async () => {
    const { path, store, text } = await setup();
    await writeFile(join(path, "shop.yaml"), SHOP);
    expect(await store.apply([namespace("shop", { a: "b" })])).toEqual([
      { key: "Namespace/shop/shop", outcome: "configured", where: "shop.yaml" },
    ]);
    const written = await text("shop.yaml");
    expect(written.slice(written.indexOf("---"))).toBe(SHOP.slice(SHOP.indexOf("---")));
    expect(written).toMatch(
      /^# Who goes where\.\napiVersion: v1\nkind: Namespace\nmetadata: .*labels: \{ ?a: b ?\}.* # ours\n---/s,
    );
    expect(await policyIn(path)).toEqual(["shop.yaml"]);
  });

  it("into a file of its own, named after it, with the time of its creation", async () => {
    const { store, text } = await setup();
    const results = await store.apply([virtualService("Odd/../Name", { hosts: ["a"] }, "shop")]);
    const where = "virtualservice-shop-odd----name.yaml";
    expect(results).toEqual([{ key: "VirtualService/shop/Odd/../Name", outcome: "created", where }]);
    expect(parseDocuments(await text(where), { file: where }).documents[0]?.value).toEqual({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "Odd/../Name", namespace: "shop", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { hosts: ["a"] },
    });
  });

  it("without changing the time of creation, and nothing when nothing changed", async () => {
    const { path, store, text } = await setup();
    const dated = SHOP.replace("{name: shop}", '{name: shop, creationTimestamp: "2020-02-02T00:00:00Z"}');
    await writeFile(join(path, "shop.yaml"), dated);
    expect((await store.apply([namespace("shop")]))[0]?.outcome).toBe("unchanged");
    expect(await text("shop.yaml")).toBe(dated);
    await store.apply([namespace("shop", { a: "b" })]);
    expect(await text("shop.yaml")).toContain("2020-02-02T00:00:00Z");
  });

  it("MeshConfig bare into mesh.yaml", async () => {
    const { store, text } = await setup();
    const config = parseDocuments("connectTimeout: 3s", { file: "mesh.yaml" }).documents;
    expect((await store.apply(config))[0]).toMatchObject({ outcome: "created", where: "mesh.yaml" });
    expect(await text("mesh.yaml")).toBe("connectTimeout: 3s\n");
    expect((await store.apply(config))[0]?.outcome).toBe("unchanged");
  });

  it("MeshConfig with its type into a file whose name does not tell it", async () => {
    const { path, store, text } = await setup();
    await writeFile(
      join(path, "settings.yaml"),
      "apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig # ours\nconnectTimeout: 1s\n",
    );
    const config = parseDocuments("connectTimeout: 3s", { file: "mesh.yaml" }).documents;
    expect((await store.apply(config))[0]).toMatchObject({ outcome: "configured", where: "settings.yaml" });
    expect(await text("settings.yaml")).toBe(
      "apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig # ours\nconnectTimeout: 3s\n",
    );
    expect((await store.apply(config))[0]?.outcome).toBe("unchanged");
  });

  it("to the single file that is the registry, and makes it when it is not there", async () => {
    const { path, store, text } = await setup({ file: "policy.yaml" });
    await store.apply([namespace("one"), namespace("two")]);
    expect(parseDocuments(await text("policy.yaml"), { file: "" }).documents.map(({ name }) => name)).toEqual([
      "one",
      "two",
    ]);
    expect(await policyIn(path)).toEqual(["policy.yaml"]);
  });

  it("through a link to the file behind it, whose mode stays", async () => {
    const { path, store } = await setup();
    await mkdir(join(path, ".real"));
    await writeFile(join(path, ".real/shop.yaml"), SHOP, { mode: 0o600 });
    await symlink(".real/shop.yaml", join(path, "shop.yaml"));
    await store.apply([namespace("shop", { a: "b" })]);
    expect(await readFile(join(path, ".real/shop.yaml"), "utf8")).toMatch(/a: b/);
    expect((await nodeFiles.mode(join(path, ".real/shop.yaml"))).toString(8)).toBe("600");
  });

  it("to the one of two that is in force", async () => {
    const { path, store, text } = await setup();
    const dated = (year: number) =>
      `${SHOP.split("---")[0]}`.replace("{name: shop}", `{name: shop, creationTimestamp: "${year}-01-01T00:00:00Z"}`);
    await writeFile(join(path, "a.yaml"), dated(2025));
    await writeFile(join(path, "b.yaml"), dated(2024));
    expect((await store.apply([namespace("shop", { a: "b" })]))[0]?.where).toBe("b.yaml");
    expect(await text("a.yaml")).toBe(dated(2025));
  });
});

describe("FolderStore deletes", () => {
  it("a document from its file, and the file with its last one", async () => {
    const { path, store, text } = await setup();
    await writeFile(join(path, "shop.yaml"), SHOP);
    expect(await store.delete(["Namespace/shop/shop", "Namespace/x/x"])).toEqual([
      { key: "Namespace/shop/shop", outcome: "deleted", where: "shop.yaml" },
    ]);
    expect(await text("shop.yaml")).toBe(SHOP.slice(SHOP.indexOf("---")));
    await store.delete(["Namespace/bank/bank"]);
    expect(await policyIn(path)).toEqual([]);
  });

  it("every copy of it", async () => {
    const { path, store } = await setup();
    await writeFile(join(path, "a.yaml"), `${SHOP}---\n${SHOP}`);
    await writeFile(join(path, "b.yaml"), `${SHOP.split("---")[0]}---\n${SHOP.split("---")[0]}`);
    const results = await store.delete(["Namespace/shop/shop"]);
    expect(results.map(({ where }) => where)).toEqual(["a.yaml", "b.yaml"]);
    expect([(await store.list()).map(({ name }) => name), await policyIn(path)]).toEqual([["bank"], ["a.yaml"]]);
  });
});

describe("FolderStore and other writers", () => {
  it("loses nothing when ten of them apply at once to one file", async () => {
    const { path, open } = await setup();
    await writeFile(
      join(path, "all.yaml"),
      Array.from({ length: 10 }, (_, n) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: n-${n}}\n`).join("---\n"),
    );
    await Promise.all(Array.from({ length: 10 }, (_, n) => open().apply([namespace(`n-${n}`, { done: "yes" })])));
    const stored = await open().list();
    expect(stored.filter(({ value }) => JSON.stringify(value["metadata"]).includes('"done":"yes"'))).toHaveLength(10);
    expect(await policyIn(path)).toEqual(["all.yaml"]);
  });

  it("takes over the lock of a process that died", async () => {
    const { path, store } = await setup();
    const host = createHost();
    const dead = JSON.stringify({ host: host.id, pid: 2 ** 30, started: "1" });
    const reused = JSON.stringify({ host: host.id, pid: process.pid, started: "1" });
    await writeFile(join(path, `${LOCK}dead`), dead);
    if (host.startOf(process.pid) !== "") await writeFile(join(path, `${LOCK}reused`), reused);
    const began = performance.now();
    await store.apply([namespace("one")]);
    expect(performance.now() - began).toBeLessThan(5_000); // half of what an unknown one would be given
    expect(await policyIn(path)).toEqual(["namespace-one-one.yaml"]);
  });

  it("waits for one that lives", async () => {
    const { path, store } = await setup();
    const host = createHost();
    const lock = join(path, `${LOCK}other`);
    await writeFile(lock, JSON.stringify({ host: host.id, pid: process.pid, started: host.startOf(process.pid) }));
    let applied = false;
    const applying = store.apply([namespace("one")]).then(() => {
      applied = true;
    });
    for (let round = 0; round < 20; round++) await readdir(path);
    expect(applied).toBe(false);
    await rm(lock);
    await applying;
    expect(await policyIn(path)).toEqual(["namespace-one-one.yaml"]);
  });

  it("writes nothing more once others took it for dead", async () => {
    const stolen: FileSystem = {
      ...nodeFiles,
      read: async (path) => {
        const directory = join(path, "..");
        for (const name of await readdir(directory)) if (name.startsWith(LOCK)) await rm(join(directory, name));
        return nodeFiles.read(path);
      },
    };
    const { path, store, text } = await setup({ files: stolen });
    await writeFile(join(path, "shop.yaml"), SHOP);
    await expect(store.apply([namespace("shop", { a: "b" })])).rejects.toMatchObject({ code: "CONFIG_UNAVAILABLE" });
    expect(await text("shop.yaml")).toBe(SHOP);
  });

  it.each([
    ["a full disk", "create", "ENOSPC"],
    ["a folder that may not be written", "create", "EACCES"],
    ["a rename that fails", "rename", "EIO"],
  ] as const)("changes nothing and says so on %s", async (_, method, code) => {
    const fail = () => Promise.reject(Object.assign(new Error(code), { code }));
    const { path, store, text } = await setup({ files: { ...nodeFiles, [method]: fail } });
    await writeFile(join(path, "shop.yaml"), SHOP);
    await expect(store.apply([namespace("shop", { a: "b" })])).rejects.toMatchObject({
      code: "CONFIG_UNAVAILABLE",
      message: expect.stringContaining(code),
    });
    expect([await text("shop.yaml"), await policyIn(path)]).toEqual([SHOP, ["shop.yaml"]]);
  });
});
