import { describe, expect, it } from "vitest";
import { lease, meshConfig, resource } from "../compile/fixture.test.helper.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { analyze } from "./analyze.js";

const WEB = [lease("web", 3000, { labels: { app: "web" } })];
const peer = (name: string, spec: string, metadata = "") => resource("PeerAuthentication", name, spec, metadata);
const policy = (spec: string, name = "a") => resource("AuthorizationPolicy", name, spec);
const tokens = (spec: string, name = "t") => resource("RequestAuthentication", name, spec);

/** `IM0801 warning AuthorizationPolicy/shop/a spec.targetRef what is said`. */
function found(resources: readonly Resource[], workloads: readonly Workload[] = WEB): string[] {
  return analyze(resources, workloads).map(({ code, severity, resource, path, message }) =>
    [code, severity, resource, path, message].join(" "),
  );
}

const starts = (...texts: readonly string[]) => texts.map((text) => expect.stringContaining(text));

describe("analyze, PeerAuthentication", () => {
  it("says which of two for the same workloads holds", () => {
    const old = peer("old", "{mtls: {mode: STRICT}}", 'creationTimestamp: "2025-01-01T00:00:00Z"');
    expect(found([peer("new", "{selector: {}, mtls: {mode: DISABLE}}"), old])).toEqual([
      "IM0805 warning PeerAuthentication/shop/new spec PeerAuthentication/shop/old (policy.yaml:1) is for the same workloads. Only PeerAuthentication/shop/old, the older one, holds, and nothing of the others. Keep one of them.",
      expect.stringMatching(/^IM0805 warning PeerAuthentication\/shop\/old spec PeerAuthentication\/shop\/new /),
    ]);
  });

  it("names those that hold for nobody", () => {
    const ofRoot = peer("istio-system/a", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}");
    expect(found([ofRoot])).toEqual(starts("IM0804 warning PeerAuthentication/istio-system/a spec.selector "));
    const nobody = peer("a", "{selector: {matchLabels: {app: wbe}}, mtls: {mode: STRICT}}");
    expect(found([nobody])).toEqual(
      starts(
        'IST0127 warning PeerAuthentication/shop/a spec.selector.matchLabels no running process in namespace "shop"',
      ),
    );
    expect(found([nobody], [])).toEqual([]);
  });

  it("warns of a workload that takes no TLS where callers do not look", () => {
    const own = peer(
      "a",
      '{selector: {matchLabels: {app: web}}, mtls: {mode: DISABLE}, portLevelMtls: {"80": {mode: DISABLE}, "81": {mode: STRICT}}}',
    );
    const both = starts(
      "IM0806 warning PeerAuthentication/shop/a spec.mtls.mode the workload takes no TLS, and callers do not know: for them the namespace is PERMISSIVE",
      'IM0806 warning PeerAuthentication/shop/a spec.portLevelMtls["80"].mode port 80 takes no TLS',
    );
    expect(found([own])).toEqual(both);
    expect(found([own, peer("ns", "{mtls: {mode: DISABLE}}")])).toEqual([]);
    expect(found([own, peer("istio-system/ns", "{mtls: {mode: DISABLE}}")])).toEqual([]);
    expect(found([own, meshConfig("enableAutoMtls: false")])).toEqual([]);
  });

  it("warns of callers that are told to come without a certificate where one is demanded", () => {
    const rule = resource(
      "DestinationRule",
      "web",
      "{host: web, trafficPolicy: {tls: {mode: DISABLE}, portLevelSettings: [{port: {number: 80}, tls: {}}, {port: {number: 81}, tls: {mode: ISTIO_MUTUAL}}]}, subsets: [{name: v1, labels: {app: web}, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca}}}]}",
    );
    expect(found([rule, peer("istio-system/all", "{mtls: {mode: STRICT}}")])).toEqual(
      starts(
        'IM0807 warning DestinationRule/shop/web spec.trafficPolicy.tls tls.mode DISABLE shows no certificate of the mesh, and PeerAuthentication is STRICT for namespace "shop"',
        "IM0807 warning DestinationRule/shop/web spec.trafficPolicy.portLevelSettings[0].tls tls.mode DISABLE",
        "IM0807 warning DestinationRule/shop/web spec.subsets[0].trafficPolicy.tls tls.mode SIMPLE",
      ),
    );
    expect(found([rule, peer("istio-system/all", "{mtls: {mode: PERMISSIVE}}")])).toEqual([]);
  });
});

