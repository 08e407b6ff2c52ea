import { chmod, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import type { RegistryView } from "../snapshot/source.js";
import { lease, watched } from "../testing/registry-cases.js";
import { registryContract } from "../testing/registry-contract.js";
import { type FileSystem, nodeFiles } from "./files.js";
import { FolderRegistry, type FolderRegistryOptions } from "./folder-registry.js";

const ns = (name: string, label = "x") =>
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {a: ${label}}}\n`;
const names = ({ documents }: RegistryView) => documents.map(({ name }) => name).join();
const labels = ({ documents }: RegistryView) =>
  documents.map(({ value }) => JSON.stringify(value["metadata"]).replace(/.*"a":"(.*?)".*/, "$1")).join();

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "inmesh-folder-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

function open(path: string, options: Partial<FolderRegistryOptions> = {}): FolderRegistry {
  const registry = new FolderRegistry({ path, parse: parseDocuments, onExit: () => () => {}, ...options });
  onTestFinished(() => registry.close());
  return registry;
}

/** A registry that is watched, and a way to wait for what it says. */
function reader(path: string, options: Partial<FolderRegistryOptions> = {}) {
  const registry = open(path, options);
  return Object.assign(watched(registry), { registry });
}

/** Fails the named calls with a system error while `code` is set. */
function failing(methods: readonly (keyof FileSystem)[], matches: (path: string) => boolean = () => true) {
  const fault: { code: string | undefined; calls: number } = { code: undefined, calls: 0 };
  const files = { ...nodeFiles };
  for (const method of methods) {
    const real = nodeFiles[method] as (...args: unknown[]) => unknown;
    Object.assign(files, {
      [method]: (...args: unknown[]) => {
        if (fault.code === undefined || !matches(String(args[0]))) return real(...args);
        fault.calls += 1;
        const error = Object.assign(new Error(`${fault.code}: injected`), { code: fault.code });
        if (method === "watch") throw error;
        return Promise.reject(error);
      },
    });
  }
  return { files, fault };
}

/** A disk that can be taken away, and one that takes its time. */
function troubled() {
  const trouble = { away: false, slowMs: 0 };
  const files = { ...nodeFiles };
  for (const method of ["list", "names", "stat", "read", "create", "rename", "remove", "touch"] as const) {
    const real = nodeFiles[method] as (...args: unknown[]) => Promise<unknown>;
    Object.assign(files, {
      [method]: async (...args: unknown[]) => {
        if (trouble.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, trouble.slowMs));
        if (trouble.away) throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
        return await real(...args);
      },
    });
  }
  return { files, trouble };
}

/** Resolves as soon as `holds` does. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + 5_000;
  while (!(await holds())) {
    if (performance.now() > until) expect.fail("it never happens");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

registryContract(
  "FolderRegistry",
  async () => {
    const path = await mkdtemp(join(tmpdir(), "inmesh-folder-"));
    const opened: FolderRegistry[] = [];
    const { files, trouble } = troubled();
    const openOne = (options: Partial<FolderRegistryOptions> = {}): FolderRegistry => {
      const registry = new FolderRegistry({ path, parse: parseDocuments, files, rescanMs: 100, ...options });
      opened.push(registry);
      return registry;
    };
    const writer = openOne();
    return {
      store: writer,
      registrar: writer,
      openSource: () => openOne(),
      openStore: () => openOne(),
      dyingRegistrar: openOne({ clock: new FakeClock() }),
      goAway: async () => {
        trouble.away = true;
        return async () => {
          trouble.away = false;
        };
      },
      forgetLeases: () => rm(join(path, ".workloads"), { recursive: true, force: true }),
      slowDown: (ms) => {
        trouble.slowMs = ms / 6; // one question is several calls
      },
      close: async () => {
        trouble.slowMs = 0;
        await Promise.all(opened.map((registry) => registry.close()));
        await rm(path, { recursive: true });
      },
    };
  },
  { describe, it, expect },
  ["dyingRegistrar", "goAway", "forgetLeases", "slowDown"],
);

describe("FolderRegistry reads policy files", () => {
  it("of three endings at any depth, and leaves out dot-folders, packages and everything else", async () => {
    const path = await folder();
    for (const sub of ["a/b/c", ".git", ".hidden/x", "node_modules/p"])
      await mkdir(join(path, sub), { recursive: true });
    const files = [
      "one.yaml",
      "a/two.yml",
      "a/b/c/three.json",
      ".git/no.yaml",
      ".hidden/x/no.yaml",
      "node_modules/p/no.yaml",
    ];
    for (const file of [...files, ".no.yaml", "no.txt", "no.yaml~", "a/no.yaml.swp"]) {
      const name = /(\w+)\.\w+$/.exec(file)?.[1] ?? "no";
      const value = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await writeFile(join(path, file), JSON.stringify(value));
    }
    const view = await reader(path).until(() => true);
    expect(view.documents.map(({ origin, name }) => `${origin.file} ${name}`)).toEqual([
      "a/b/c/three.json three",
      "a/two.yml two",
      "one.yaml one",
    ]);
  });

  it("and mesh.yaml as a bare MeshConfig", async () => {
    const path = await folder();
    await writeFile(join(path, "mesh.yaml"), "rootNamespace: root\nconnectTimeout: 3s\n");
    const view = await reader(path).until(() => true);
    expect(view.documents.map(({ key }) => key)).toEqual(["MeshConfig/root/mesh"]);
  });

  it("from a single file, with the leases beside it", async () => {
    const path = await folder();
    const file = join(path, "policy.yaml");
    await writeFile(file, ns("one"));
    await writeFile(join(path, "other.yaml"), ns("other"));
    const { registry, until } = reader(file);
    expect(names(await until(() => true))).toBe("one");
    await registry.register(lease("a"));
    await until(({ leases }) => leases.length === 1);
    await writeFile(join(path, "next"), ns("two"));
    await rename(join(path, "next"), file);
    await until((view) => names(view) === "two");
    expect(await nodeFiles.names(join(path, ".workloads"))).toEqual(["shop.reviews.a.yaml"]);
  });

  it("in a folder that was made after it was named", async () => {
    const path = join(await folder(), "later");
    const { registry, until } = reader(path);
    await eventually(() => registry.status.state === "stale");
    expect(registry.status.reason).toBe(`${path} does not exist`);
    await mkdir(path);
    await writeFile(join(path, "one.yaml"), ns("one"));
    await until((view) => names(view) === "one");
    expect(registry.status.state).toBe("fresh");
  });
});

describe("FolderRegistry sees a change", () => {
  it.each<[string, (path: string) => Promise<void>, (view: RegistryView) => boolean]>([
    ["written in place", (path) => writeFile(join(path, "one.yaml"), ns("one", "y")), (view) => labels(view) === "y,x"],
    [
      "by an atomic rename",
      async (path) => {
        await writeFile(join(path, "one.yaml.new"), ns("one", "y"));
        await rename(join(path, "one.yaml.new"), join(path, "one.yaml"));
      },
      (view) => labels(view) === "y,x",
    ],
    ["of a file removed", (path) => unlink(join(path, "one.yaml")), (view) => names(view) === "two"],
    ["of a file emptied", (path) => writeFile(join(path, "one.yaml"), ""), (view) => names(view) === "two"],
    [
      "of a file in a new folder",
      async (path) => {
        await mkdir(join(path, "new/deep"), { recursive: true });
        await writeFile(join(path, "new/deep/three.yaml"), ns("three"));
      },
      (view) => names(view) === "three,one,two",
    ],
    [
      "of a folder moved away",
      (path) => rename(join(path, "sub"), join(path, ".away")),
      (view) => names(view) === "one",
    ],
  ])("%s, as the system tells of it", async (_, change, expected) => {
    const path = await folder();
    await mkdir(join(path, "sub"));
    await writeFile(join(path, "one.yaml"), ns("one"));
    await writeFile(join(path, "sub/two.yaml"), ns("two"));
    const { until } = reader(path, { rescanMs: 600_000 });
    await until((view) => names(view) === "one,two");
    await change(path);
    await until(expected);
  });

  it("as Kubernetes makes it, by swapping a link to a folder", async () => {
    const path = await folder();
    await mkdir(join(path, "..1"));
    await writeFile(join(path, "..1/one.yaml"), ns("one"));
    await symlink("..1", join(path, "..data"));
    await symlink("..data/one.yaml", join(path, "one.yaml"));
    const { until } = reader(path);
    await until((view) => labels(view) === "x");
    await mkdir(join(path, "..2"));
    await writeFile(join(path, "..2/one.yaml"), ns("one", "y"));
    await symlink("..2", join(path, "..new"));
    await rename(join(path, "..new"), join(path, "..data"));
    await until((view) => labels(view) === "y");
  });

  it("in a folder that was removed and made again", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    const { registry, until, count } = reader(path);
    await until((view) => names(view) === "one");
    for (const round of ["y", "z"]) {
      await rm(path, { recursive: true });
      await eventually(() => registry.status.state === "stale");
      expect(count).toBeLessThan(3);
      expect(names(await until(() => true))).toBe("one");
      await mkdir(path);
      await writeFile(join(path, "one.yaml"), ns("one", round));
      await until((view) => labels(view) === round);
      await writeFile(join(path, "one.yaml"), ns("one", `${round}-again`));
      await until((view) => labels(view) === `${round}-again`);
    }
  });

  it("without any watch, by looking", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    const { files, fault } = failing(["watch"]);
    fault.code = "ENOSPC";
    const { registry, until } = reader(path, { files, rescanMs: 50 });
    const view = await until(({ problems }) => problems.length > 0);
    expect(view.problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/IM0709.*ENOSPC/),
    ]);
    await writeFile(join(path, "one.yaml"), ns("one", "y"));
    await until((changed) => labels(changed) === "y");
    await registry.register(lease("a"));
    await until(({ leases }) => leases.length === 1);
  });

  it("of many files at once as one view", async () => {
    const path = await folder();
    const { until } = reader(path);
    await until(() => true);
    await Promise.all(Array.from({ length: 100 }, (_, n) => writeFile(join(path, `${n}.yaml`), ns(`n-${n}`))));
    const view = await until(({ documents }) => documents.length > 0);
    expect(view.documents).toHaveLength(100);
  });

  it("of a file moved as one view, in which no document is there twice", async () => {
    const path = await folder();
    await writeFile(join(path, "a.yaml"), ns("one"));
    const registry = open(path);
    const views: RegistryView[] = [];
    const seen = watched(registry);
    registry.watch((view) => void views.push(view));
    await seen.until(() => true);
    await rename(join(path, "a.yaml"), join(path, "b.yaml"));
    await seen.until(({ documents }) => documents[0]?.origin.file === "b.yaml");
    expect(views.map(({ documents, problems }) => [documents.length, problems])).toEqual([
      [1, []],
      [1, []],
    ]);
  });

  it("not before a file written in pieces is whole", async () => {
    const path = await folder();
    const whole = Array.from({ length: 50 }, (_, n) => ns(`n-${n}`)).join("---\n");
    await writeFile(join(path, "a.yaml"), whole);
    const counts: number[] = [];
    const registry = open(path);
    const seen = watched(registry);
    registry.watch(({ documents }) => void counts.push(documents.length));
    await seen.until(() => true);
    for (let end = 0; end < whole.length; end += 200) {
      await writeFile(join(path, "a.yaml"), whole.slice(0, end));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writeFile(join(path, "a.yaml"), `${whole}---\n${ns("last")}`);
    await seen.until(({ documents }) => documents.length === 51);
    expect(new Set(counts)).toEqual(new Set([50, 51]));
  });
});

describe("FolderRegistry on a bad day", () => {
  it("does not take half of a file that is written to while it is read", async () => {
    const path = await folder();
    const file = join(path, "a.yaml");
    await writeFile(file, `${ns("one")}---\n${ns("two")}`);
    let torn = 0;
    const files: FileSystem = {
      ...nodeFiles,
      read: async (name) => {
        const text = await nodeFiles.read(name);
        if (!text.includes("three") || torn > 0) return text;
        torn += 1;
        await writeFile(file, `${text}---\n${ns("four")}`);
        return ns("one");
      },
    };
    const views: string[] = [];
    const registry = open(path, { files });
    const seen = watched(registry);
    registry.watch((view) => void views.push(names(view)));
    await seen.until(() => true);
    await writeFile(file, `${ns("one")}---\n${ns("two")}---\n${ns("three")}`);
    await seen.until((view) => names(view) === "one,two,three,four");
    expect([torn, views]).toEqual([1, ["one,two", "one,two,three,four"]]);
  });

  it("keeps the documents of a file with a tab in it, and shows its neighbour's change", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    await writeFile(join(path, "two.yaml"), ns("two"));
    const { until } = reader(path);
    await until((view) => names(view) === "one,two");
    await writeFile(join(path, "one.yaml"), "apiVersion: v1\nkind:\n\tNamespace\n");
    await writeFile(join(path, "two.yaml"), ns("two", "y"));
    const view = await until((changed) => labels(changed) === "x,y" && changed.problems.length > 0);
    expect(view.problems[0]).toMatchObject({ code: "IM0001", file: "one.yaml", line: 3 });
    await writeFile(join(path, "one.yaml"), ns("one", "z"));
    await until((changed) => labels(changed) === "z,y" && changed.problems.length === 0);
  });

  it("takes an empty folder at its word", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    const { registry, until } = reader(path);
    await until((view) => names(view) === "one");
    await unlink(join(path, "one.yaml"));
    await until((view) => names(view) === "");
    expect(registry.status.state).toBe("fresh");
  });

  it("lets the last view stand while the folder may not be read, and follows it again after", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    const { files, fault } = failing(["list", "names", "stat"]);
    const { registry, until } = reader(path, { files, rescanMs: 20 });
    await registry.register(lease("a"));
    await until((view) => names(view) === "one" && view.leases.length === 1);
    fault.code = "EACCES";
    await eventually(() => registry.status.state === "stale");
    expect(registry.status.reason).toMatch(/cannot be read by this user \(EACCES\)/);
    await writeFile(join(path, "one.yaml"), ns("one", "y"));
    const calls = fault.calls;
    await eventually(() => fault.calls > calls + 10);
    const standing = await until(() => true);
    expect([labels(standing), standing.leases.length]).toEqual(["x", 1]);
    fault.code = undefined;
    await until((view) => labels(view) === "y" && view.leases.length === 1);
    expect(registry.status.state).toBe("fresh");
  });

  it("keeps what stands below a folder it may not list", async () => {
    const path = await folder();
    await mkdir(join(path, "sub"));
    await writeFile(join(path, "sub/one.yaml"), ns("one"));
    await writeFile(join(path, "two.yaml"), ns("two"));
    const { files, fault } = failing(["list"], (directory) => directory.endsWith("sub"));
    const { registry, until } = reader(path, { files, rescanMs: 20 });
    await until((view) => names(view) === "one,two");
    fault.code = "EACCES";
    const view = await until(({ problems }) => problems.length > 0);
    expect([names(view), view.problems[0]?.code, registry.status.state]).toEqual(["one,two", "IM0702", "fresh"]);
  });

  it("keeps what a file said that it may not read any more", async () => {
    const path = await folder();
    await writeFile(join(path, "one.yaml"), ns("one"));
    const { files, fault } = failing(["read"], (file) => file.endsWith("one.yaml"));
    const { until } = reader(path, { files, rescanMs: 50 });
    await until((view) => names(view) === "one");
    fault.code = "EACCES";
    await writeFile(join(path, "one.yaml"), ns("one", "y"));
    await until((view) => labels(view) === "x" && view.problems[0]?.code === "IM0702");
    fault.code = undefined;
    await until((view) => labels(view) === "y" && view.problems.length === 0);
  });

  it.skipIf(process.getuid?.() === 0)(
    "says so when real permissions forbid it (skipped for root, who may all)",
    async () => {
      const path = await folder();
      await writeFile(join(path, "one.yaml"), ns("one"));
      const { registry, until } = reader(path);
      await until((view) => names(view) === "one");
      await chmod(path, 0);
      await eventually(() => registry.status.state === "stale");
      await chmod(path, 0o700);
      await eventually(() => registry.status.state === "fresh");
    },
  );

  it("follows a link to a folder above once, not for ever", async () => {
    const path = await folder();
    await mkdir(join(path, "sub"));
    await writeFile(join(path, "sub/one.yaml"), ns("one"));
    await symlink("..", join(path, "sub/up"));
    const view = await reader(path).until(() => true);
    expect([names(view), view.problems]).toEqual(["one", []]);
  });

  it("leaves out a file too large to be policy", async () => {
    const path = await folder();
    await writeFile(join(path, "big.yaml"), "# ".repeat(5 * 1024 * 1024));
    const view = await reader(path).until(() => true);
    expect(view.problems.map(({ code }) => code)).toEqual(["IM0702"]);
  });
});

describe("FolderRegistry registers", () => {
  it("in a folder and with files that are for this user alone", async () => {
    const path = await folder();
    await mkdir(join(path, ".workloads"), { mode: 0o755 });
    await open(path).register(lease("a"));
    const modes = [".workloads", ".workloads/shop.reviews.a.yaml"].map((each) => nodeFiles.mode(join(path, each)));
    expect((await Promise.all(modes)).map((mode) => mode.toString(8))).toEqual(["700", "600"]);
  });

  it("again at once what somebody removed", async () => {
    const path = await folder();
    const { registry, until } = reader(path);
    await registry.register(lease("a"));
    await until(({ leases }) => leases.length === 1);
    await rm(join(path, ".workloads"), { recursive: true });
    const began = performance.now();
    await eventually(async () => (await nodeFiles.names(path)).includes(".workloads"));
    await until(({ leases }) => leases.length === 1);
    expect(performance.now() - began).toBeLessThan(4_000); // the next renewal would be 5 s away
  });

  it("and goes on trying on a full disk, says so once, and is found when there is room", async () => {
    const path = await folder();
    const { files, fault } = failing(["create"]);
    fault.code = "ENOSPC";
    const warnings: string[] = [];
    const { registry, until } = reader(path, {
      files,
      onWarning: ({ code, message }) => warnings.push(`${code} ${message}`),
    });
    const handle = await registry.register({ ...lease("a"), ttlMs: 300 });
    await eventually(() => fault.calls > 3);
    expect(warnings).toEqual([expect.stringMatching(/^IM0704 lease shop.reviews.a cannot be written.*ENOSPC/)]);
    expect([registry.registrarProblem?.code, registry.status.state]).toEqual(["IM0704", "fresh"]);
    fault.code = undefined;
    await until(({ leases }) => leases.length === 1);
    expect(registry.registrarProblem).toBeUndefined();
    expect(handle.failures).toBeGreaterThanOrEqual(3);
    await handle.remove();
    await until(({ leases }) => leases.length === 0);
  });

  it("without needing any room for a renewal", async () => {
    const path = await folder();
    const { files, fault } = failing(["create", "rename", "makeDirectory"]);
    const warnings: unknown[] = [];
    const touches: number[] = [];
    const counted = { ...files, touch: (file: string, at: number) => files.touch(file, touches.push(at) && at) };
    const registry = open(path, { files: counted, onWarning: (warning) => warnings.push(warning) });
    await registry.register({ ...lease("a"), ttlMs: 30 });
    fault.code = "ENOSPC";
    await eventually(() => touches.length > 5);
    expect(warnings).toEqual([]);
  });

  it("nothing in a folder that does not exist, which may be a slip of the pen", async () => {
    const path = join(await folder(), "tpyo");
    const registry = open(path);
    await registry.register(lease("a"));
    expect(registry.registrarProblem?.message).toMatch(/ENOENT/);
    await expect(nodeFiles.stat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("itself out at the end of the process, but never a successor of its name", async () => {
    const path = await folder();
    const exits: (() => void)[] = [];
    const onExit = (fn: () => void) => {
      exits.push(fn);
      return () => {};
    };
    const file = join(path, ".workloads/shop.reviews.a.yaml");
    await open(path, { onExit }).register(lease("a"));
    exits[0]?.();
    await expect(nodeFiles.stat(file)).rejects.toMatchObject({ code: "ENOENT" });
    await open(path, { onExit }).register(lease("a"));
    await open(path).register({ ...lease("a"), pid: process.pid + 1 });
    exits[1]?.();
    expect((await nodeFiles.stat(file)).bytes).toBeGreaterThan(0);
  });

  it("fifty at once, and every reader sees all", async () => {
    const path = await folder();
    const readers = Array.from({ length: 5 }, () => reader(path));
    const registries = [...readers.map(({ registry }) => registry), ...Array.from({ length: 45 }, () => open(path))];
    await Promise.all(registries.map((registry, n) => registry.register(lease(`i-${n}`))));
    await Promise.all(readers.map(({ until }) => until(({ leases }) => leases.length === 50)));
    await Promise.all(registries.slice(1).map((registry) => registry.close()));
    await readers[0]?.until(({ leases }) => leases.length === 1);
  });

  it("two processes of different versions, which see one another", async () => {
    const path = await folder();
    const [old, young] = [reader(path), reader(path)];
    await old.registry.register({ ...lease("old"), inmeshVersion: "0.1.0", schemaVersion: 1 });
    await young.registry.register({ ...lease("young"), inmeshVersion: "9.0.0", schemaVersion: 42 });
    for (const { until } of [old, young]) {
      const { leases } = await until((view) => view.leases.length === 2);
      expect(leases.map(({ schemaVersion }) => schemaVersion)).toEqual([1, 42]);
    }
  });
});
