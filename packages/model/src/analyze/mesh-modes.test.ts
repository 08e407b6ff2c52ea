import { describe, expect, it } from "vitest";
import { lease, read } from "../compile/fixture.test.helper.js";
import { analyze } from "./analyze.js";

const mode = (name: string, namespace: string, spec: string, created = "") =>
  `apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\nmetadata: {name: ${name}, namespace: ${namespace}${created}}\nspec: ${spec}\n---\n`;
const problems = (yaml: string, workloads = [lease("web", 3000, { labels: { app: "web" } })]) =>
  analyze(read(yaml), workloads).map(({ code, severity, resource, line, message }) =>
    [code, severity, resource, line, message].join(" "),
  );

describe("analyze, MeshMode", () => {
  it("names both places where two speak for one scope, and which of them holds", () => {
    const yaml =
      mode("a", "istio-system", "{mode: off}", ', creationTimestamp: "2026-01-02T00:00:00Z"') +
      mode("b", "istio-system", "{mode: on}", ', creationTimestamp: "2026-01-01T00:00:00Z"');
    const [first, second, ...more] = problems(yaml);
    expect(first).toBe(
      "IM0305 error MeshMode/istio-system/a 4 the mode of the mesh is also set by MeshMode/istio-system/b (policy.yaml:6). Only MeshMode/istio-system/b, the older one, holds. Keep one of them.",
    );
    expect(second).toMatch(/^IM0305 error MeshMode\/istio-system\/b 9 .*MeshMode\/istio-system\/a \(policy.yaml:1\)/);
    expect(more).toEqual([]);
  });

  it.each([
    ["the namespace", "{mode: off}", "{mode: on, selector: {}}"],
    [
      "the same workloads",
      "{mode: off, selector: {matchLabels: {app: web}}}",
      "{mode: on, selector: {matchLabels: {app: web}}}",
    ],
  ])("does so for %s", (what, one, other) => {
    expect(problems(mode("a", "shop", one) + mode("b", "shop", other))[0]).toContain(`the mode of ${what} is also set`);
  });

  it("warns of a selector that selects nobody, once anybody runs", () => {
    const nobody = mode("a", "shop", "{mode: off, selector: {matchLabels: {app: wbe, tier: x}}}");
    expect(problems(nobody)).toEqual([
      'IST0127 warning MeshMode/shop/a 4 no running process in namespace "shop" has the labels app=wbe, tier=x: the mode holds for nobody. Compare with: inmesh mode',
    ]);
    expect(problems(nobody, [])).toEqual([]);
    expect(problems(mode("a", "istio-system", "{mode: off, selector: {matchLabels: {app: web}}}"))).toEqual([]);
    expect(problems(mode("a", "back", "{mode: off, selector: {matchLabels: {app: web}}}"))).toHaveLength(1);
  });

  it("has nothing to say of scopes inside each other", () => {
    const nested =
      mode("a", "istio-system", "{mode: off}") +
      mode("b", "shop", "{mode: observe}") +
      mode("c", "shop", "{mode: on, selector: {matchLabels: {app: web}}}");
    expect(problems(nested)).toEqual([]);
  });
});
