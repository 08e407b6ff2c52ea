import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { describe, expect, inject, it } from "vitest";
import { ROOT } from "./tarballs.js";

/** attw's profile "esm-only": no resolution that knows no `exports`, no type check of `require` by an old compiler. */
const NOT_JUDGED = new Set(["node10", "node16-cjs"]);

describe.each(inject("tarballs").map((tarball) => [tarball.name, tarball] as const))("%s", (_, tarball) => {
  const { manifest, paths, folder } = tarball;
  const bytes = readFileSync(tarball.file);

  it("satisfies publint", async () => {
    const { buffer, byteOffset, byteLength } = bytes;
    const pack = { tarball: (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength) };
    const { messages, pkg } = await publint({ strict: true, pack });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it("has types where its code is", async () => {
    const analysis = await checkPackage(createPackageFromTarballData(new Uint8Array(bytes)));
    if (analysis.types === false) throw new Error("no types found");
    const judged = analysis.problems.filter(
      (problem) => !("resolutionKind" in problem && NOT_JUDGED.has(problem.resolutionKind)),
    );
    expect(judged).toEqual([]);
    expect(Object.keys(analysis.entrypoints).length).toBe(Object.keys(manifest.exports ?? {}).length);
  });

  it("says what it is, under which license, and for which Node", () => {
    expect(manifest).toMatchObject({ type: "module", license: "Apache-2.0", engines: { node: ">=20.19" } });
    expect(manifest.description).toMatch(/.{10}/);
    expect(manifest.keywords).toEqual(expect.arrayContaining(["inmesh", "service-mesh"]));
    expect(manifest.exports?.["./package.json"]).toBe("./package.json");
    expect(readFileSync(join(folder, "LICENSE"), "utf8")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
    expect(paths).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
  });

  it("carries no test, no test data and nothing of the build", () => {
    const unwanted = /\.(test|contract|spec)\.|(^|\/)(test|fixtures)\/|tsbuildinfo|tsconfig|vitest|\.golden\./;
    expect(paths.filter((path) => unwanted.test(path))).toEqual([]);
  });

  it("carries the source of all that it runs, so that stack traces and go-to-definition land", () => {
    const maps = paths.filter((path) => path.endsWith(".map"));
    const scripts = paths.filter((path) => /^dist\/.*\.js$/.test(path));
    expect(maps.filter((path) => path.endsWith(".js.map")).length).toBe(scripts.length);
    for (const map of maps) {
      const { sources } = JSON.parse(readFileSync(join(folder, map), "utf8")) as { sources: string[] };
      for (const source of sources) {
        const path = join(dirname(map), source);
        expect(paths, `the source of ${map}; a stale file? npm run clean`).toContain(path);
        expect(existsSync(join(folder, path))).toBe(true);
      }
    }
  });

  it("runs nothing when it is installed", () => {
    const scripts = Object.keys(manifest.scripts ?? {}).filter((name) => /install|^prepare$/.test(name));
    expect(scripts).toEqual([]);
    expect(paths).not.toContain("binding.gyp");
  });
});