describe("analyze, AuthorizationPolicy and RequestAuthentication", () => {
  it("names those that are for gateways", () => {
    const target = "{kind: Gateway, group: gateway.networking.k8s.io, name: g}";
    expect(found([policy(`{targetRef: ${target}}`), tokens(`{targetRefs: [${target}], jwtRules: []}`)])).toEqual(
      starts(
        "IM0801 warning AuthorizationPolicy/shop/a spec.targetRef what has targets is for gateways",
        "IM0801 warning RequestAuthentication/shop/t spec.targetRefs what has targets is for gateways",
      ),
    );
  });

  it("names selectors that select nobody", () => {
    const nobody = "{selector: {matchLabels: {app: wbe}}, rules: [{}]}";
    expect(found([policy(nobody), policy(nobody, "istio-system/a"), policy("{rules: [{}]}", "b")])).toEqual(
      starts(
        'IST0127 warning AuthorizationPolicy/shop/a spec.selector.matchLabels no running process in namespace "shop"',
        "IST0127 warning AuthorizationPolicy/istio-system/a spec.selector.matchLabels no running process of the mesh",
      ),
    );
  });

  it.each([
    ["{}", "IM0802 info AuthorizationPolicy/shop/a spec an ALLOW without rules lets nobody in"],
    [
      "{rules: [{from: []}]}",
      "IM0803 warning AuthorizationPolicy/shop/a spec.rules[0].from an empty from is as good as",
    ],
    ["{action: DENY, rules: [{to: []}]}", "IM0803 warning AuthorizationPolicy/shop/a spec.rules[0].to an empty to"],
  ])("says what %s means", (spec, expected) => {
    expect(found([policy(spec)])).toEqual(starts(expected));
  });

  it("looks for the provider of a CUSTOM policy", () => {
    const asks = policy("{action: CUSTOM, provider: {name: ask}, rules: [{}]}");
    const providers = (spec: string) => meshConfig(`extensionProviders: [${spec}]`);
    const at = "IM0808 error AuthorizationPolicy/shop/a spec.provider.name";
    expect(found([asks])).toEqual(
      starts(`${at} MeshConfig has no extensionProvider "ask". What the policy would ask it`),
    );
    expect(found([asks, providers("{name: asks, envoyExtAuthzHttp: {service: a.b, port: 80}}")])[0]).toContain(
      'Did you mean "asks"?',
    );
    expect(found([asks, providers("{name: ask, prometheus: {}}")])).toEqual(
      starts(`${at} extensionProvider "ask" is none`),
    );
    const grpc = providers("{name: ask, envoyExtAuthzGrpc: {service: a.b, port: 80}}");
    expect(found([asks, grpc])).toEqual([]);
    expect(found([asks, providers("{name: ask, envoyExtAuthzHttp: {service: a.b, port: 80}}")])).toEqual([]);
  });

  it.each([
    "{from: [{source: {requestPrincipals: [a]}}]}",
    "{from: [{source: {notRequestPrincipals: [a]}}]}",
    "{when: [{key: 'request.auth.claims[a]', values: [b]}]}",
  ])("says that nobody takes the tokens that %s asks for", (rule) => {
    const asks = policy(`{rules: [{}, ${rule}]}`);
    const nobody = starts(
      "IM0809 warning AuthorizationPolicy/shop/a spec.rules[1] the rule asks for what stands in a token",
    );
    expect(found([asks])).toEqual(nobody);
    expect(found([asks, tokens("{}"), tokens("{jwtRules: [{issuer: a}]}", "back/t")])).toEqual(nobody);
    for (const name of ["t", "istio-system/t"]) {
      expect(found([asks, tokens("{jwtRules: [{issuer: a}]}", name)])).toEqual([]);
    }
  });

  it("judges the accounts that a Service names", () => {
    const service = (accounts: string) =>
      resource("Service", "web", "{ports: [{port: 80}]}", `annotations: {inmesh.dev/service-accounts: "${accounts}"}`);
    expect(found([service("a, back/b")])).toEqual([]);
    expect(found([service("a/b/c, d*")])).toEqual(
      starts(
        'IM0810 warning Service/shop/web metadata.annotations["inmesh.dev/service-accounts"] "a/b/c" is no service account',
        'IM0810 warning Service/shop/web metadata.annotations["inmesh.dev/service-accounts"] "shop/d*" is no service account',
      ),
    );
  });
});
