import { describe, expect, it } from "vitest";
import {
  endpointsOf,
  lease,
  request,
  resource,
  route,
  sent,
  snapshotOf,
  target,
  virtualService,
} from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;
const subsets = (host = "reviews", name = "reviews", more = "") =>
  resource(
    "DestinationRule",
    name,
    `{host: ${host}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]${more}}`,
  );

describe("compile, MeshMode", () => {
  const rules = [
    virtualService("vs", "reviews", "{directResponse: {status: 200}, timeout: 1s}"),
    subsets("reviews", "reviews", ", trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
  ];
  const workloads = [lease("reviews", 3001, { labels: { version: "v1" } }), lease("stock")];
  const mode = (name: string, spec: string) => resource("MeshMode", name, spec);

  it("off drops rules and policies, and keeps names and endpoints", () => {
    const virtual = virtualService("only", "virtual", `{timeout: 1s, ${route("stock", "v1").slice(1)}`);
    const snapshot = snapshotOf([...rules, virtual, mode("istio-system/m", "{mode: off}")], workloads);
    const found = snapshot.routes.lookup("reviews", 80)?.find(request("/"));
    expect([snapshot.mode, target(found), found?.timeoutMs, found?.retry.tokens.join()]).toEqual([
      "off",
      OUT,
      0,
      "connect-failure,refused-stream",
    ]);
    expect(endpointsOf(snapshot, OUT)).toEqual(["10.0.0.1:3001"]);
    expect(snapshot.cluster(OUT)?.policy.loadBalancer).toBe("leastRequest");
    // Calls under way may still hold on to a subset.
    expect(endpointsOf(snapshot, `outbound|80|v1|${REVIEWS}`)).toEqual(["10.0.0.1:3001"]);
    expect(sent(snapshot, "virtual")).toBe("outbound|80||stock.shop.svc.cluster.local");
  });

  it("observe does the same, marks its routes, and keeps what on would say beside it", () => {
    const on = snapshotOf(rules, workloads);
    const ruled = on.routes.lookup("reviews", 80)?.find(request("/"));
    const documents = [...rules, mode("istio-system/m", "{mode: observe}")];
    const observe = snapshotOf(documents, workloads, {}, on);
    const found = observe.routes.lookup("reviews", 80)?.find(request("/"));
    expect([observe.mode, target(found), found?.observed]).toEqual(["observe", OUT, true]);
    expect(observe.modeResource).toEqual({ kind: "MeshMode", namespace: "istio-system", name: "m" });
    const { withPolicy } = observe;
    expect([withPolicy?.mode, withPolicy?.version, withPolicy?.withPolicy]).toEqual(["on", 1, undefined]);
    // The same objects as before the switch, so that nothing is compiled again.
    expect(withPolicy?.routes.lookup("reviews", 80)?.find(request("/"))).toBe(ruled);
    const later = snapshotOf(documents, workloads, {}, observe);
    expect(later.withPolicy?.routes.lookup("reviews", 80)?.find(request("/"))).toBe(ruled);
    const again = snapshotOf(rules, workloads, {}, later);
    expect([again.mode, again.withPolicy]).toEqual(["on", undefined]);
    expect(again.routes.lookup("reviews", 80)?.find(request("/"))).toBe(ruled);
  });

  it.each(["off", "observe"])("%s lets unknown hosts pass and keeps the address that was asked for", (word) => {
    const passThrough = subsets("stock", "stock", ", trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}");
    const sidecar = resource("Sidecar", "default", "{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}");
    const policy = [passThrough, sidecar];
    const snapshot = snapshotOf([...policy, mode("m", `{mode: ${word}}`)], workloads);
    expect([snapshot.mesh.outboundPolicy, snapshot.withPolicy?.mesh.outboundPolicy]).toEqual([
      "ALLOW_ANY",
      "REGISTRY_ONLY",
    ]);
    expect(snapshot.cluster("outbound|80||stock.shop.svc.cluster.local")?.policy.loadBalancer).toBe("passThrough");
  });

  it.each([
    [["istio-system/a", "{mode: off}"], "off"],
    [["istio-system/a", "{mode: off}", "b", "{mode: observe}"], "observe"],
    [["b", "{mode: off}", "c", "{mode: on, selector: {matchLabels: {app: web}}}"], "on"],
    [["b", "{mode: off, selector: {matchLabels: {app: other}}}"], "on"],
    [["back/b", "{mode: off}"], "on"],
    [["istio-system/a", "{mode: off, selector: {matchLabels: {app: web}}}", "b", "{mode: observe}"], "off"],
    [
      [
        "istio-system/a",
        "{mode: off, selector: {matchLabels: {app: web}}}",
        "b",
        "{mode: observe, selector: {matchLabels: {app: web}}}",
      ],
      "observe",
    ],
    [["b", "{mode: off, selector: {}}", "a", "{mode: observe}"], "observe"], // the same scope: older, here by name
    [[], "on"],
  ])("%j gives %s", (written, expected) => {
    const resources = written.flatMap((name, index) => (index % 2 === 0 ? [mode(name, written[index + 1] ?? "")] : []));
    expect(snapshotOf(resources).mode).toBe(expected);
  });
});
