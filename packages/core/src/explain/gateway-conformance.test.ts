/** Gateway API's own conformance cases, asked of explain: those for meshes, and those for gateways with a Service as parent. ../shared/cases/README.md. */

import { type ClientContext, compile } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { readCaseFile, resourcesOf, whyMissing } from "../testing/recorded-cases.test.helper.js";
import { explain } from "./explain.js";
import type { Explanation } from "./explanation.js";

interface MeshCase {
  readonly line: number;
  readonly request: { method: string; path?: string; host?: string; headers?: Record<string, string> };
  readonly expect: {
    readonly status: readonly number[];
    readonly backend?: string;
    readonly redirect?: { path?: string; host?: string; port?: string | number; scheme?: string };
    readonly headers?: Record<string, string>;
    readonly absent?: readonly string[];
    /** What the backend sees. */
    readonly seen?: { path?: string; host?: string; headers?: Record<string, string> };
    readonly seenAbsent?: readonly string[];
  };
}

interface CaseFile {
  readonly tests: readonly { test: string; routes: unknown[]; cases: MeshCase[] }[];
}

const NAMESPACE = "gateway-conformance-mesh";
const CLIENT: ClientContext = { namespace: NAMESPACE, service: "app", labels: {} };
const PORTS = [80, 8080, 443].map((port) => ({ name: `http-${port}`, port }));
const serviceOf = (name: string, namespace: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { ports: PORTS },
});
/** Those of the suite's manifests. */
const SERVICES = ["echo", "echo-v1", "echo-v2"].map((name) => serviceOf(name, NAMESPACE));

/** Addresses of pods, and a Host header that differs from what is called, are not what a caller of ours can write. */
function isOurs({ request }: MeshCase): boolean {
  return request.headers?.["host"] === undefined && !request.host?.startsWith("{");
}

/** @param where test and line, for what fails */
function judge(answer: Explanation, wanted: MeshCase["expect"], where: string): void {
  expect(wanted.status, where).toContain(answer.status ?? 200);
  const backends = answer.destinations.map(({ host }) => host.split(".")[0]);
  // The suite's constant, written out.
  const backend = wanted.backend?.replace(/^confsuite\.InfraBackendServiceNameV/, "infra-backend-v");
  if (backend !== undefined) expect(backends, where).toEqual([backend]);
  const headers = { ...answer.responseHeaders.set, ...answer.responseHeaders.add };
  expect(headers, where).toMatchObject(wanted.headers ?? {});
  for (const name of wanted.absent ?? []) expect(Object.keys(headers), where).not.toContain(name.toLowerCase());
  const { path, host, headers: sent = {} } = wanted.seen ?? {};
  if (path !== undefined) expect(answer.request.path, where).toBe(path);
  if (host !== undefined) expect(answer.request.authority, where).toBe(host);
  for (const [name, value] of Object.entries(sent))
    expect(answer.request.headers[name.toLowerCase()], where).toBe(value);
  for (const name of wanted.seenAbsent ?? [])
    expect(answer.request.headers, where).not.toHaveProperty(name.toLowerCase());
  if (wanted.redirect !== undefined) judgeRedirect(answer, wanted.redirect, where);
}

function judgeRedirect(answer: Explanation, wanted: NonNullable<MeshCase["expect"]["redirect"]>, where: string): void {
  const location = new URL(answer.redirect?.location ?? "");
  const { path, host, port, scheme } = wanted;
  if (path !== undefined) expect(location.pathname, where).toBe(path);
  if (host !== undefined) expect(location.hostname, where).toBe(host);
  if (port !== undefined) expect(location.port, where).toBe(String(port));
  if (scheme !== undefined) expect(location.protocol, where).toBe(`${scheme}:`);
}

/** Listeners, listener sets and host names are a gateway's; a timeout is not waited for here; one filter is refused (see the guide). */
const OF_GATEWAYS = /ListenerPort|Timeout|BackendRequestRedirect/;

interface WrittenRoute {
  readonly kind: string;
  readonly metadata: { namespace: string };
  readonly spec: { hostnames?: unknown[]; rules?: { backendRefs?: { name: string; namespace?: string }[] }[] };
}

describe("explain, in Gateway API's conformance cases", () => {
  it("for meshes, answers as the specification demands", (context) => {
    const missing = whyMissing("gateway-mesh.json");
    if (missing !== undefined) return context.skip(missing);
    const { tests } = readCaseFile<CaseFile>("gateway-mesh.json");
    let judged = 0;
    for (const { test, routes, cases } of tests) {
      const resources = resourcesOf([...SERVICES, ...routes]);
      const snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 });
      for (const { request, expect: wanted, line } of cases.filter(isOurs)) {
        judged += 1;
        judge(explain(snapshot, { host: "echo", ...request }), wanted, `${test}:${line}`);
      }
    }
    expect(judged).toBe(48);
  });

  it("for gateways, answers so where a Service takes the place of the gateway", (context) => {
    const missing = whyMissing("gateway-ns.json");
    if (missing !== undefined) return context.skip(missing);
    const { tests } = readCaseFile<CaseFile>("gateway-ns.json");
    let judged = 0;
    for (const { test, routes, cases } of tests) {
      const written = routes as readonly WrittenRoute[];
      const meant = written.every(({ kind, spec }) => kind === "HTTPRoute" && (spec.hostnames ?? []).length === 0);
      const namespace = written[0]?.metadata.namespace;
      if (!meant || namespace === undefined || OF_GATEWAYS.test(test)) continue;
      const parentRefs = [{ group: "", kind: "Service", name: "edge", namespace }];
      const services = new Map([["edge", serviceOf("edge", namespace)]]);
      for (const { spec, metadata } of written) {
        for (const { name, namespace: of } of (spec.rules ?? []).flatMap(({ backendRefs }) => backendRefs ?? [])) {
          const there = of ?? metadata.namespace;
          if (!name.includes("nonexistent")) services.set(`${there}/${name}`, serviceOf(name, there));
        }
      }
      const resources = resourcesOf([
        ...services.values(),
        ...written.map((route) => ({ ...route, spec: { ...route.spec, parentRefs } })),
      ]);
      const client = { ...CLIENT, namespace };
      const snapshot = compile({ resources, workloads: [], client, problems: [], version: 1 });
      for (const { request, expect: wanted, line } of cases) {
        judged += 1;
        judge(explain(snapshot, { ...request, host: "edge" }), wanted, `${test}:${line}`);
      }
    }
    expect(judged).toBe(74);
  });
});
