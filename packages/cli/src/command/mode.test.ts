import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const meshMode = (name: string, namespace: string, spec: string) =>
  `apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;

/** One process of shop/web that tells a mode and has taken whatever is written. */
async function setup(mode = "on", modeFrom = "default") {
  const folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "");
  const cwd = folder.path;
  const { FolderRegistry } = await import("@inmesh/core/folder");
  const { parseDocuments } = await import("@inmesh/model");
  const registry = new FolderRegistry({ path: join(cwd, "mesh"), parse: parseDocuments });
  const told = { mode, modeFrom, resources: {} as Record<string, string> };
  const web = await FakeProcess.start(
    join(cwd, "mesh"),
    {},
    {
      "/server_info": () => ({ instance: "web-1", mode: told.mode, modeFrom: told.modeFrom }),
      "/snapshot": () => ({ version: 2, revision: "1b20aa34", resources: told.resources, problems: [] }),
    },
  );
  /** The process takes what the folder holds by now. */
  const take = async (): Promise<void> => {
    told.resources = Object.fromEntries((await registry.list()).map(({ key, hash }) => [key, hash]));
  };
  return {
    ...{ folder, cwd, told, take },
    run: (line: string) => runCli(line.split(" "), { cwd }),
    async [Symbol.asyncDispose]() {
      await web[Symbol.asyncDispose]();
      await registry.close();
      folder[Symbol.dispose]();
    },
  };
}

describe("inmesh mode", () => {
  it("shows the mode of every process, who says so, and the documents that say anything", async () => {
    await using mesh = await setup("observe", "MeshMode/shop/default");
    mesh.folder.write("mesh/mode.yaml", meshMode("default", "shop", "{ mode: observe }"));
    const { code, stdout, stderr } = await mesh.run("mode");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^DATA PLANE +SERVICE +MODE +SAID BY\nshop\/web-1 +web +observe +MeshMode\/shop\/default\n$/,
    );
    expect(stderr).toBe("MeshMode/shop/default (mode.yaml:1) says observe for namespace shop\n");
    const json = (await mesh.run("mode -o json")).json<{ processes: object[]; resources: object[] }>();
    expect(json.processes).toMatchObject([{ name: "shop/web-1", mode: "observe", from: "MeshMode/shop/default" }]);
    expect(json.resources).toMatchObject([{ resource: "MeshMode/shop/default", scope: "namespace", mode: "observe" }]);
    expect((await mesh.run("mode -n back -o name")).stdout).toBe("");
  });

  it.each([
    ["off --mesh", "MeshMode/istio-system/default", "mode: off"],
    ["observe -n shop", "MeshMode/shop/default", "mode: observe"],
    ["off web -n shop", "MeshMode/shop/web", "app: web"],
    ["off shop/web -l version=v1", "MeshMode/shop/web", "version: v1"],
    ["observe -n shop -l version=v1,tier=x", "MeshMode/shop/v1-x", "tier: x"],
  ])("mode %s writes %s and tells the way back", async (line, key, text) => {
    await using mesh = await setup();
    const { code, stdout, stderr } = await mesh.run(`mode ${line}`);
    expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^${key} created  `))]);
    expect(stderr).toContain(`Undo: inmesh delete ${key}\n`);
    const [, file = ""] = /created {2}(\S+)/.exec(stdout) ?? [];
    expect(mesh.folder.read(`mesh/${file.replace(/^.*mesh\//, "")}`)).toContain(text);
    expect((await mesh.run("validate mesh")).code).toBe(0);
    expect((await mesh.run(`delete ${key}`)).code).toBe(0);
  });

  it("changes the document that speaks for the scope, where it stands and whatever its name", async () => {
    await using mesh = await setup();
    mesh.folder.write("mesh/mine.yaml", `# ours\n${meshMode("calm", "shop", "{ mode: on }")}`);
    const { stdout, stderr } = await mesh.run("mode observe -n shop");
    expect(stdout).toMatch(/^MeshMode\/shop\/calm configured {2}mine.yaml\n/);
    expect(stderr).toContain("Undo: inmesh mode on -n shop\n");
    expect(mesh.folder.read("mesh/mine.yaml")).toMatch(/^# ours\n[\s\S]*mode: observe/);
    expect((await mesh.run("mode observe -n shop")).stdout).toMatch(/unchanged/);
  });

  it("only tells what it would do with --dry-run", async () => {
    await using mesh = await setup();
    const { stdout } = await mesh.run("mode off --mesh --dry-run -o json");
    expect(JSON.parse(stdout)).toMatchObject({
      mode: "off",
      scope: "mesh",
      dryRun: true,
      results: [{ outcome: "created" }],
    });
    expect((await mesh.run("get meshmode -o name")).stdout).toBe("");
  });

  it("waits until every process that is meant runs it", async () => {
    await using mesh = await setup();
    const running = mesh.run("mode off --mesh --wait");
    while ((await mesh.run("get meshmode -o name")).stdout === "")
      await new Promise((resolve) => setImmediate(resolve));
    Object.assign(mesh.told, { mode: "off", modeFrom: "MeshMode/istio-system/default" });
    await mesh.take();
    const { code, stdout } = await running;
    expect(code).toBe(0);
    expect(stdout).toMatch(/shop\/web-1 +web +off +MeshMode\/istio-system\/default\n$/);
  });

  it("exits with 1 when something narrower keeps another mode, and with 4 when a process does not take it", async () => {
    await using mesh = await setup("on", "MeshMode/shop/web");
    const late = await mesh.run("mode off --mesh --wait --timeout 150ms");
    expect([late.code, late.stderr]).toEqual([4, expect.stringContaining("shop/web-1 has not taken it")]);
    await mesh.take();
    const narrower = await mesh.run("mode off --mesh --wait");
    expect([narrower.code, narrower.stderr]).toEqual([
      1,
      expect.stringContaining("shop/web-1 stays on: MeshMode/shop/web is narrower"),
    ]);
  });

  it.each([
    ["mode off", "nobody is named"],
    ["mode off --mesh -n shop", "--mesh means everybody"],
    ["mode pause --mesh", "Allowed choices are off, observe, on"],
    ["mode off -n shop -l version", '"version" is no label'],
  ])("inmesh %s is wrong usage", async (line, message) => {
    await using mesh = await setup();
    const { code, stderr } = await mesh.run(line);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it("refuses a selector that none of the service's processes has", async () => {
    await using mesh = await setup();
    const { code, stderr } = await mesh.run("mode off shop/web -l version=v9");
    expect([code, stderr]).toEqual([1, expect.stringContaining("the first one has app=web,version=v1")]);
  });
});
