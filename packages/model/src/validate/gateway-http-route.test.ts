import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "./validate-document.js";

const TO_WEB = "backendRefs: [{ name: web, port: 80 }]";

/** Problems of an HTTPRoute whose rules are `rules`, as `path: message`. */
function judge(rules: string, { parents = "[{ group: '', kind: Service, name: web }]", more = "" } = {}): string[] {
  const text = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: x, namespace: shop }
spec:
  parentRefs: ${parents}
  ${more}
  rules:
${rules.replace(/^/gm, "    ")}
`;
  const { documents, problems } = parseDocuments(text, { file: "x.yaml" });
  const { resource, problems: found } = validateDocument(documents[0]!); // problems below show when there is none
  const all = [...problems, ...found];
  expect(resource === undefined).toBe(all.length > 0);
  for (const { line, file } of all) expect([file, line > 3]).toEqual(["x.yaml", true]);
  return all.map(({ path, message }) => `${path}: ${message}`);
}

describe("HTTPRoute", () => {
  it.each(["v1", "v1beta1"])("is read in %s, with every field there is", (version) => {
    const { documents, problems } = parseDocuments(
      `apiVersion: gateway.networking.k8s.io/${version}
kind: HTTPRoute
metadata: { name: web, namespace: shop }
spec:
  parentRefs:
    - { group: "", kind: Service, name: web, namespace: shop, port: 80 }
    - { group: "", kind: Service, name: web, sectionName: grpc }
    - { name: edge }
  hostnames: [shop.example.com, "*.example.org"]
  rules:
    - name: all
      matches:
        - path: { type: PathPrefix, value: "/a%20b/(c)" }
          method: GET
          headers: [{ name: X-User, value: ann }, { type: RegularExpression, name: v, value: "[12]" }]
          queryParams: [{ type: Exact, name: q, value: "1" }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: { set: [{ name: a, value: b }], add: [{ name: c, value: 50% }], remove: [d] }
        - { type: ResponseHeaderModifier, responseHeaderModifier: { remove: [server] } }
        - { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 }, percent: 5 } }
        - { type: RequestMirror, requestMirror: { backendRef: { name: copy, port: 80 }, fraction: { numerator: 1 } } }
        - { type: URLRewrite, urlRewrite: { hostname: web.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }
        - type: CORS
          cors:
            allowOrigins: ["https://*.example.com", "http://localhost:8080"]
            allowMethods: [GET, PUT]
            allowHeaders: ["*"]
            exposeHeaders: [x-id]
            allowCredentials: true
            maxAge: 60
      backendRefs:
        - { name: web, port: 80, weight: 9 }
        - name: next
          namespace: other
          port: 80
          weight: 1
          filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [x] } }]
      timeouts: { request: 1m30s, backendRequest: 500ms }
      retry: { codes: [500, 503], attempts: 3, backoff: 100ms }
      sessionPersistence: { sessionName: s, type: Cookie, absoluteTimeout: 1h, idleTimeout: 5m, cookieConfig: { lifetimeType: Permanent } }
    - matches: [{ path: { type: RegularExpression, value: "/v[12]/.*" } }]
      filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, hostname: a.b, port: 8443, statusCode: 308, path: { type: ReplaceFullPath, replaceFullPath: /x } } }]
