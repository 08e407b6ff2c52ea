import { expect, it } from "vitest";
import { parseTarget } from "./target.js";

it.each([
  ["reviews:50051", "http://reviews:50051", "reviews:50051", false],
  ["reviews", "http://reviews:443", "reviews", false],
  ["dns:reviews:50051", "http://reviews:50051", "reviews:50051", false],
  ["dns:///reviews:50051", "http://reviews:50051", "reviews:50051", false],
  ["ipv4:10.0.0.1:50051", "http://10.0.0.1:50051", "10.0.0.1:50051", false],
  ["ipv6:[::1]:50051", "http://[::1]:50051", "[::1]:50051", false],
  ["inmesh:reviews:50051", "http://reviews:50051", "reviews:50051", true],
  ["inmesh:///reviews", "http://reviews:80", "reviews", true],
  ["xds:///reviews.shop.svc.cluster.local:50051", "http://reviews.shop.svc.cluster.local:50051", undefined, true],
])("%s is %s", (text, origin, authority, meshOnly) => {
  const target = parseTarget(text);
  expect(target).toMatchObject({ text, origin, meshOnly });
  if (authority !== undefined) expect(target.authority).toBe(authority);
});

it.each([
  "unix:/tmp/socket",
  "unix:///tmp/socket",
  "unix-abstract:name",
  "dns://8.8.8.8/reviews:1",
  "ipv4:10.0.0.1:1,10.0.0.2:1",
])("%s is none of the mesh's business", (text) => {
  expect(parseTarget(text).origin).toBeUndefined();
});
