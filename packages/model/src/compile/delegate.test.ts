import { describe, expect, it } from "vitest";
import { lease, request, resource, route, snapshotOf, target, virtualService } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;

describe("compile, delegates", () => {
  const root = (more: string) =>
    virtualService(
      "root",
      "reviews",
      `{name: r, ${more}, delegate: {name: leaf, namespace: back}}, ${route("reviews")}`,
    );
  const leaf = (rules: string, more = "") => resource("VirtualService", "back/leaf", `{http: [${rules}]${more}}`);
  const compiled = (...resources: ReturnType<typeof leaf>[]) => {
    const stock = [lease("reviews"), lease("back/stock")];
    return snapshotOf(resources, stock).routes.lookup("reviews", 80);
  };

  it("puts the delegate's rules in the root's place, its short names meaning its own namespace", () => {
    const host = compiled(root("match: [{uri: {prefix: /a}}]"), leaf(`{name: l, ${route("stock").slice(1)}`));
    const found = host?.find(request("/a/b"));
    expect(target(found)).toBe("outbound|80||stock.back.svc.cluster.local");
    expect(found).toMatchObject({ name: "r-l", resource: { namespace: "back", name: "leaf" }, path: "spec.http[0]" });
    expect(target(host?.find(request("/b")))).toBe(OUT);
  });

  it("inherits whole what the delegate leaves out", () => {
    const host = compiled(
      root("match: [{uri: {prefix: /}}], timeout: 5s, retries: {attempts: 7}"),
      leaf(`{retries: {attempts: 1}, ${route("stock").slice(1)}`),
    );
    expect(host?.find(request("/"))).toMatchObject({ timeoutMs: 5_000, retry: { maxAttempts: 2 } });
  });

  it.each([
    ["uri: {prefix: /a}", "uri: {prefix: /a/b}", "/a/b", true],
    ["uri: {prefix: /a}", "uri: {exact: /a/b}", "/a/b", true],
    ["uri: {prefix: /a}", "uri: {prefix: /b}", "/b", false],
    ["uri: {exact: /a}", "uri: {prefix: /a}", "/a", false],
    ["uri: {regex: /a}", "uri: {exact: /a}", "/a", false],
    ["uri: {prefix: /a}", "headers: {x: {exact: '1'}}", "/a", true],
    ["sourceNamespace: shop", "uri: {prefix: /a}", "/a", false],
    ["sourceNamespace: shop", "uri: {prefix: /a}, sourceNamespace: shop", "/a", true],
    ["headers: {x: {}}", "headers: {x: {}}", "/a", false],
    ["port: 80", "port: 81", "/a", false],
  ])("root %s with delegate %s takes %s: %j", (outer, inner, path, taken) => {
    const host = compiled(root(`match: [{${outer}}]`), leaf(`{match: [{${inner}}], ${route("stock").slice(1)}`));
    const found = target(host?.find(request(path, { headers: { x: "1" } })));
    expect(found).toBe(taken ? "outbound|80||stock.back.svc.cluster.local" : OUT);
  });

  it.each([
    ["missing", []],
    ["not exported to the root's namespace", [leaf(route("stock"), ", exportTo: [.]")]],
    ["one with hosts", [virtualService("back/leaf", "other", route("stock"))]],
  ])("skips only the root's rule when the delegate is %s", (_, delegates) => {
    const host = compiled(root("match: [{uri: {prefix: /}}]"), ...delegates);
    expect(target(host?.find(request("/")))).toBe(OUT);
  });
});
