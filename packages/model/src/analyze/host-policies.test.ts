import { describe, expect, it } from "vitest";
import { lease, read } from "../compile/fixture.test.helper.js";
import { analyze } from "./analyze.js";

const document = (kind: string, name: string, spec: string) => {
  const [namespace, plain] = name.split("/");
  return `apiVersion: inmesh.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${plain}, namespace: ${namespace}}\nspec: ${spec}\n---\n`;
};
const LIMIT = "rules: [{name: all, requests: 1, per: 1s}]";
const found = (yaml: string) =>
  analyze(read(yaml), [lease("reviews"), lease("web")]).map(
    ({ code, resource, path, message }) => `${code} ${resource} ${path} ${message}`,
  );

describe("analyze, our own kinds", () => {
  it("has nothing to say of those that hold", () => {
    const yaml =
      document("CircuitBreaker", "shop/a", "{host: reviews}") +
      document("CircuitBreaker", "shop/b", "{host: reviews, subset: v1}") +
      document("Resilience", "shop/a", "{host: reviews, server: {maxConcurrency: 1}}") +
      document("Resilience", "front/a", "{host: reviews.shop.svc.cluster.local, hedging: {}}") +
      document("RateLimit", "istio-system/a", `{host: "*.shop.svc.cluster.local", ${LIMIT}}`) +
      document("RateLimit", "shop/b", `{host: reviews, ${LIMIT}}`);
    expect(found(yaml)).toEqual([]);
  });

  it.each(["CircuitBreaker", "Resilience"])("names both places where two of kind %s speak for one host", (kind) => {
    const [first = "", second = "", ...more] = found(
      document(kind, "shop/a", "{host: reviews}") + document(kind, "shop/b", "{host: reviews.shop.svc.cluster.local}"),
    );
    expect(first).toBe(
      `IM0312 ${kind}/shop/a spec.host host "reviews" is also spoken for by ${kind}/shop/b (policy.yaml:6). Only ${kind}/shop/a, the older one, holds. Keep one of them.`,
    );
    expect(second).toContain(`IM0312 ${kind}/shop/b spec.host`);
    expect(more).toEqual([]);
  });

  it("warns of a host that is nobody's", () => {
    expect(found(document("RateLimit", "shop/a", `{host: revews, ${LIMIT}}`))).toEqual([
      expect.stringMatching(/^IM0311 RateLimit\/shop\/a spec.host "revews".*Did you mean "reviews"/),
    ]);
    const service = (more: string) => `{host: limits, port: 8081, domain: shop${more}}`;
    const shared = (more: string) =>
      document("RateLimit", "shop/a", `{host: reviews, service: ${service(more)}, rules: [{name: a}]}`);
    expect(found(shared(""))).toEqual([
      expect.stringMatching(/^IM0311 RateLimit\/shop\/a spec.service.host .*"limits".*: nothing is limited/),
    ]);
    expect(found(shared(", failureModeDeny: true"))).toEqual([
      expect.stringMatching(/all these requests are turned away/),
    ]);
  });

  it("warns of orders to the servers of another namespace", () => {
    const yaml =
      document("RateLimit", "front/a", `{host: reviews.shop.svc.cluster.local, ${LIMIT}}`) +
      document("Resilience", "front/a", "{host: reviews.shop.svc.cluster.local, server: {maxConcurrency: 1}}");
    expect(found(yaml).map((text) => text.split(" the servers")[0])).toEqual([
      "IM0313 RateLimit/front/a spec",
      "IM0313 Resilience/front/a spec.server",
    ]);
  });
});
