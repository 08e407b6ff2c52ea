import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { MAY_IMPORT, MAY_NAME, NO_AMBIENT_TIME, ONE_PLACE, TOP_LEVEL } from "./house.js";
import { outsideLibraries, packageOf, ROOT, readPackages, trackedTopLevel } from "./read-house.js";

const packages = readPackages();
const ours = new Set(packages.map(({ name }) => name));

describe("the house", () => {
  it("holds at its top level what the design lists, and nothing else", () => {
    expect(trackedTopLevel().filter((name) => !TOP_LEVEL.test(name))).toEqual([]);
  });

  it("knows every package", () => {
    expect([...ours].filter((name) => MAY_IMPORT[name] === undefined)).toEqual([]);
  });

  it("has one version", () => {
    expect(new Set(packages.map(({ version }) => version)).size).toBe(1);
    for (const { name, version, dependencies } of packages) {
      const skewed = Object.entries(dependencies).filter(([other, range]) => ours.has(other) && range !== version);
      expect(skewed, name).toEqual([]);
    }
  });

  it.each(packages.map((each) => [each.name, each] as const))(
    "%s imports only downwards",
    (name, { files, dependencies, devDependencies }) => {
      const allowed = new Set([name, ...(MAY_IMPORT[name] ?? [])]);
      const upward = files.flatMap(({ path, imports }) =>
        imports
          .map(packageOf)
          .filter((other) => other !== undefined && ours.has(other) && !allowed.has(other))
          .map((other) => `${path} imports ${other}`),
      );
      expect(upward).toEqual([]);
      const named = [...Object.keys(dependencies), ...Object.keys(devDependencies)].filter((other) => ours.has(other));
      expect(named.filter((other) => !allowed.has(other) && !MAY_NAME[name]?.includes(other))).toEqual([]);
    },
  );

  it.each(packages.map((each) => [each.name, each] as const))("%s declares what its sources import", (name, each) => {
    const undeclared = each.files.flatMap(({ path, imports, isTest }) =>
      imports
        .map(packageOf)
        .filter((other) => other !== undefined && other !== name && !builtinModules.includes(other))
        .filter(
          (other) =>
            !(other! in each.dependencies) && !(isTest && (other! in each.devDependencies || other === "vitest")),
        )
        .map((other) => `${path} imports ${other}`),
    );
    expect(undeclared).toEqual([]);
  });

  it("imports each outside library in its one place", () => {
    const strays = packages.flatMap(({ files }) =>
      files
        .filter(({ isTest }) => !isTest)
        .flatMap(({ path, imports }) =>
          imports
            .map(packageOf)
            .filter((library) => library !== undefined && ONE_PLACE[library] !== undefined)
            .filter((library) => !ONE_PLACE[library!]!.some((place) => path.startsWith(place)))
            .map((library) => `${path} imports ${library}`),
        ),
    );
    expect(strays).toEqual([]);
  });

  it("says of every library from outside what it is there for", () => {
    const page = readFileSync(join(ROOT, "docs/design/2026-11-21-libraries.md"), "utf8");
    expect(outsideLibraries().filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it("takes time and chance as arguments", () => {
    const ambient = /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval|setImmediate)\(/;
    const found = packages
      .flatMap(({ files }) => files)
      .filter(({ path, isTest }) => !isTest && NO_AMBIENT_TIME.some((place) => path.startsWith(place)))
      .filter(({ path }) => !path.startsWith("core/src/runtime/"))
      .flatMap(({ path, text }) =>
        text
          .split("\n")
          .map((line, index) => ({ line, where: `${path}:${index + 1}` }))
          .filter(({ line }) => ambient.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
          .map(({ where }) => where),
      );
    expect(found).toEqual([]);
  });

  it("never re-exports everything from an index, and leaves no skipped or focused test", () => {
    const files = packages.flatMap((each) => each.files);
    expect(files.filter(({ text }) => /^export \* from/m.test(text)).map(({ path }) => path)).toEqual([]);
    expect(
      files.filter(({ text }) => /\b(it|test|describe)\.(only|todo|skip)\(/.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  it("asks core what was thrown, where it can", () => {
    // boot.ts runs before anything of core is loaded.
    const again = packages
      .flatMap(({ files }) => files)
      .filter(
        ({ path, text }) =>
          /(\w+) instanceof Error \? \1\.message : String\(\1\)/.test(text) &&
          !/core\/src\/errors\.ts$|boot\/boot\.ts$/.test(path),
      )
      .map(({ path }) => path);
    expect(again).toEqual([]);
  });

  it("says at the top of a file of more than 400 lines why it is that long", () => {
    const silent = packages
      .flatMap(({ files }) => files)
      .filter(({ isTest, path }) => !isTest && !path.includes("generated"))
      .filter(({ text }) => text.split("\n").length > 401 && !/lines/i.test(text.slice(0, 1_200)))
      .map(({ path, text }) => `${path}: ${text.split("\n").length}`);
    expect(silent).toEqual([]);
  });

  it("ships packages that can be published: exports with types first, files, engines, no install scripts", () => {
    for (const { name, manifest } of packages) {
      const { type, engines, license, exports, files, scripts } = manifest as {
        type: string;
        engines: { node: string };
        license: string;
        exports: Record<string, Record<string, string> | string>;
        files: string[];
        scripts: Record<string, string>;
      };
      expect([type, engines.node, license], name).toEqual(["module", ">=20.19", "Apache-2.0"]);
      expect(files, name).toContain("dist");
      expect(
        Object.keys(scripts).filter((script) => /install/.test(script)),
        name,
      ).toEqual([]);
      for (const [path, target] of Object.entries(exports)) {
        if (typeof target === "string") continue;
        expect(Object.keys(target), `${name} ${path}`).toEqual(["@inmesh/source", "types", "default"]);
      }
    }
  });
});