`,
      { file: "x.yaml" },
    );
    const { resource, problems: found } = validateDocument(documents[0]!); // no problems, so there is one
    expect([...problems, ...found]).toEqual([]);
    expect(resource?.key).toBe("HTTPRoute/shop/web");
  });

  it("is not read in a version it was never stable in", () => {
    const { problems } = parseDocuments(
      "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: HTTPRoute\nmetadata: { name: a }\n",
      { file: "x.yaml" },
    );
    expect(problems[0]).toMatchObject({ code: "IM0002", severity: "error" });
  });

  it.each([
    ["- matches: [{ path: { value: api } }]", 'path.value: found "api", expected a path that begins with "/"'],
    ["- matches: [{ path: { value: /a//b } }]", 'has "//" in it'],
    ["- matches: [{ path: { value: /a/.. } }]", 'has "/.." in it'],
    ["- matches: [{ path: { value: /é } }]", "must be written as %XX"],
    ["- matches: [{ path: { type: RegularExpression, value: '(?=a)' } }]", "is no RE2 expression"],
    ["- matches: [{ path: { type: Prefix, value: /a } }]", "expected one of Exact, PathPrefix, RegularExpression"],
    ["- matches: [{ method: get }]", "expected one of GET"],
    ["- matches: [{ headers: [{ name: 'a b', value: c }] }]", 'headers[0].name: found "a b", expected a name'],
    ["- matches: [{ headers: [{ name: a, value: b }, { name: a, value: c }] }]", '"a" is there twice'],
    ["- matches: [{ queryParams: [{ name: a, value: '' }] }]", 'the value of "a" is empty'],
    ["- matches: [{ uri: { prefix: /a } }]", 'unknown field "uri"'],
    ["- filters: [{ type: URLRewrite }]", "needs the field urlRewrite"],
    ["- filters: [{ urlRewrite: {} }]", "the filter has no type"],
    ["- filters: [{ type: CORS, cors: {}, urlRewrite: {} }]", "urlRewrite does not belong to a filter of type CORS"],
    ["- filters: [{ type: CORS, cors: {} }, { type: CORS, cors: {} }]", "filters[1]: CORS is there twice"],
    ["- filters: [{ type: ExtensionRef, extensionRef: { name: a } }]", "ExtensionRef is not supported"],
    ["- filters: [{ type: ExternalAuth, externalAuth: { protocol: GRPC } }]", "ExternalAuth is not supported"],
    [
      "- filters: [{ type: RequestRedirect, requestRedirect: {} }, { type: URLRewrite, urlRewrite: {} }]",
      "exclude each",
    ],
    ["- filters: [{ type: RequestRedirect, requestRedirect: { statusCode: 304 } }]", "expected one of 301, 302"],
    ["- filters: [{ type: RequestRedirect, requestRedirect: { port: 0 } }]", "found port 0"],
    [`- filters: [{ type: RequestRedirect, requestRedirect: {} }]\n  ${TO_WEB}`, "redirects sends to no backend"],
    ["- filters: [{ type: URLRewrite, urlRewrite: { hostname: '*.a' } }]", "expected a host name in small letters"],
    [
      "- filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath } } }]",
      "needs the field replaceFullPath",
    ],
    [
      "- matches: [{ path: { type: Exact, value: /a } }]\n  filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }]",
      "ReplacePrefixMatch needs exactly one match",
    ],
    ["- filters: [{ type: RequestMirror, requestMirror: { percent: 5 } }]", "the mirror has no backendRef"],
    [
      "- filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: a, port: 1 }, fraction: { numerator: 3, denominator: 2 } } }]",
      "found 3 of 2",
    ],
    ["- filters: [{ type: CORS, cors: { allowOrigins: [example.com] } }]", 'found "example.com", expected an origin'],
    ["- filters: [{ type: CORS, cors: { allowMethods: ['*', GET] } }]", '"*" must stand alone'],
    [
      "- filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: a }] } }]",
      'the value of "a" has 0 characters',
    ],
    ["- backendRefs: [{ name: web }]", 'the backend "web" has no port'],
    ["- backendRefs: [{ port: 80 }]", "the backend has no name"],
    ["- backendRefs: [{ name: web, port: 80, weight: -1 }]", "found -1, expected 0 to 1000000"],
    [
      "- backendRefs: [{ name: web, port: 80, filters: [{ type: URLRewrite, urlRewrite: {} }] }]",
      "URLRewrite is not supported for one backend",
    ],
    ["- timeouts: { request: 1.5s }", "expected whole numbers with units"],
    ["- timeouts: { request: 1s, backendRequest: 2s }", 'backendRequest ("2s") is longer than request ("1s")'],
    ["- retry: { codes: [200] }", "found 200, expected 400 to 599"],
    ["- retry: { attempts: -1 }", "found -1, expected 0 or more"],
    ["- sessionPersistence: { cookieConfig: { lifetimeType: Permanent } }", "needs an absoluteTimeout"],
    ["- sessionPersistence: { type: Header, cookieConfig: {} }", "cookieConfig is for type Cookie"],
    ["- { name: a }\n- { name: a }", 'rule name "a" is there twice'],
    ["[]", "the list of rules is empty"],
  ])("refuses %s", (rules, fact) => {
    const problems = judge(rules);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(fact);
  });

  it.each([
    ["[{ kind: Service, group: '' }]", "", "the parent has no name"],
    ["[{ name: a, port: 70000 }]", "", "found port 70000"],
    ["[{ name: a }, { name: a, namespace: shop }]", "", 'the parent "a" is there twice'],
    ["[]", "hostnames: [10.0.0.1]", 'found "10.0.0.1", expected a host name'],
    ["[]", "hostnames: [A.b]", 'found "A.b", expected a host name'],
  ])("refuses parents %s with %s", (parents, more, fact) => {
    const problems = judge(`- ${TO_WEB}`, { parents, more });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(fact);
  });

  it("counts: 64 matches of a rule, 128 of a route, 16 rules", () => {
    const rule = (matches: number) => `- matches: [${Array(matches).fill("{ method: GET }").join(", ")}]\n`;
    expect(judge(rule(64) + rule(64))).toEqual([]);
    expect(judge(rule(65))[0]).toContain("found 65 entries, at most 64");
    expect(judge(rule(64) + rule(64) + rule(1))[0]).toContain("the rules have 129 matches, at most 128");
    expect(judge(`- ${TO_WEB}\n`.repeat(17))[0]).toContain("found 17 entries, at most 16");
  });
});
