import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { bundledBytes } from "./bundle-size.js";
import { Consumer } from "./consumer.js";
import { dependenciesPage, JOBS, type Measured, namesIn, sizesIn } from "./dependencies-page.js";
import { isOurs, readInstalled } from "./footprint.js";
import { ROOT, specifiers } from "./tarballs.js";

/** For our own packages, sources and maps included, and what libraries bring along, beyond the libraries that inmesh is built on. */
/** The greater part is what OpenTelemetry's exporters ask for: 17 MB, of which a process that sends no spans loads nothing. */
/** Of the engine: with breakers, outlier detection, hash rings, localities, rate limits of one process and of many, admission, access control, and the record of it all. */
const BUDGET = { packages: 25, bytes: 20e6, coreBytes: 110e3 };
const PAGE = join(ROOT, "docs", "reference", "dependencies.md");

const consumer = new Consumer(inject("npm"));
let measured: Measured;

beforeAll(async () => {
  await consumer.install(["@inmesh/node"]);
  const core = inject("tarballs").find(({ name }) => name === "@inmesh/core")!; // a package of this repository
  const entries = specifiers(core).filter((entry) => !entry.endsWith("/testing"));
  measured = {
    installed: readInstalled(consumer.folder),
    coreBytes: await bundledBytes(consumer.folder, core.name, entries),
  };
});
afterAll(() => consumer.dispose());

describe("npm install @inmesh/node", () => {
  it("brings what it needs within the budget", () => {
    const { installed } = measured;
    const named = installed.filter((one) => !isOurs(one) && one.askedBy.some((name) => name.startsWith("@inmesh/")));
    const beyond = installed.filter((one) => !named.includes(one));
    expect(beyond.length).toBeLessThanOrEqual(BUDGET.packages);
    expect(beyond.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(BUDGET.bytes);
  });

  it("brings nothing of which nobody can say what it is for", () => {
    const libraries = measured.installed.filter((one) => !isOurs(one)).map(({ name }) => name);
    expect(libraries.filter((name) => JOBS[name] === undefined)).toEqual([]);
    expect(Object.keys(JOBS).filter((name) => !libraries.includes(name))).toEqual([]);
  });

  it("runs no script of any package", () => {
    const scripted = measured.installed.filter(({ manifest }) =>
      Object.keys(manifest.scripts ?? {}).some((name) => /^(pre|post)?install$/.test(name)),
    );
    expect(scripted.map(({ name }) => name)).toEqual([]);
  });

  it("keeps the control plane, the command and every framework out", () => {
    const names = measured.installed.map(({ name }) => name);
    expect(names).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/control-plane|dashboard|^inmesh$|commander/)]),
    );
    expect(names).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(express|fastify|axios|got|vitest)$/)]));
  });

  it("brings an engine that is small in a bundle", () => {
    expect(measured.coreBytes).toBeGreaterThan(10e3);
    expect(measured.coreBytes).toBeLessThanOrEqual(BUDGET.coreBytes);
  });

  it("brings what the page says", () => {
    const now = dependenciesPage(measured);
    if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(PAGE, now);
    const page = readFileSync(PAGE, "utf8");
    expect(namesIn(page)).toBe(namesIn(now));
    const [told, found] = [sizesIn(page), sizesIn(now)];
    for (const [index, kB] of found.entries()) {
      expect(Math.abs(kB - told[index]!), `${told[index]} kB on the page`).toBeLessThan(Math.max(kB / 3, 20));
    }
  });
});
