import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "./validate-document.js";

/** Problems of a GRPCRoute, as `path: message`. @param parents YAML in flow style */
function judge(rules: string, parents = "[{ group: '', kind: Service, name: web }]"): string[] {
  const text = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: x, namespace: shop }
spec:
  parentRefs: ${parents}
  rules: [${rules}]
`;
  const { documents, problems } = parseDocuments(text, { file: "x.yaml" });
  const { resource, problems: found } = validateDocument(documents[0]!); // problems below show when there is none
  const all = [...problems, ...found];
  expect(resource === undefined).toBe(all.some(({ severity }) => severity === "error"));
  for (const { line, file } of all) expect([file, line > 3]).toEqual(["x.yaml", true]);
  return all.map(({ path, message }) => `${path}: ${message}`);
}

const method = (fields: string) => `{ matches: [{ method: { ${fields} } }] }`;
const filter = (fields: string) => `{ filters: [{ ${fields} }] }`;
const MANY = (count: number) => `{ matches: [${Array.from({ length: count }, () => "{}").join(", ")}] }`;

describe("GRPCRoute", () => {
  it("is read with every field there is", () => {
    const rule = `{
      name: reads,
      matches: [
        { method: { service: shop.Reviews, method: Get }, headers: [{ name: x-user, value: ann }, { type: RegularExpression, name: v, value: "[12]" }] },
        { method: { type: RegularExpression, service: "shop[.].*", method: "Get.*" } },
        { method: { type: Exact, service: .shop.Reviews } },
        { method: { method: _Get2 } },
        {}
      ],
      filters: [
        { type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a, value: b }], add: [{ name: c, value: d }], remove: [e] } },
        { type: ResponseHeaderModifier, responseHeaderModifier: { remove: [server] } },
        { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 }, percent: 5 } },
        { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 }, fraction: { numerator: 1, denominator: 3 } } }
      ],
      backendRefs: [{ name: web, port: 80, weight: 9, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [x] } }] }]
    }`;
    const ref = "{ group: '', kind: Service, name: web, namespace: shop, port: 80, sectionName: grpc }";
    expect(
      judge(rule, `[${ref}, { group: networking.istio.io, kind: ServiceEntry, name: api }, { name: edge }]`),
    ).toEqual([]);
    expect(judge("")).toEqual([]);
  });

  it("is not read in a version that it never had", () => {
    const { problems } = parseDocuments(
      "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: GRPCRoute\nmetadata: { name: a }\n",
      { file: "x.yaml" },
    );
    expect(problems[0]).toMatchObject({ code: "IM0002", severity: "error" });
    expect(problems[0]?.message).toContain("expected one of gateway.networking.k8s.io/v1.");
  });

  it.each([
    [method("type: Exact"), "method: neither service nor method is there"],
    ["{ matches: [{ method: {} }] }", "method: neither service nor method is there"],
    [method("service: .*"), 'method.service: found ".*", expected a service such as'],
    [method("type: Exact, method: .*"), 'method.method: found ".*", expected a method such as'],
    [method("service: shop/Reviews"), "expected a service"],
    [method("service: ''"), "expected a service"],
    [method("service: shop..Reviews"), "expected a service"],
    [method("service: 1shop"), "expected a service"],
    [method("method: a.b"), "expected a method"],
    [method("type: RegularExpression, service: '(?=a)'"), "is no RE2 expression"],
    [method(`service: ${"a".repeat(1_025)}`), "the service is longer than 1024 characters"],
    [method("type: Prefix, service: a"), "expected one of Exact, RegularExpression"],
    ["{ matches: [{ path: { value: / } }] }", 'unknown field "path"'],
    ["{ matches: [{ headers: [{ name: 'a b', value: c }] }] }", 'headers[0].name: found "a b", expected a name'],
    ["{ matches: [{ headers: [{ name: a, value: b }, { name: a, value: c }] }] }", '"a" is there twice'],
    [filter("type: URLRewrite, urlRewrite: {}"), "expected one of RequestHeaderModifier, ResponseHeaderModifier"],
    [
      filter("requestMirror: {}"),
      "Write one of RequestHeaderModifier, ResponseHeaderModifier, RequestMirror, ExtensionRef.",
    ],
    [filter("type: RequestMirror"), "needs the field requestMirror"],
    [filter("type: ExtensionRef, extensionRef: { name: a }"), "ExtensionRef is not supported"],
    [
      filter(
        "type: RequestMirror, requestMirror: { backendRef: { name: a, port: 1 }, percent: 1, fraction: { numerator: 1 } }",
      ),
      "percent and fraction exclude each other",
    ],
    [
      "{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: {} }, { type: RequestHeaderModifier, requestHeaderModifier: {} }] }",
      "filters[1]: RequestHeaderModifier is there twice",
    ],
    ["{ backendRefs: [{ name: web }] }", 'the backend "web" has no port'],
    ["{ backendRefs: [{ name: web, port: 80, weight: 1000001 }] }", "found 1000001, expected 0 to 1000000"],
    [
      "{ backendRefs: [{ name: web, port: 80, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: a, port: 1 } } }] }] }",
      "RequestMirror is not supported for one backend",
    ],
    ["{ timeouts: { request: 1s } }", 'unknown field "timeouts"'],
    ["{ name: a }, { name: a }", 'rule name "a" is there twice'],
    [MANY(65), "at most 64"],
    [`${MANY(64)}, ${MANY(64)}, {matches: [{}]}`, "the rules have 129 matches"],
    [Array.from({ length: 17 }, () => "{}").join(", "), "at most 16"],
    ["{ sessionPersistence: { type: Header, cookieConfig: {} } }", "cookieConfig is for type Cookie"],
  ])("refuses %s", (rules, expected) => {
    const problems = judge(rules);
    expect(
      problems.some((problem) => problem.includes(expected)),
      problems.join("\n"),
    ).toBe(true);
  });

  it.each([
    [
      "{ group: '', kind: Service, name: web }, { group: '', kind: Service, name: web, sectionName: http }",
      "parentRefs[1]",
    ],
    [
      "{ group: '', kind: Service, name: web, sectionName: a }, { group: '', kind: Service, name: web, port: 80 }",
      "parentRefs[1]",
    ],
    ["{ group: '', kind: Service, name: web }, { group: '', kind: Service, name: web }", "is there twice"],
  ])("refuses the parents %s", (parents, expected) => {
    expect(judge("{}", `[${parents}]`).join("\n")).toContain(expected);
  });

  it.each([
    ["{ group: A_b, name: a }", 'parentRefs[0].group: found "A_b", expected a group'],
    ["{ kind: 1a, name: a }", 'parentRefs[0].kind: found "1a", expected a kind'],
    ["{ namespace: a.b, name: a }", "parentRefs[0].namespace: "],
    ["{ name: a, sectionName: Http }", 'parentRefs[0].sectionName: found "Http", expected a name'],
    [`{ name: ${"a".repeat(254)} }`, "parentRefs[0].name: the name is longer than 253"],
  ])("refuses the reference %s", (parent, expected) => {
    expect(judge("{}", `[${parent}]`).join("\n")).toContain(expected);
  });

  it("refuses names of backends and rules that nobody can have", () => {
    expect(judge("{ name: Reads, backendRefs: [{ namespace: A, name: a, port: 1 }] }")).toHaveLength(2);
  });

  it("takes one parent by several of its ports", () => {
    const ref = (more: string) => `{ group: '', kind: Service, name: web, ${more} }`;
    expect(judge("{}", `[${ref("port: 80")}, ${ref("port: 81")}]`)).toEqual([]);
    expect(judge("{}", `[${ref("sectionName: a")}, ${ref("sectionName: b")}, { name: web }]`)).toEqual([]);
  });
});
