import { describe, expect, it } from "vitest";
import { BAD_TIMEOUT, REVIEWS } from "../testing/policy.js";
import { FakeProcess, type Outcome, runCli, TemporaryFolder } from "../testing/run-cli.js";

const CANARY = REVIEWS.split("---\n")[2] ?? "";
const weighing = (weight: number): string =>
  CANARY.replace("weight: 90", `weight: ${weight}`).replace("weight: 10 ", `weight: ${100 - weight} `);
const FILE = "mesh/virtualservice-shop-reviews.yaml";

interface History {
  readonly resource: string;
  readonly revisions: readonly {
    readonly id: string;
    readonly at: string;
    readonly who: string;
    readonly reason?: string;
    readonly outcome: string;
    readonly before?: string;
    readonly after?: string;
    readonly fields?: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
  }[];
}

/** A registry in which the canary was made and changed once. */
async function mesh() {
  const folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "{}\n");
  const run = (line: string, stdin = ""): Promise<Outcome> =>
    runCli(line.match(/"[^"]*"|\S+/g)?.map((word) => word.replaceAll('"', "")) ?? [], { cwd: folder.path, stdin });
  const ok = async (line: string, stdin = ""): Promise<string> => {
    const { code, stdout, stderr } = await run(line, stdin);
    expect([line, code, stderr]).toEqual([line, 0, stderr]);
    return stdout;
  };
  await ok("apply -f -", weighing(90));
  await ok('apply -f - --reason "INC-7: half" --as ci', weighing(50));
  const history = async (): Promise<History["revisions"]> =>
    JSON.parse(await ok("history vs/reviews -n shop -o json")).revisions;
  const weight = (): string => /weight: (\d+)/.exec(folder.read(FILE))?.[1] ?? "";
  return { folder, run, ok, history, weight, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

describe("inmesh history", () => {
  it("tells who changed what, when and why, and with --diff which fields", async () => {
    using m = await mesh();
    const when = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ";
    expect(await m.ok("history vs/reviews")).toMatch(
      new RegExp(
        `^ID  WHEN +WHO +WHAT +REASON\n 2  ${when}  ci           configured  INC-7: half\n 1  ${when}  tester@here  created     -\n$`,
      ),
    );
    expect(await m.ok("history vs reviews --diff")).toMatch(
      new RegExp(
        `^2  ${when}  ci  configured  INC-7: half\n    spec.http\\[1\\].route\\[0\\].weight  90 -> 50\n    spec.http\\[1\\].route\\[1\\].weight  10 -> 50\n1  ${when}  tester@here  created  -\n$`,
      ),
    );
    const { resource, revisions } = JSON.parse(
      await m.ok("history VirtualService/shop/reviews --diff --json"),
    ) as History;
    expect([resource, revisions.length]).toEqual(["VirtualService/shop/reviews", 2]);
    expect(revisions[0]?.fields?.[0]).toEqual({ path: "spec.http[1].route[0].weight", from: 90, to: 50 });
    expect(revisions[0]?.before).toBe(revisions[1]?.after);
    expect([revisions[1]?.before, revisions[1]?.fields]).toEqual([undefined, []]);
  });

  it("is kept of what was deleted, and of the mode", async () => {
    using m = await mesh();
    await m.ok("delete vs/reviews --reason enough");
    expect((await m.history()).map(({ outcome, reason }) => `${outcome} ${reason ?? ""}`)).toEqual([
      "deleted enough",
      "configured INC-7: half",
      "created ",
    ]);
    await m.ok('mode off --mesh --reason "all stop" --as ann');
    const key = (await m.ok("get mode -o name")).trim();
    const { revisions } = JSON.parse(await m.ok(`history ${key} -o json`)) as History;
    expect(revisions.map(({ who, reason }) => [who, reason])).toEqual([["ann", "all stop"]]);
  });

  it("is not changed by a dry run, nor by an apply that changes nothing", async () => {
    using m = await mesh();
    await m.ok("apply -f - --dry-run", weighing(10));
    await m.ok("apply -f -", weighing(50));
    await m.ok("delete vs/reviews --dry-run");
    await m.ok("rollback vs/reviews --dry-run");
    expect(await m.history()).toHaveLength(2);
  });

  it("says what to do about a name that is of nothing", async () => {
    using m = await mesh();
    const { code, stderr } = await m.run("history vs/reveiws -n shop");
    expect([code, stderr]).toEqual([
      1,
      'inmesh: no VirtualService "reveiws" in namespace "shop" in "./mesh". Did you mean "reviews"?\n',
    ]);
  });
});

describe("inmesh rollback", () => {
  it("takes the last change back, and again, which is a change like any other", async () => {
    using m = await mesh();
    expect(await m.ok("rollback vs/reviews")).toBe(
      "VirtualService/shop/reviews configured  virtualservice-shop-reviews.yaml\n",
    );
    expect(m.weight()).toBe("90");
    await m.ok('rollback vs/reviews --as bob --reason "no, half"');
    expect(m.weight()).toBe("50");
    expect((await m.history()).map(({ id, who, reason }) => [id, who, reason])).toEqual([
      ["4", "bob", "no, half"],
      ["3", "tester@here", "rollback of change 2"],
      ["2", "ci", "INC-7: half"],
      ["1", "tester@here", undefined],
    ]);
  });

  it("restores what was deleted with its time of creation, and deletes what was created", async () => {
    using m = await mesh();
    const before = m.folder.read(FILE);
    await m.ok("delete vs/reviews");
    expect(await m.ok("rollback vs/reviews -n shop")).toContain("VirtualService/shop/reviews created");
    expect(m.folder.read(FILE)).toBe(before);
    await m.ok("rollback vs/reviews");
    expect(await m.ok("get vs -o name")).toBe("");
    expect((await m.history()).map(({ outcome }) => outcome)).toEqual([
      "deleted",
      "created",
      "deleted",
      "configured",
      "created",
    ]);
  });

  it("goes back to what a change made, whatever came after it", async () => {
    using m = await mesh();
    await m.ok("apply -f -", weighing(10));
    await m.ok("delete vs/reviews");
    await m.ok("rollback vs/reviews -n shop --to 1");
    expect(m.weight()).toBe("90");
    expect(await m.ok("rollback vs/reviews --to 4")).toContain("deleted");
    expect(await m.ok("rollback vs/reviews -n shop --to 4")).toBe("VirtualService/shop/reviews unchanged\n");
    const { code, stderr } = await m.run("rollback vs/reviews -n shop --to 9");
    expect([code, stderr]).toEqual([
      1,
      'inmesh: there is no change "9" of VirtualService/shop/reviews; kept are 1 to 6. See: inmesh history VirtualService/shop/reviews\n',
    ]);
  });

  it("says what it would change, and changes nothing, in a dry run", async () => {
    using m = await mesh();
    const { code, stdout, stderr } = await m.run("rollback vs/reviews --dry-run");
    expect([code, stdout]).toEqual([
      0,
      "VirtualService/shop/reviews configured (dry run)  virtualservice-shop-reviews.yaml\n",
    ]);
    expect(stderr).toBe("    spec.http[1].route[0].weight  50 -> 90\n    spec.http[1].route[1].weight  50 -> 10\n");
    expect(m.weight()).toBe("50");
    expect(await m.ok("rollback vs/reviews --to 2 --dry-run")).toContain("unchanged (dry run)");
  });

  it("warns that it takes back what was changed by hand as well, and keeps that in the record", async () => {
    using m = await mesh();
    m.folder.write(FILE, m.folder.read(FILE).replace("timeout: 3s", "timeout: 9s"));
    const { code, stderr } = await m.run("rollback vs/reviews");
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("was changed by hand after change 2; that is taken back, too"),
    ]);
    expect(m.folder.read(FILE)).toContain("timeout: 3s");
    expect((await m.history())[0]?.before).toContain("timeout: 9s");
  });

  it("refuses a version that is not valid today, and one that a running process is too old for", async () => {
    using m = await mesh();
    const key = "VirtualService/shop/bad";
    const line = (value: object): string => `${JSON.stringify({ id: "1", key, at: 1, who: "ann", ...value })}\n`;
    const history = "mesh/.history/VirtualService+shop+bad.jsonl";
    m.folder.write(history, line({ outcome: "deleted", before: BAD_TIMEOUT }));
    const invalid = await m.run("rollback vs/bad -n shop");
    expect([invalid.code, invalid.stdout]).toEqual([1, ""]);
    expect(invalid.stderr).toContain("Nothing was written: the earlier version is not valid today (1 error).");
    m.folder.write(history, line({ outcome: "deleted", before: "nonsense" }));
    expect((await m.run("rollback vs/bad -n shop")).stderr).toContain("cannot be read any more");
    m.folder.write(history, line({ outcome: "deleted", omitted: true }));
    expect((await m.run("rollback vs/bad -n shop")).stderr).toContain("too large to be kept");
    await using _ = await FakeProcess.start(`${m.folder.path}/mesh`, { schemaVersion: 0 });
    const old = await m.run("rollback vs/reviews");
    expect([old.code, old.stderr]).toEqual([
      1,
      expect.stringContaining("which shop/web-1 (inmesh 0.1.0) cannot honour"),
    ]);
    expect((await m.run("rollback vs/reviews --force")).code).toBe(0);
  });

  it("waits until every process has it, when told to", async () => {
    using m = await mesh();
    await using process = await FakeProcess.start(
      `${m.folder.path}/mesh`,
      {},
      { "/snapshot": () => ({ version: 2, revision: "a", resources: {}, problems: [] }) },
    );
    const { code, stderr } = await m.run("rollback vs/reviews --wait --timeout 200ms");
    expect([code, stderr]).toEqual([4, expect.stringContaining("has not taken VirtualService/shop/reviews")]);
    expect(process.asked).toContain("/snapshot");
  });
});
