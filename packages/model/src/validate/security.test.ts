import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "./validate-document.js";

/** `error spec.rules[0] what is said`, of a document of security.istio.io. */
function faults(kind: string, spec: string, annotations = "{}"): string[] {
  const metadata = `{name: a, namespace: shop, annotations: ${annotations}}`;
  const yaml = `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: ${metadata}\nspec: ${spec}\n`;
  const [document] = parseDocuments(yaml, { file: "policy.yaml" }).documents;
  if (document === undefined) throw new Error("no document");
  return validateDocument(document).problems.map(({ severity, path, message }) => `${severity} ${path} ${message}`);
}

const one = (text: string) => [expect.stringContaining(text)];

describe("validation of PeerAuthentication", () => {
  it.each([
    "{}",
    "{mtls: {mode: STRICT}}",
    "{mtls: {}}",
    '{selector: {matchLabels: {app: a}}, mtls: {mode: UNSET}, portLevelMtls: {"8080": {mode: DISABLE}, 9090: {}}}',
  ])("takes %s", (spec) => {
    expect(faults("PeerAuthentication", spec)).toEqual([]);
  });

  it.each([
    ["{mtls: {mode: MUTUAL}}", 'error spec.mtls.mode found "MUTUAL", expected one of UNSET, DISABLE'],
    ['{portLevelMtls: {"80": {mode: STRICT}}}', "error spec.portLevelMtls ports belong to workloads"],
    ['{selector: {matchLabels: {a: b}}, portLevelMtls: {"0": {}}}', 'error spec.portLevelMtls["0"] "0" is no port'],
    ['{selector: {matchLabels: {a: b}}, portLevelMtls: {"65536": {}}}', 'error spec.portLevelMtls["65536"]'],
    ["{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {}}}", 'error spec.portLevelMtls.http "http" is no port'],
    ["{selector: {matchLabels: {a: b}}, portLevelMtls: {}}", "error spec.portLevelMtls no port is named"],
    ['{selector: {matchLabels: {a: "b*"}}}', "error spec.selector the selector has a wildcard"],
    ["{selector: {}}", "warning spec.selector the selector names no label"],
  ])("says of %s", (spec, expected) => {
    expect(faults("PeerAuthentication", spec)).toEqual(one(expected));
  });
});

const KEY = '{"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "kid": "k1"}';

describe("validation of RequestAuthentication", () => {
  it.each([
    "{}",
    "{jwtRules: [{issuer: a}]}",
    "{jwtRules: [{jwksUri: 'https://a/keys'}]}",
    "{jwtRules: [{issuer: a, jwks_uri: 'http://a:8080/keys'}]}",
    `{jwtRules: [{issuer: a, jwks: '{"keys": [${KEY}]}'}]}`,
    `{selector: {matchLabels: {app: a}}, jwtRules: [{issuer: a, audiences: [b], fromHeaders: [{name: x-t, prefix: "B "}], fromParams: [t],
      fromCookies: [c], outputPayloadToHeader: x-p, forwardOriginalToken: true, outputClaimToHeaders: [{header: x-c, claim: a.b}],
      timeout: 1s, spaceDelimitedClaims: [roles], presence: REQUIRED}]}`,
    "{targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g}, {kind: Service, group: core, name: s}]}",
    "{selector: {matchLabels: {a: b}}, targetRefs: []}",
  ])("takes %s", (spec) => {
    expect(faults("RequestAuthentication", spec)).toEqual([]);
  });

  it.each([
    ["{jwtRules: [{}]}", "error spec.jwtRules[0] it names no issuer"],
    ['{jwtRules: [{issuer: "", jwksUri: "https://a"}]}', "error spec.jwtRules[0].issuer the issuer is empty"],
    ["{jwtRules: [{issuer: a, jwksUri: a.example/keys}]}", "error spec.jwtRules[0].jwksUri"],
    ["{jwtRules: [{issuer: a, jwksUri: 'file:///etc/keys'}]}", "error spec.jwtRules[0].jwksUri"],
    ["{jwtRules: [{issuer: a, jwksUri: 'https://a:port/'}]}", "error spec.jwtRules[0].jwksUri"],
    [`{jwtRules: [{issuer: a, jwksUri: 'https://a/${"k".repeat(2050)}'}]}`, "at most 2048 are allowed"],
    ["{jwtRules: [{issuer: a, jwksUri: 'https://a', jwks_uri: 'https://b'}]}", "jwksUri and jwks_uri exclude"],
    [`{jwtRules: [{issuer: a, jwksUri: 'https://a', jwks: '{"keys":[]}'}]}`, "it says both jwks and jwksUri"],
    ["{jwtRules: [{issuer: a, jwks: 'keys'}]}", 'error spec.jwtRules[0].jwks found "keys", expected a set of keys'],
    [`{jwtRules: [{issuer: a, jwks: '{"keys": [{"kty": "DSA"}]}'}]}`, 'key 1 is of type "DSA", expected one of RSA'],
    [`{jwtRules: [{issuer: a, jwks: '{"keys": [${KEY}, {"kty": "RSA", "n": "bg"}]}'}]}`, "key 2 has no e"],
    [
      `{jwtRules: [{issuer: a, jwks: '{"keys": [${KEY.replace("}", ', "d": "ZA"}')}]}'}]}`,
      'warning spec.jwtRules[0].jwks it holds private keys ("k1")',
    ],
    [`{jwtRules: [{issuer: a, jwks: '{"keys": [{"kty": "oct", "k": "aw"}]}'}]}`, "it holds private keys (number 1)"],
    ['{jwtRules: [{issuer: a, audiences: [""]}]}', "error spec.jwtRules[0].audiences[0] the audience is empty"],
    ["{jwtRules: [{issuer: a, fromHeaders: [{prefix: b}]}]}", "error spec.jwtRules[0].fromHeaders[0]"],
    ['{jwtRules: [{issuer: a, fromParams: [""]}]}', "error spec.jwtRules[0].fromParams[0]"],
    ['{jwtRules: [{issuer: a, fromCookies: [""]}]}', "error spec.jwtRules[0].fromCookies[0]"],
    ['{jwtRules: [{issuer: a, spaceDelimitedClaims: [""]}]}', "error spec.jwtRules[0].spaceDelimitedClaims[0]"],
    [
      '{jwtRules: [{issuer: a, outputClaimToHeaders: [{header: ":path", claim: b}]}]}',
      'error spec.jwtRules[0].outputClaimToHeaders[0].header ":path" is no header name',
    ],
    ["{jwtRules: [{issuer: a, outputClaimToHeaders: [{header: b}]}]}", "it names no claim"],
    ["{jwtRules: [{issuer: a, timeout: 0s}]}", "error spec.jwtRules[0].timeout"],
    ["{jwtRules: [{issuer: a, presence: MANDATORY}]}", "error spec.jwtRules[0].presence"],
    ["{selector: {matchLabels: {a: b}}, targetRef: {kind: Service, name: b}}", "error spec it says both selector and"],
    [
      "{targetRef: {kind: Serv_ice, name: b}}",
      'error spec.targetRef "Serv_ice" is no target; expected one of Service, networking',
    ],
    ["{targetRef: {group: __, kind: Service, name: b}}", 'error spec.targetRef "__/Service" is no target'],
    ["{targetRefs: [{kind: Service}]}", "error spec.targetRefs[0]"],
    ["{targetRefs: [{kind: Service, name: b, namespace: shop}]}", "error spec.targetRefs[0].namespace"],
  ])("says of %s", (spec, expected) => {
    expect(faults("RequestAuthentication", spec)).toEqual(one(expected));
  });
});

