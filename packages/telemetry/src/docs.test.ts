import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { METRICS, type MetricSpec } from "./metrics/metric-table.js";

const PAGE = new URL("../../../docs/reference/metrics.md", import.meta.url);
const PART = /(<!-- metrics -->\n)[\s\S]*(<!-- \/metrics -->)/;

it("docs/reference/metrics.md shows every metric, and no other", () => {
  const page = readFileSync(PAGE, "utf8");
  const made = page.replace(PART, (_, start: string, end: string) => `${start}${table()}${end}`);
  if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(PAGE, made);
  else expect(page).toBe(made);
});

it("names are metrics' names, and counters end as Prometheus wants it", () => {
  for (const { name, type } of METRICS) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total"), name).toBe(type === "counter");
  }
  expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
});

function table(): string {
  const rows = METRICS.map((spec: MetricSpec) => {
    const labels = spec.common ? "as above" : spec.labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${spec.name}\` | ${spec.type} | ${labels} | ${spec.help} |\n`;
  });
  return `\n| metric | type | labels | what |\n|---|---|---|---|\n${rows.join("")}\n`;
}
