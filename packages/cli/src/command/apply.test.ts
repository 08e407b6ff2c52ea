import { chmodSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BAD_TIMEOUT, REVIEWS } from "../testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const CANARY = REVIEWS.split("---\n")[2] ?? "";
const KEY = "VirtualService/shop/reviews";

interface Applied {
  readonly results: readonly { readonly key: string; readonly outcome: string; readonly where: string }[];
  readonly problems: readonly { readonly code: string }[];
  readonly processes: readonly { readonly name: string; readonly state: string; readonly behind: readonly string[] }[];
}

function mesh(): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "{}\n");
  return folder;
}

/** Hash of the document as `get -o wide` shows it: what a process that has taken it would report. */
async function storedHashes(cwd: string): Promise<Record<string, string>> {
  const { FolderRegistry } = await import("@inmesh/core/folder");
  const { parseDocuments } = await import("@inmesh/model");
  const registry = new FolderRegistry({ path: join(cwd, "mesh"), parse: parseDocuments });
  const documents = await registry.list();
  await registry.close();
  return Object.fromEntries(documents.map(({ key, hash }) => [key, hash]));
}

describe("inmesh apply", () => {
  it("creates, then leaves unchanged, then configures, with a creation time that stays", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const apply = async (stdin: string) => {
      const outcome = await runCli(["apply", "-f", "-", "-o", "json"], { cwd, stdin });
      expect(outcome.stderr).toBe("");
      expect(outcome.code).toBe(0);
      return outcome.json<Applied>().results.map(({ key, outcome: what }) => `${key} ${what}`);
    };
    expect(await apply(CANARY)).toEqual([`${KEY} created`]);
    expect(await apply(CANARY)).toEqual([`${KEY} unchanged`]);
    expect(await apply(CANARY.replace("weight: 90", "weight: 50"))).toEqual([`${KEY} configured`]);
    const { stdout } = await runCli(["get", "vs/reviews", "-n", "shop", "-o", "json"], { cwd });
    const { metadata, spec } = JSON.parse(stdout);
    expect(metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(spec.http[1].route[0].weight).toBe(50);
  });

  it("writes nothing when one document is refused, and says why", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const { code, stdout, stderr } = await runCli(["apply", "-f", "-"], { cwd, stdin: `${CANARY}---\n${BAD_TIMEOUT}` });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/IST0106 error stdin:\d+:\d+ .*duration/);
    expect(stderr).toContain("Nothing was written: 1 error.");
    expect((await runCli(["get", "-o", "name"], { cwd })).stdout).not.toContain("reviews");
  });

  it("refuses a resource given twice", async () => {
    using folder = mesh();
    const { code, stderr } = await runCli(["apply", "-f", "-"], { cwd: folder.path, stdin: `${CANARY}---\n${CANARY}` });
    expect(code).toBe(1);
    expect(stderr).toContain(`${KEY} is given twice, first in stdin:1`);
  });

  it("says what a dry run would do, and does nothing", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const dry = (stdin: string) => runCli(["apply", "-f", "-", "--dry-run"], { cwd, stdin });
    expect((await dry(CANARY)).stdout).toBe(`${KEY} created (dry run)  stdin\n`);
    await runCli(["apply", "-f", "-"], { cwd, stdin: CANARY });
    expect((await dry(CANARY)).stdout).toContain("unchanged (dry run)");
    expect((await dry(CANARY.replace("weight: 90", "weight: 50"))).stdout).toContain("configured (dry run)");
    expect((await runCli(["get", "vs/reviews", "-n", "shop", "-o", "yaml"], { cwd })).stdout).toContain("weight: 90");
  });

  it("waits with --wait until every process has the new version", async () => {
    using folder = mesh();
    const cwd = folder.path;
    let answers = 0;
    await using process_ = await FakeProcess.start(join(cwd, "mesh"), {});
    const hashes = async () => ({
      version: 7,
      revision: "1b20aa34ff",
      problems: [],
      resources: await storedHashes(cwd),
    });
    const stale = { version: 6, revision: "old", problems: [], resources: {} };
    let current: unknown = stale;
    process_.answers = {
      "/snapshot": () => {
        answers += 1;
        if (answers === 2) void hashes().then((view) => (current = view));
        return current;
      },
    };
    const { code, stdout, stderr } = await runCli(["apply", "-f", "-", "--wait"], { cwd, stdin: CANARY });
    expect(code).toBe(0);
    expect(answers).toBeGreaterThan(2);
    expect(stdout).toContain(`${KEY} created`);
    expect(stdout).toMatch(/shop\/web-1 +web +v7 1b20aa34 +synced/);
    expect(stderr).toMatch(/shop\/web-1 has it after \d+/);
  });

  it("ends with 4 and names who is behind when the time is up", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _behind = await FakeProcess.start(
      join(cwd, "mesh"),
      {},
      {
        "/snapshot": { version: 6, revision: "old", problems: [], resources: { [KEY]: "other" } },
      },
    );
    await using _gone = await FakeProcess.start(join(cwd, "mesh"), { instance: "web-2" });
    const argv = ["apply", "-f", "-", "--wait", "--timeout", "200ms"];
    const { code, stderr, stdout } = await runCli(argv, { cwd, stdin: CANARY });
    expect(code).toBe(4);
    expect(stdout).toMatch(/shop\/web-1 .* behind\n/);
    expect(stdout).toMatch(/shop\/web-2 .* unreachable\n/);
    expect(stderr).toContain("2 of 2 processes did not take the change within 200ms");
    expect(stderr).toContain(`shop/web-1: has not taken ${KEY}`);
    expect(stderr).toContain("shop/web-2: it answered /snapshot with status 404");
    const json = await runCli([...argv, "-o", "json"], { cwd, stdin: CANARY });
    expect(json.json<Applied>().processes).toMatchObject([
      { name: "shop/web-1", state: "behind", behind: [KEY] },
      { name: "shop/web-2", state: "unreachable" },
    ]);
  });

  it("refuses what a running process is too old to honour, unless forced", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _old = await FakeProcess.start(join(cwd, "mesh"), { schemaVersion: 0, inmeshVersion: "0.0.9" });
    const { code, stderr } = await runCli(["apply", "-f", "-"], { cwd, stdin: CANARY });
    expect(code).toBe(1);
    expect(stderr).toContain(`${KEY} needs policy schema 1, which shop/web-1 (inmesh 0.0.9) cannot honour`);
    expect((await runCli(["apply", "-f", "-", "--force"], { cwd, stdin: CANARY })).code).toBe(0);
  });

  it("ends with 3 when the folder cannot be written", async (context) => {
    if (process.getuid?.() === 0) return context.skip("root may write everywhere");
    using folder = mesh();
    chmodSync(join(folder.path, "mesh"), 0o500);
    const { code, stderr } = await runCli(["apply", "-f", "-"], { cwd: folder.path, stdin: CANARY });
    chmodSync(join(folder.path, "mesh"), 0o700);
    expect(code).toBe(3);
    expect(stderr).toMatch(/cannot be written/);
  });
});

