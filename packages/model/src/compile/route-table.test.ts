import { describe, expect, it } from "vitest";
import { lease, snapshotOf } from "./fixture.test.helper.js";

describe("names as callers write them", () => {
  it.each([
    ["reviews", true],
    ["Reviews.Shop", true],
    ["reviews.shop.svc.cluster.local", true],
    ["reviews.shop.svc.cluster.local.", true],
    ["reviews.", false], // whole by its dot, and nobody's (as to Istio)
    ["reviews.shop.", false],
    ["reviews.shop.svc.", false],
  ])("%s: a service of the mesh %s", (host, isKnown) => {
    const { routes } = snapshotOf([], [lease("reviews")]);
    expect(routes.lookup(host, 80) !== undefined).toBe(isKnown);
  });
});