const rule = (spec: string, action = "ALLOW") => `{action: ${action}, rules: [${spec}]}`;
const source = (spec: string) => rule(`{from: [{source: ${spec}}]}`);
const operation = (spec: string) => rule(`{to: [{operation: ${spec}}]}`);
const when = (key: string, values: string) => rule(`{when: [{key: "${key}", ${values}}]}`);

describe("validation of AuthorizationPolicy", () => {
  it.each([
    "{}",
    "{rules: []}",
    "{rules: [{}]}",
    "{action: AUDIT}",
    "{action: CUSTOM, provider: {name: ask}, rules: [{to: [{operation: {paths: [/a]}}]}]}",
    source(
      `{principals: ["*", "a/ns/b/sa/c"], notPrincipals: [a], requestPrincipals: ["iss/*"], notRequestPrincipals: ["*"], namespaces: ["sh*"],
      notNamespaces: [b], ipBlocks: [10.0.0.0/8, "::1"], notIpBlocks: [1.2.3.4], remoteIpBlocks: [1.0.0.0/8], notRemoteIpBlocks: ["fe80::/10"],
      trustDomains: ["*.local"], notTrustDomains: [b]}`,
    ),
    source("{serviceAccounts: [web, shop/cart], notServiceAccounts: [back/x]}"),
    operation(
      `{hosts: ["*.example"], notHosts: [a], ports: ["80", "0"], notPorts: ["65535"], methods: [GET], notMethods: ["P*"],
      paths: ["/a/*", "*/b", "/c/{*}/d/{**}", "/x/*/y", "//{*}"], notPaths: ["/{**}/"]}`,
    ),
    ...[
      ["request.headers[x-user]", "[a]"],
      ["source.ip", "[10.0.0.0/8]"],
      ["remote.ip", "[10.0.0.1]"],
      ["destination.ip", '["::/0"]'],
      ["destination.port", '["80"]'],
      ["source.namespace", "[a]"],
      ["source.serviceAccount", "[a/b]"],
      ["source.principal", "[a]"],
      ["source.trustDomain", "[a]"],
      ["request.auth.principal", "[a]"],
      ["request.auth.audiences", "[a]"],
      ["request.auth.presenter", "[a]"],
      ["request.auth.claims[a][b]", "[a]"],
      ["connection.sni", "[a]"],
      ["experimental.envoy.filters.a.b[c]", "['[v]']"],
    ].map(([key, values]) => when(key ?? "", `values: ${values}`)),
  ])("takes %s", (spec) => {
    expect(faults("AuthorizationPolicy", spec)).toEqual([]);
  });

  it.each([
    ["{action: DENY}", "error spec action DENY without rules is never triggered"],
    ["{action: CUSTOM, provider: {name: a}}", "error spec action CUSTOM without rules"],
    ["{action: CUSTOM, rules: [{}]}", "error spec action CUSTOM asks a provider, and none is named"],
    ["{provider: {name: a}}", "error spec.provider only action CUSTOM asks a provider, this one is ALLOW"],
    ["{rules: [null]}", "error spec.rules[0]"],
    [rule("{from: [{}]}"), "error spec.rules[0].from[0] it has no source"],
    [rule("{to: [{}]}"), "error spec.rules[0].to[0] it has no operation"],
    [source("{}"), "error spec.rules[0].from[0].source the source says nothing"],
    [source("{principals: []}"), "the source says nothing"],
    [operation("{}"), "error spec.rules[0].to[0].operation the operation says nothing"],
    [source('{namespaces: [""]}'), "error spec.rules[0].from[0].source.namespaces[0] the value is empty"],
    [operation('{methods: [""]}'), "error spec.rules[0].to[0].operation.methods[0] the value is empty"],
    [source("{ipBlocks: [1.2.3.4/33]}"), "error spec.rules[0].from[0].source.ipBlocks[0]"],
    [source("{serviceAccounts: [a], namespaces: [b]}"), "serviceAccounts excludes namespaces"],
    [source("{serviceAccounts: [a/b/c]}"), '"a/b/c" is no service account'],
    [source('{serviceAccounts: ["a*"]}'), '"a*" is no service account'],
    [source(`{serviceAccounts: [${"a, ".repeat(17)}]}`), "found 17 entries, at most 16"],
    [source("{trustDomains: [a/b]}"), '"a/b" is no trust domain'],
    [operation('{ports: ["http"]}'), '"http" is no port'],
    [operation('{ports: ["65536"]}'), '"65536" is no port'],
    [operation('{paths: ["/a/{**}/{*}"]}'), "has {*} after {**}"],
    [operation('{paths: ["/a/{b}"]}'), 'has braces in "{b}"'],
    [operation('{paths: ["/a*/{*}"]}'), 'has "a*" beside {*} or {**}'],
    [when("", "values: [a]"), "error spec.rules[0].when[0] the condition has no key"],
    [when("source.ip", "values: []"), "error spec.rules[0].when[0] the condition has neither values nor notValues"],
    [when("source.ip", "notValues: [a]"), "error spec.rules[0].when[0].notValues[0]"],
    [when("destination.port", 'values: ["x"]'), "error spec.rules[0].when[0].values[0]"],
    [when("source.ips", "values: [a]"), "Did you mean source.ip?"],
    [when("request.headers[", "values: [a]"), "is not closed, or names nothing. Write request.headers[NAME]"],
    [when("request.headers[]", "values: [a]"), "is not closed, or names nothing"],
    [when("destination.namespace", "values: [a]"), "Use the namespace of the policy"],
    [when("destination.labels[a]", "values: [a]"), "Use the selector of the policy"],
    [
      "{action: CUSTOM, provider: {name: a}, rules: [{from: [{source: {principals: [b]}}]}]}",
      "error spec.rules[0].from[0].source.principals action CUSTOM asks before it is known who calls",
    ],
    [
      "{action: CUSTOM, provider: {name: a}, rules: [{when: [{key: 'request.auth.claims[b]', values: [c]}]}]}",
      "error spec.rules[0].when[0].key action CUSTOM asks before it is known who calls",
    ],
    [
      "{action: DENY, rules: [{to: [{operation: {methods: [POST]}}]}]}",
      "warning spec.rules[0] the rule denies by what HTTP requests have alone",
    ],
    [
      "{action: DENY, rules: [{from: [{source: {requestPrincipals: [a]}}]}]}",
      "warning spec.rules[0] the rule denies by",
    ],
    [`{rules: [${"{}, ".repeat(513)}]}`, "error spec.rules found 513 entries, at most 512"],
    [
      "{selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: b}]}",
      "it says both selector and targetRefs",
    ],
  ])("says of %s", (spec, expected) => {
    expect(faults("AuthorizationPolicy", spec)).toEqual(one(expected));
  });

  it.each([
    ["{}", "true", []],
    ["{action: DENY, rules: [{}]}", "F", []],
    ["{}", "yes", one('error metadata.annotations["istio.io/dry-run"] found "yes", expected "true" or "false"')],
    ["{action: AUDIT}", "true", one("only ALLOW and DENY can be tried without effect, this one is AUDIT")],
  ])("judges the dry run of %s by %s", (spec, value, expected) => {
    expect(faults("AuthorizationPolicy", spec, `{istio.io/dry-run: "${value}"}`)).toEqual(expected);
  });

  it("lets no other kind be tried without effect", () => {
    expect(faults("PeerAuthentication", "{}", '{istio.io/dry-run: "true"}')).toEqual(one("is not allowed on a"));
  });
});
