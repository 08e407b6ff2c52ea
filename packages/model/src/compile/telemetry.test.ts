import { expect, it } from "vitest";
import { analyze } from "../analyze/analyze.js";
import { NO_TELEMETRY_POLICY, type TelemetryPolicy } from "../snapshot/telemetry.js";
import { lease, meshConfig, resource, snapshotOf } from "./fixture.test.helper.js";

const client = { namespace: "shop", service: "web", labels: { app: "web" } };

function policyOf(...resources: Parameters<typeof snapshotOf>[0]): TelemetryPolicy {
  const { telemetry } = snapshotOf(resources, [], { client });
  if (telemetry === undefined) throw new Error("no policy");
  return telemetry;
}

const telemetry = (name: string, spec: string, metadata = "") => resource("Telemetry", name, spec, metadata);
const OLD = 'creationTimestamp: "2026-01-01T00:00:00Z"';
const WEB = "selector: {matchLabels: {app: web}}";
const none = { attribute: () => undefined, entry: () => undefined };

it("says nothing where nobody does", () => {
  expect(policyOf()).toBe(NO_TELEMETRY_POLICY);
  expect(policyOf(meshConfig("trustDomain: td"))).toBe(NO_TELEMETRY_POLICY);
  const other = telemetry("else/x", "{tracing: [{randomSamplingPercentage: 5}]}");
  const targeted = telemetry(
    "x",
    "{targetRefs: [{group: '', kind: Service, name: web}], tracing: [{disableSpanReporting: true}]}",
  );
  const alone = telemetry(
    "y",
    "{targetRef: {group: '', kind: Service, name: web}, tracing: [{disableSpanReporting: true}]}",
  );
  expect(policyOf(other, targeted, alone)).toBe(NO_TELEMETRY_POLICY);
});

it("merges tracing by level: the mesh, the namespace, the workload; the oldest of the first two", () => {
  const { client: calls, server } = policyOf(
    telemetry(
      "istio-system/mesh",
      "{tracing: [{randomSamplingPercentage: 100, customTags: {a: {literal: {value: x}}}}]}",
    ),
    telemetry("istio-system/web", `{${WEB}, tracing: [{disableSpanReporting: true}]}`),
    telemetry("wide", "{tracing: [{match: {mode: CLIENT}, randomSamplingPercentage: 10}]}", OLD),
    telemetry("a-younger", "{tracing: [{randomSamplingPercentage: 1}]}"),
    telemetry(
      "web",
      `{${WEB}, tracing: [{enableIstioTags: false, disableContextPropagation: true, customTags: {b: {header: {name: X-B, defaultValue: d}}, c: {environment: {name: E}}, d: {formatter: {value: "%REQ(x)%"}}}}]}`,
    ),
    telemetry("cart", "{selector: {matchLabels: {app: cart}}, tracing: [{disableSpanReporting: true}]}"),
  );
  expect(calls.tracing).toEqual({
    disabled: false,
    samplingRatio: 0.1,
    tags: [
      { kind: "header", name: "b", header: "x-b", fallback: "d" },
      { kind: "environment", name: "c", variable: "E", fallback: "" },
      { kind: "formatter", name: "d", format: "%REQ(x)%" },
    ],
    istioTags: false,
    propagates: false,
    resource: { resource: { kind: "Telemetry", namespace: "shop", name: "web" }, path: "spec.tracing[0]" },
  });
  expect(server.tracing.samplingRatio).toBe(1);
});

it("traces as MeshConfig says where no Telemetry does, and not with a provider that is not there", () => {
  const tracing = (mesh: string, ...more: ReturnType<typeof telemetry>[]) =>
    policyOf(meshConfig(mesh), ...more).client.tracing;
  expect(tracing("enableTracing: false").disabled).toBe(true);
  const legacy = tracing(
    "enableTracing: true\ndefaultConfig: {tracing: {sampling: 20, enableIstioTags: false, customTags: {t: {literal: {value: v}}}}}",
  );
  expect(legacy).toMatchObject({ disabled: false, samplingRatio: 0.2, istioTags: false, tags: [{ name: "t" }] });
  expect(tracing("defaultConfig: {tracing: {sampling: 200}}").samplingRatio).toBe(0.01);
  expect(tracing("defaultProviders: {tracing: [otel]}").disabled).toBe(true);
  const otel = "extensionProviders: [{name: Otel, opentelemetry: {service: o.shop.svc.cluster.local, port: 4317}}]";
  expect(tracing(`${otel}\ndefaultProviders: {tracing: [otel]}`).disabled).toBe(false);
  const named = (name: string) => telemetry("x", `{tracing: [{providers: [{name: ${name}}]}]}`);
  expect(tracing(otel, named("OTEL")).disabled).toBe(false);
  expect(tracing(otel, named("zipkin")).disabled).toBe(true);
  expect(tracing("enableTracing: false", telemetry("x", "{tracing: [{}]}")).disabled).toBe(false);
});

