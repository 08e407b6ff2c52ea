import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import type { Problem } from "../problem.js";
import type { Workload } from "../snapshot/workload.js";
import { validateDocument } from "../validate/validate-document.js";
import { analyze } from "./analyze.js";

function read(yaml: string, file = "mesh.yaml.txt") {
  return parseDocuments(yaml, { file, namespace: "shop" }).documents.map((document) => {
    const { resource, problems } = validateDocument(document);
    if (resource === undefined) throw new Error(JSON.stringify(problems));
    return resource;
  });
}

function running(service: string, labels: Record<string, string> = {}): Workload {
  const ports = [{ number: 3000, name: "http" }];
  return { name: service, namespace: "shop", service, address: "127.0.0.1", ports, labels, weight: 1, healthy: true };
}

const at = ({ code, severity, resource, path, line, column }: Problem) =>
  `${code} ${severity} ${resource} ${path} ${line}:${column}`;

const virtualService = (name: string, hosts: string, http: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ${name}}
spec:
  hosts: [${hosts}]
  http:
${http}
---`;

const TWO_PORTS = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: pay}
spec:
  hosts: [pay.shop.svc.cluster.local]
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: alt, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, labels: {version: v1}}]
---`;

const SUBSETS = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---`;

describe("analyze", () => {
  it("names a host that nobody is, with its place and the name that was meant", () => {
    const resources = read(virtualService("vs", "reviews", "  - route:\n    - destination:\n        host: reviws"));
    const [problem, ...others] = analyze(resources, [running("reviews")]);
    expect(others).toEqual([]);
    expect(problem && at(problem)).toBe(
      "IST0101 error VirtualService/shop/vs spec.http[0].route[0].destination.host 10:9",
    );
    expect(problem?.message).toContain('Did you mean "reviews"?');
  });

  it("calls an undeclared host no error where only files are judged", () => {
    const resources = read(virtualService("vs", "reviews", "  - route: [{destination: {host: ratings}}]"));
    expect(analyze(resources).map(({ code, severity }) => `${code} ${severity}`)).toEqual(["IM0302 info"]);
  });

  it.each([
    ["an unknown subset", "{host: reviews, subset: v9}", "IST0101", "subset", 'Did you mean "v'],
    ["a port the service lacks", "{host: pay, port: {number: 81}}", "IST0101", "port.number", "only 80, 8080"],
    ["a missing port among several", "{host: pay}", "IST0112", "host", "80, 8080"],
  ])("names %s", (_, destination, code, field, text) => {
    const yaml = TWO_PORTS + SUBSETS + virtualService("vs", "web", `  - route: [{destination: ${destination}}]`);
    const workloads = [running("reviews", { version: "v1" }), running("reviews", { version: "v2" })];
    const problems = analyze(read(yaml), workloads);
    expect(problems.map((problem) => [problem.code, problem.path])).toEqual([
      [code, `spec.http[0].route[0].destination.${field}`],
    ]);
    expect(problems[0]?.message).toContain(text);
  });

  it("names a subset without endpoints once its service has some", () => {
    const problems = analyze(read(SUBSETS), [running("reviews", { version: "v1" })]);
    expect(problems.map(at)).toEqual(["IST0173 error DestinationRule/shop/reviews spec.subsets[1] 9:5"]);
    expect(analyze(read(SUBSETS), [running("other")]).map(({ code }) => code)).toEqual(["IST0174"]);
  });

  it("names a host that stands twice in one VirtualService, as istioctl does", () => {
    const rule = "  - route: [{destination: {host: reviews}}]";
    const resources = read(virtualService("a", "reviews, reviews.shop.svc.cluster.local", rule));
    expect(analyze(resources, [running("reviews")]).map(at)).toEqual([
      "IST0109 error VirtualService/shop/a spec.hosts[1] 6:20",
    ]);
  });

  it("names both files of two VirtualServices for one host", () => {
    const rule = "  - route: [{destination: {host: reviews}}]";
    const resources = [
      ...read(virtualService("a", "reviews", rule), "a.yaml"),
      ...read(virtualService("b", "reviews.shop.svc.cluster.local", rule), "b.yaml"),
    ];
    const problems = analyze(resources, [running("reviews")]);
    expect(problems.map(({ code, file }) => [code, file])).toEqual([
      ["IST0109", "a.yaml"],
      ["IST0109", "b.yaml"],
    ]);
    expect(problems[0]?.message).toContain("VirtualService/shop/b (b.yaml:2)");
    expect(problems[0]?.message).toContain("is older and used");
    expect(problems[1]?.message).toContain("An older one is used");
  });

  it("has nothing against two VirtualServices that no namespace sees together", () => {
    const rule = "  - route: [{destination: {host: reviews.shop.svc.cluster.local}}]\n  exportTo: [.]";
    const resources = read(
      virtualService("a", "reviews.shop.svc.cluster.local", rule) +
        virtualService("b, namespace: other", "reviews.shop.svc.cluster.local", rule),
    );
    expect(analyze(resources, [running("reviews")])).toEqual([]);
  });

  it("names a delegate that is missing, has hosts, or is not exported", () => {
    const yaml =
      virtualService(
        "root",
        "web",
        "  - {match: [{uri: {prefix: /a}}], delegate: {name: none}}\n" +
          "  - {match: [{uri: {prefix: /b}}], delegate: {name: other}}\n" +
          "  - {match: [{uri: {prefix: /c}}], delegate: {name: hidden, namespace: back}}",
      ) +
      virtualService("other", "other", "  - route: [{destination: {host: reviews}}]") +
      virtualService("hidden, namespace: back", "", "  - directResponse: {status: 200}\n  exportTo: [.]");
    const problems = analyze(read(yaml), [running("reviews")]);
    expect(problems.map(({ code, path }) => [code, path])).toEqual([
      ["IST0101", "spec.http[0].delegate"],
      ["IST0101", "spec.http[1].delegate"],
      ["IST0101", "spec.http[2].delegate"],
    ]);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringContaining("does not exist"),
      expect.stringContaining("has hosts of its own"),
      expect.stringContaining('is not exported to namespace "shop"'),
    ]);
  });

  describe("of what a Sidecar keeps from its callers", () => {
    const sidecar = (egress: string) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web}
spec: {egress: [${egress}]}
---`;
    const listener = (port: number) => `{port: {number: ${port}, protocol: HTTP, name: p}, hosts: [./*]}`;
    const TO_80 = "route: [{destination: {host: pay, port: {number: 80}}}]";
    const to = (rule: string) => TWO_PORTS + virtualService("vs", "pay", `  - {${rule}}`);
    const found = (yaml: string) =>
      analyze(read(yaml)).flatMap(({ code, path, message }) => (code === "IM0314" ? [[path, message]] : []));

    it("names the destination, and what to do", () => {
      expect(found(to(TO_80) + sidecar(listener(8080)))).toEqual([
        [
          "spec.http[0].route[0].destination",
          'callers under Sidecar/shop/web (mesh.yaml.txt:19) get 503 for what is sent to "pay.shop.svc.cluster.local", port 80, since no listener for port 80, and none without a port, lets the rule or the host through. Add one.',
        ],
      ]);
    });

    it("names a rule that has a match for nobody in particular beside one for another namespace", () => {
      const match = "match: [{uri: {exact: /a}}, {sourceNamespace: back}]";
      const yaml = to(`${match}, ${TO_80}`) + sidecar("{hosts: [./reviews.shop.svc.cluster.local, back/*]}");
      expect(found(yaml)).toEqual([]); // the rules of pay are not imported
      const rule = `{${match}, ${TO_80}}`;
      const reviews = TWO_PORTS + virtualService("vs", "reviews", `  - ${rule}`);
      const [[path, message] = []] = found(reviews + sidecar("{hosts: [./reviews.shop.svc.cluster.local]}"));
      expect(path).toBe("spec.http[0].route[0].destination");
      expect(message).toContain("Make two rules of it");
    });

    it.each([
      ["a listener of that port", listener(80)],
      ["one without a port", "{hosts: [./*]}"],
      ["one that lets the rule through, though not the host", "{hosts: [./pay.shop.svc.cluster.local]}"],
    ])("has nothing against %s", (_, egress) => {
      expect(found(to(TO_80) + sidecar(egress))).toEqual([]);
    });
  });

  it("warns of a command nobody fills in for an authorizer, which may be sent more of them than services are", () => {
    const yaml = `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
extensionProviders:
- name: door
  envoyExtAuthzHttp:
    service: door.shop.svc.cluster.local
    port: 80
    includeAdditionalHeadersInCheck: {x-a: "%REQ(x-b):3%%DOWNSTREAM_PEER_URI_SAN%%%", x-c: "%UPSTREAM_HOST%"}
`;
    expect(analyze(read(yaml), []).map(({ code, path }) => [code, path])).toEqual([
      ["IM0301", "spec.extensionProviders[0].envoyExtAuthzHttp.includeAdditionalHeadersInCheck.x-c"],
    ]);
  });

  it("warns of a header command nobody fills in, and of a deprecated field", () => {
    const rule = `  - route: [{destination: {host: reviews}}]
    fault: {delay: {percent: 5, fixedDelay: 1s}}
    headers: {request: {set: {x-a: "%REQ(x-b)% 100%%", x-c: "%UPSTREAM_HOST%"}}}`;
    const problems = analyze(read(virtualService("vs", "reviews", rule)), [running("reviews")]);
    expect(problems.map(({ code, path }) => [code, path])).toEqual([
      ["IST0002", "spec.http[0].fault.delay.percent"],
      ["IM0301", "spec.http[0].headers.request.set.x-c"],
    ]);
  });

  it("names Sidecars of which only one can apply", () => {
    const sidecar = (name: string) =>
      `apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: ${name}}\nspec: {egress: [{hosts: ["./*"]}]}\n---\n`;
    const problems = analyze(read(sidecar("a") + sidecar("b")), []);
    expect(problems.map(({ code, resource }) => [code, resource])).toEqual([
      ["IST0111", "Sidecar/shop/a"],
      ["IST0111", "Sidecar/shop/b"],
    ]);
  });
});
