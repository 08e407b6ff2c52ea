import { describe, expect, it } from "vitest";
import { lease, read } from "../compile/fixture.test.helper.js";
import { parseDocuments } from "../document/parse-documents.js";
import type { Workload } from "../snapshot/workload.js";
import { notHonoured } from "../validate/not-honoured.js";
import { validateDocument } from "../validate/validate-document.js";
import { analyze } from "./analyze.js";

const SERVICE = (name: string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{name: http, port: 80}]}\n---\n`;
const route = (parent: string, rest = "backendRefs: [{name: web, port: 80}]", metadata = "{name: r}") =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: ${metadata}\nspec:\n  parentRefs: [${parent}]\n  rules: [{${rest}}]\n---\n`;
const grpcRoute = (parent: string, rest?: string) => route(parent, rest).replace("kind: HTTPRoute", "kind: GRPCRoute");
const WEB = '{group: "", kind: Service, name: web}';

const problems = (yaml: string, workloads: readonly Workload[] = []) =>
  analyze(read(SERVICE("web") + yaml), workloads).map(({ code, severity, path, message }) =>
    [code, severity, path, message].join(" "),
  );

describe("analyze, HTTPRoute", () => {
  it("has nothing to say of one whose Services are there", () => {
    expect(problems(route(WEB))).toEqual([]);
    expect(problems(route(`{group: "", kind: Service, name: web, sectionName: http}`))).toEqual([]);
    expect(problems(route(`{group: "", kind: Service, name: late, port: 3000}`), [lease("late")])).toEqual([]);
  });

  it.each([
    ["{name: front}", 'IM0309 info spec.parentRefs[0] Gateway "front" is no parent here'],
    ["{group: a.b, kind: Pool, name: p}", 'IM0309 warning spec.parentRefs[0] Pool "p" is no parent here'],
    [
      `{group: "", kind: Service, name: web, port: 81}`,
      'IM0309 warning spec.parentRefs[0].port Service "web" has no such port, only 80 (http)',
    ],
    [`{group: "", kind: Service, name: web, sectionName: x}`, "IM0309 warning spec.parentRefs[0].sectionName"],
    [
      `{group: "", kind: Service, name: wbe}`,
      'IM0302 info spec.parentRefs[0].name no Service "wbe" is there in namespace "shop"',
    ],
    ["", "IM0309 warning spec the route has no parent"],
  ])("tells of the parent %s", (parent, expected) => {
    const [found, ...more] = problems(route(parent));
    expect(found?.startsWith(expected), found).toBe(true);
    expect(more).toEqual([]);
  });

  it.each([
    [
      "backendRefs: [{kind: Bucket, name: a, port: 80}]",
      'IM0310 error spec.rules[0].backendRefs[0].kind Bucket of group "" is no kind',
    ],
    ["backendRefs: [{name: ghost, port: 80}]", 'IM0302 info spec.rules[0].backendRefs[0].name no service "ghost"'],
    [
      "backendRefs: [{name: web, port: 81}]",
      'IM0302 error spec.rules[0].backendRefs[0].port "web" has no port 81, only 80',
    ],
    [
      "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: ghost, port: 80}}}], backendRefs: [{name: web, port: 80}]",
      "IM0302 info spec.rules[0].filters[0].requestMirror.backendRef.name",
    ],
  ])("tells of %s", (rest, expected) => {
    const [found, ...more] = problems(route(WEB, rest));
    expect(found?.startsWith(expected), found).toBe(true);
    expect(more).toEqual([]);
  });

  it("tells of parents and backends of a GRPCRoute, too", () => {
    expect(
      problems(grpcRoute(WEB, "matches: [{method: {service: a.B}}], backendRefs: [{name: web, port: 80}]")),
    ).toEqual([]);
    expect(problems(grpcRoute('{group: "", kind: Service, name: web, port: 81}'))[0]).toMatch(
      /^IM0309 warning .*\.port /,
    );
    expect(problems(grpcRoute(WEB, "backendRefs: [{kind: Bucket, name: a, port: 80}]"))[0]).toMatch(
      /^IM0310 error .* Its share of the requests gets 503\./,
    );
    const other =
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs}\nspec: {hosts: [web], http: [{route: [{destination: {host: web}}]}]}\n";
    expect(problems(grpcRoute(WEB) + other).join("\n")).toContain("GRPCRoute/shop/r (policy.yaml:");
    const forSome = other.replace("hosts: [web]", 'exportTo: ["."], hosts: [web]');
    for (const each of problems(grpcRoute(WEB) + forSome)) {
      expect(each).toContain("the VirtualService where it is exported to, else the GRPCRoute where");
    }
  });

  it.each(["HTTPRoute", "GRPCRoute"])("is told of what a %s asks for in vain, by file and line", (kind) => {
    const yaml = `apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: r}
spec:
  parentRefs: [${WEB}]
  hostnames: [web.example]
  useDefaultGateways: All
  rules:
    - backendRefs: [{name: web, port: 80}]
`;
    const [document] = parseDocuments(yaml, { file: "mesh/r.yaml", namespace: "shop" }).documents;
    const found = notHonoured(validateDocument(document!).resource!); // one document, without an error
    expect(found.map(({ code, severity, path, file, line }) => [code, severity, path, file, line].join(" "))).toEqual([
      "IM0201 warning spec.hostnames mesh/r.yaml 6",
      "IM0201 warning spec.useDefaultGateways mesh/r.yaml 7",
    ]);
  });

  it("calls what is missing an error once it is known who runs", () => {
    const running = [lease("other")];
    expect(problems(route(WEB, "backendRefs: [{name: ghost, port: 80}]"), running)[0]).toMatch(/^IST0101 error/);
    expect(problems(route(`{group: "", kind: Service, name: wbe}`), running)[0]).toMatch(/^IST0101 error/);
  });

  it("names both places where a VirtualService speaks for the same host, and who is used", () => {
    const other =
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: vs}\nspec: {hosts: [other.test, web], http: [{route: [{destination: {host: web}}]}]}\n";
    const found = problems(route(WEB) + other);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^IM0308 warning spec\.parentRefs\[0\] .*VirtualService\/shop\/vs \(policy\.yaml:\d+\)/);
    expect(found[1]).toMatch(/^IM0308 warning spec\.hosts\[1\] .*HTTPRoute\/shop\/r \(policy\.yaml:\d+\)/);
    for (const each of found) expect(each).toContain("else the older one, HTTPRoute/shop/r.");
  });
});
