import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { FAMILIES } from "./client/families.js";
import { DRAIN_SCENARIO } from "./drain-load.js";
import { SHARES } from "./group/splits.js";
import { GROUPS } from "./groups.js";
import { matrixPage, printMatrix } from "./matrix-page.js";
import { type MatrixRun, runMatrix } from "./run-matrix.js";
import { concerns, meets } from "./scenario.js";
import type { ServerName } from "./server/server-kind.js";
import { SERVERS } from "./server/server-kinds.js";

const PAGE = fileURLToPath(new URL("../../../docs/reference/compatibility.md", import.meta.url));

describe("every client and every server", () => {
  let run: MatrixRun;

  beforeAll(async () => {
    run = await runMatrix();
    console.log(printMatrix(run));
  });

  const scenarios = GROUPS.flatMap(({ name, scenarios }) => scenarios.map((each) => [name, each.name] as const));

  it.each([...scenarios, ["drain", DRAIN_SCENARIO] as const])("agree on %s: %s", (groupName, scenario) => {
    const cells = run.cells.filter((cell) => cell.group === groupName && cell.scenario === scenario);
    const clients = [...new Set(run.cells.map(({ client }) => client))];
    const group = GROUPS.find(({ name }) => name === groupName);
    const servers = (Object.keys(SERVERS) as ServerName[]).filter((id) => group === undefined || concerns(group, id));
    const pairs = servers.flatMap((id) => clients.filter((client) => meets(client, id)));
    expect(cells.length).toBe(pairs.length); // nobody stayed away
    expect(
      cells.filter(({ outcome }) => outcome === "skip" && cells.length > 0).every(({ detail }) => detail !== ""),
    ).toBe(true);
    expect(
      cells
        .filter(({ outcome }) => outcome === "fail")
        .map(({ client, server, detail }) => `${client} -> ${server}: ${detail}`),
    ).toEqual([]);
  });

  it.each(Object.entries(SHARES))("share traffic %s over the whole run", (scenario, wanted) => {
    const tallies = run.cells
      .filter((cell) => cell.scenario === scenario)
      .map(({ tally }) => tally ?? { v1: 0, v2: 0 });
    const v2 = tallies.reduce((sum, tally) => sum + tally.v2, 0);
    const calls = tallies.reduce((sum, tally) => sum + tally.v1 + tally.v2, 0);
    expect(calls).toBeGreaterThan(1_000);
    const deviation = Math.sqrt((wanted * (1 - wanted)) / calls);
    expect(Math.abs(v2 / calls - wanted)).toBeLessThan(5 * deviation);
  });

  it("come from every family", () => {
    expect(new Set(run.cells.map(({ family }) => family))).toEqual(new Set(Object.keys(FAMILIES)));
  });

  it("print nothing on stderr, and end by themselves", () => {
    expect(run.troubles).toEqual([]);
  });

  it("are listed in docs/reference/compatibility.md as they are", () => {
    const page = matrixPage(run);
    if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, "utf8")).toBe(page);
  });
});
