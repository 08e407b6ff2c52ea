import { expect, it } from "vitest";
import { lease, request, snapshotOf, virtualService } from "./fixture.test.helper.js";

const cluster = (host: string, subset = "", port = 80) => `outbound|${port}|${subset}|${host}.shop.svc.cluster.local`;
const TO = "route: [{destination: {host: reviews}}]";
const workloads = [lease("reviews", 3001), lease("stock", 4000)];

function mirrorsOf(rule: string) {
  const snapshot = snapshotOf([virtualService("vs", "reviews", `{${rule}, ${TO}}`)], workloads);
  const route = snapshot.routes.lookup("reviews", 80)?.find(request("/"));
  return route?.mirrors.map(({ destination, ratio, field }) => [destination.cluster, ratio, field]);
}

it.each([
  ["mirror: {host: stock}", [[cluster("stock"), 1, "mirror"]]],
  ["mirror: {host: stock, subset: v2, port: {number: 81}}", [[cluster("stock", "v2", 81), 1, "mirror"]]],
  ["mirror: {host: stock}, mirrorPercentage: {value: 0.1234}", [[cluster("stock"), 0.001234, "mirror"]]],
  ["mirror: {host: stock}, mirrorPercent: 25", [[cluster("stock"), 0.25, "mirror"]]],
  ["mirror: {host: stock}, mirrorPercent: 25, mirrorPercentage: {value: 50}", [[cluster("stock"), 0.5, "mirror"]]],
  ["mirror: {host: stock}, mirrorPercentage: {value: 0}", []],
  ["mirror: {host: stock}, mirrorPercentage: {}", []],
  [
    "mirrors: [{destination: {host: stock}, percentage: {value: 0}}, {destination: {host: gone}, percentage: {value: 10}}, {destination: {host: stock}}]",
    [
      [cluster("gone"), 0.1, "mirrors[1]"],
      [cluster("stock"), 1, "mirrors[2]"],
    ],
  ],
  ["timeout: 1s", []],
])("compiles %s", (rule, expected) => {
  expect(mirrorsOf(rule)).toEqual(expected);
});

it("keeps a rule whose mirror gets another endpoint, and compiles it anew when the mirror is written otherwise", () => {
  const written = (percent: number) =>
    virtualService("vs", "reviews", `{mirror: {host: stock}, mirrorPercentage: {value: ${percent}}, ${TO}}`);
  const find = (snapshot: ReturnType<typeof snapshotOf>) => snapshot.routes.lookup("reviews", 80)?.find(request("/"));
  const ten = written(10);
  const first = snapshotOf([ten], workloads);
  const route = find(first);
  const second = snapshotOf([ten], [...workloads, lease("stock", 4001)], { version: 2 }, first);
  expect(find(second)).toBe(route);
  const third = snapshotOf([written(20)], workloads, { version: 3 }, second);
  expect(find(third)?.mirrors).toMatchObject([{ ratio: 0.2 }]);
});