it("overrides metrics in order, by mode and metric", () => {
  const { client: calls, server } = policyOf(
    meshConfig("extensionProviders: [{name: p, prometheus: {}}]\ndefaultProviders: {metrics: [p]}"),
    telemetry(
      "istio-system/mesh",
      "{metrics: [{reportingInterval: 10s, overrides: [{disabled: true}, {match: {metric: REQUEST_COUNT}, tagOverrides: {a: {value: request.method}, b: {operation: REMOVE}}}]}]}",
    ),
    telemetry(
      "web",
      "{metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, disabled: false, tagOverrides: {a: {operation: UPSERT, value: \"'x'\"}}}, {match: {customMetric: istio_request_bytes}, disabled: false}, {match: {customMetric: nonsense}, disabled: false}]}]}",
    ),
  );
  expect(calls.metrics.reportingMs).toBe(10_000);
  expect(calls.metrics.disabled.has("requests_total")).toBe(false);
  expect(server.metrics.disabled.has("requests_total")).toBe(true);
  expect([calls.metrics.disabled.size, server.metrics.disabled.size]).toEqual([8, 9]);
  const tags = calls.metrics.tags.get("requests_total") ?? [];
  expect(tags.map(({ tag, value }) => [tag, value?.source, value?.evaluate(none)])).toEqual([
    ["a", "'x'", "x"],
    ["b", undefined, undefined],
  ]);
  expect(server.metrics.tags.get("requests_total")?.[0]?.value?.source).toBe("request.method");
  expect(calls.metrics.tags.has("request_bytes")).toBe(false);
});

it("logs with the providers of the nearest level, filtered as the last entry says", () => {
  const mesh = meshConfig(
    'extensionProviders: [{name: json, envoyFileAccessLog: {path: /tmp/a.log, logFormat: {labels: {m: "%REQ(:METHOD)%"}}}}, {name: plain, envoyFileAccessLog: {logFormat: {text: "%PROTOCOL%"}}}, {name: otel, envoyOtelAls: {service: o.shop.svc.cluster.local, port: 4317, logFormat: {text: x}}}]\ndefaultProviders: {accessLogging: [envoy]}\naccessLogFormat: "%DURATION%"',
  );
  expect(policyOf(mesh).client.accessLogs).toEqual([
    { provider: { name: "envoy", kind: "file", path: "/dev/stdout", encoding: "text", format: "%DURATION%" } },
  ]);
  const { client: calls, server } = policyOf(
    mesh,
    telemetry("istio-system/mesh", "{accessLogging: [{providers: [{name: json}, {name: plain}, {name: otel}]}]}"),
    telemetry(
      "web",
      "{accessLogging: [{match: {mode: SERVER}, disabled: true}, {match: {mode: CLIENT}, providers: [{name: JSON}, {name: otel}, {name: lost}], filter: {expression: response.code >= 500}}]}",
    ),
  );
  expect(server.accessLogs).toEqual([]);
  expect(calls.accessLogs.map(({ provider, filter }) => [provider, filter?.source])).toEqual([
    [
      { name: "json", kind: "file", path: "/tmp/a.log", encoding: "json", format: { m: "%REQ(:METHOD)%" } },
      "response.code >= 500",
    ],
    [{ name: "otel", kind: "otel", path: "", encoding: "json", body: "x" }, "response.code >= 500"],
  ]);
  expect(calls.accessLogs[0]?.resource?.path).toBe("spec.accessLogging[1]");
});

it("logs as accessLogFile says where nobody else does", () => {
  const json = policyOf(
    meshConfig(`{accessLogFile: /dev/stdout, accessLogEncoding: JSON, accessLogFormat: '{"m": "%REQ(:METHOD)%"}'}`),
  );
  expect(json.server.accessLogs).toEqual([
    {
      provider: { name: "envoy", kind: "file", path: "/dev/stdout", encoding: "json", format: { m: "%REQ(:METHOD)%" } },
    },
  ]);
});

it("keeps the policy as long as nothing in it changed", () => {
  const own = telemetry("x", "{tracing: [{randomSamplingPercentage: 5}]}");
  const first = snapshotOf([own], [], { client });
  const second = snapshotOf([own, telemetry("else/x", "{tracing: [{}]}")], [], { client }, first);
  expect(second.telemetry).toBe(first.telemetry);
  const third = snapshotOf([own, meshConfig("accessLogFile: /dev/stdout")], [], { client }, second);
  expect(third.telemetry).not.toBe(first.telemetry);
});

it("is analyzed: who means whom, and what is not there", () => {
  const codes = (resources: Parameters<typeof analyze>[0], workloads: Parameters<typeof analyze>[1] = []) =>
    analyze(resources, workloads).map(({ code, resource: key }) => `${code} ${key.split("/").slice(1).join("/")}`);
  const all = "{tracing: [{randomSamplingPercentage: 5}]}";
  expect(codes([telemetry("a", all), telemetry("b", all), telemetry("else/c", all)])).toEqual([
    "IST0160 shop/a",
    "IST0160 shop/b",
  ]);
  const tiers = telemetry("b", "{selector: {matchLabels: {tier: front}}}");
  const web = telemetry("a", `{${WEB}}`);
  expect(codes([web, tiers])).toEqual([]);
  const running = [lease("web", 1, { labels: { app: "web", tier: "front" } })];
  expect(codes([web, tiers], running)).toEqual(["IST0159 shop/a", "IST0159 shop/b"]);
  expect(codes([telemetry("c", "{selector: {matchLabels: {app: no}}}")], running)).toEqual(["IST0127 shop/c"]);
  expect(codes([telemetry("istio-system/a", `{${WEB}}`)])).toEqual(["IM0905 istio-system/a"]);
  expect(codes([telemetry("a", "{accessLogging: [{}, {disabled: true}]}")])).toEqual(["IST0157 shop/a"]);
  const named =
    "{tracing: [{providers: [{name: nobody}]}], accessLogging: [{providers: [{name: Envoy}, {name: evnoy}]}]}";
  expect(codes([telemetry("a", named)])).toEqual(["IM0906 shop/a", "IM0906 shop/a"]);
});
