import { describe, expect, it } from "vitest";
import { lease, request, resource, snapshotOf, virtualService } from "./fixture.test.helper.js";

const subsets = (host = "reviews", name = "reviews", more = "") =>
  resource(
    "DestinationRule",
    name,
    `{host: ${host}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]${more}}`,
  );

describe("compile, header operations and rewrites of the host", () => {
  const compiled = (rule: string) =>
    snapshotOf([virtualService("vs", "reviews", rule), subsets()], [lease("reviews")])
      .routes.lookup("reviews", 80)
      ?.find(request("/"));
  const dest = (subset: string, headers: string, weight = 1) =>
    `{destination: {host: reviews, subset: ${subset}}, weight: ${weight}, headers: {request: ${headers}}}`;

  it("writes text beyond ASCII as its bytes in UTF-8, as Envoy does", () => {
    const value = compiled(`{route: [${dest("v1", "{set: {a: 'é 日'}}")}]}`)?.requestHeaders?.set[0]?.[1] ?? "";
    expect(Buffer.from(value, "latin1").toString("utf8")).toBe("é 日");
  });

  it("takes blanks around values away, which HTTP does on the way, but for a value of blanks", () => {
    const found = compiled(`{route: [${dest("v1", "{set: {a: ' x ', b: ' ', host: ' h '}}")}]}`);
    expect(found?.requestHeaders?.set).toEqual([
      ["a", "x"],
      ["b", " "],
    ]);
    expect(found?.rewrite?.authority).toBe("h");
  });

  it("joins a single destination's operations to the route's: its set wins, every add follows every set", () => {
    const found = compiled(
      `{route: [${dest("v1", "{set: {b: d, a: d}, add: {x: d}}")}], headers: {request: {set: {a: r, X-U: r}, add: {a: r}, remove: [Z]}}}`,
    );
    expect(found?.requestHeaders).toEqual({
      remove: ["z"],
      set: [
        ["a", "d"],
        ["x-u", "r"],
        ["b", "d"],
      ],
      add: [
        ["a", "r"],
        ["x", "d"],
      ],
    });
  });

  it("keeps the operations of several destinations apart", () => {
    const found = compiled(`{route: [${dest("v1", "{set: {a: d}}")}, ${dest("v2", "{set: {Host: two.example}}")}]}`);
    expect(found?.requestHeaders).toBeUndefined();
    expect(found?.action).toMatchObject({
      destinations: [{ requestHeaders: { set: [["a", "d"]] } }, { authority: "two.example" }],
    });
  });

  it.each([
    ["rewrite: {authority: one}", "{set: {host: four}}", "one"],
    ["headers: {request: {set: {':authority': two}, add: {x: y}}}", "{set: {host: four}}", "two"],
    ["headers: {request: {add: {host: three}}}", "{set: {host: four}}", "three"],
    ["timeout: 1s", "{set: {host: four}}", "four"],
  ])("takes the host of %s", (rule, destination, authority) => {
    expect(compiled(`{route: [${dest("v1", destination)}], ${rule}}`)?.rewrite?.authority).toBe(authority);
  });
});