describe("inmesh delete", () => {
  it("deletes by name and by file, and says when there is nothing of that name", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("reviews.yaml", REVIEWS);
    expect((await runCli(["apply", "-f", "reviews.yaml"], { cwd })).code).toBe(0);
    const byName = await runCli(["delete", "vs/reviews"], { cwd });
    expect([byName.code, byName.stdout]).toEqual([0, expect.stringContaining(`${KEY} deleted`)]);
    const again = await runCli(["delete", "vs/reviews"], { cwd });
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('no VirtualService "reviews"')]);
    expect((await runCli(["delete", "vs/reviews", "--ignore-not-found"], { cwd })).code).toBe(0);
    expect((await runCli(["delete", "-f", "reviews.yaml", "--ignore-not-found"], { cwd })).code).toBe(0);
    expect((await runCli(["get", "-n", "shop", "-o", "name"], { cwd })).stdout).toBe("");
  });

  it("asks which one is meant when two namespaces have the name", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/two.yaml", `${CANARY}---\n${CANARY.replaceAll("shop", "test")}`);
    const { code, stderr } = await runCli(["delete", "vs/reviews"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain("VirtualService/shop/reviews, VirtualService/test/reviews. Add -n NAMESPACE.");
    expect((await runCli(["delete", "vs/reviews", "-n", "test"], { cwd })).code).toBe(0);
  });

  it("never deletes a whole kind", async () => {
    using folder = mesh();
    const { code, stderr } = await runCli(["delete", "vs"], { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining("a whole kind is never deleted")]);
  });
});
