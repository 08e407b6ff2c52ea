/** What Telemetry resources and MeshConfig say about the access log, from the documents to the lines, through createMesh. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryRegistry } from "@inmesh/core";
import { type Document, documentFromValue } from "@inmesh/model";
import { createMesh } from "@inmesh/node";
import { logs } from "@opentelemetry/api-logs";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { until } from "../prometheus/prometheus.js";
import { openLogSink } from "./otlp-logs.js";

/** Of pilot/pkg/model/telemetry_logging.go. */
const ISTIO_TEXT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

/** Loaded when policy first asks for it; calls made until then have no lines, and here it is compiled first. */
beforeAll(() => import("@inmesh/telemetry/access-log"));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-access-log-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function lines(file: string): string[] {
  return readFileSync(join(folder, file), "utf8").split("\n").filter(Boolean);
}

/** Calls `/`, `/broken` and `/teapot` of a service; all has been written when it resolves. */
async function calls(...documents: readonly object[]): Promise<void> {
  const config = new MemoryRegistry({ documents: documents.map(documentOf) });
  const shared = { config, propagationDelayMs: 0, log: "warn", admin: "off" } as const;
  await using served = await createMesh({ service: "reviews", ...shared });
  const server = served.attach(
    createServer((request, response) => {
      response.statusCode = { "/broken": 503, "/teapot": 418 }[request.url?.split("?")[0] ?? ""] ?? 200;
      response.end("hello");
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await using caller = await createMesh({ service: "web", ...shared });
  await until(async () => (await caller.fetch("http://reviews/known")).status === 200, "reviews to be found");
  for (const path of ["/", "/broken", "/teapot"])
    await (await caller.fetch(`http://reviews${path}?token=s3cret`, { headers: { "user-agent": "curl/8" } })).text();
  server.close();
}

function documentOf(value: object): Document {
  const { documents, problems } = documentFromValue(value);
  expect(problems).toEqual([]);
  return documents[0] as Document;
}

function telemetry(...accessLogging: readonly object[]): object {
  return {
    ...{ apiVersion: "telemetry.istio.io/v1", kind: "Telemetry" },
    ...{ metadata: { name: "logs", namespace: "istio-system" }, spec: { accessLogging } },
  };
}

function meshConfig(fields: object): object {
  return { apiVersion: "mesh.istio.io/v1alpha1", kind: "MeshConfig", ...fields };
}

it("writes Istio's default text for what a filter lets through, on the sides that are meant", async () => {
  const path = join(folder, "calls.log");
  const provider = { name: "file", envoyFileAccessLog: { path, logFormat: { text: ISTIO_TEXT } } };
  await calls(
    meshConfig({ extensionProviders: [provider] }),
    telemetry({
      ...{ providers: [{ name: "file" }], match: { mode: "CLIENT" } },
      filter: { expression: "response.code >= 400 && !(request.url_path == '/teapot')" },
    }),
  );
  expect(lines("calls.log")).toHaveLength(1);
  expect(lines("calls.log")[0]).toMatch(
    /^\[\S+Z\] "GET \/broken HTTP\/1\.1" 503 - via_upstream - "-" 0 5 \d+ \d+ "-" "curl\/8" "-" "reviews" "127\.0\.0\.1:\d+" outbound\|80\|\|reviews\.default\.svc\.cluster\.local 127\.0\.0\.1:\d+ - - - default$/,
  );
});

it("writes JSON as a provider wants it, and nothing for the side that a later entry silences", async () => {
  const path = join(folder, "served.log");
  const labels = {
    at: "%REQ(:PATH)%",
    code: "%RESPONSE_CODE%",
    cluster: "%UPSTREAM_CLUSTER_RAW%",
    from: { mesh: "web" },
  };
  await calls(
    meshConfig({ extensionProviders: [{ name: "file", envoyFileAccessLog: { path, logFormat: { labels } } }] }),
    telemetry(
      { providers: [{ name: "file" }] },
      { providers: [{ name: "file" }], match: { mode: "CLIENT" }, disabled: true },
    ),
  );
  const cluster = expect.stringMatching(/^inbound\|\d+\|\|$/);
  const served = lines("served.log").map((line) => JSON.parse(line));
  expect(served.filter(({ at }) => at !== "/known")).toEqual([
    { at: "/", code: 200, cluster, from: { mesh: "web" } },
    { at: "/broken", code: 503, cluster, from: { mesh: "web" } },
    { at: "/teapot", code: 418, cluster, from: { mesh: "web" } },
  ]);
});

it("writes what MeshConfig alone asks for", async () => {
  const accessLogFile = join(folder, "mesh.log");
  await calls(meshConfig({ accessLogFile, accessLogFormat: "%REQ(:METHOD)% %RESPONSE_CODE% %UPSTREAM_CLUSTER%\n" }));
  expect(lines("mesh.log")).toContain("GET 503 outbound|80||reviews.default.svc.cluster.local");
  expect(lines("mesh.log").filter((line) => line.startsWith("GET 418 inbound|"))).toHaveLength(1);
});

const otel = (logFormat?: object): object => ({
  name: "otel",
  envoyOtelAls: { service: "collector.observability.svc.cluster.local", port: 4317, ...(logFormat && { logFormat }) },
});

it("sends log records by OTLP where the environment says to, and the application has no provider of its own", async () => {
  await using sink = await openLogSink();
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url);
  vi.stubEnv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json");
  vi.stubEnv("OTEL_TRACES_EXPORTER", "none");
  await calls(
    meshConfig({
      extensionProviders: [otel({ text: "%REQ(:METHOD)% gave %RESPONSE_CODE%", labels: { to: "%REQ(:PATH)%" } })],
    }),
    telemetry({ providers: [{ name: "otel" }], filter: { expression: "response.code >= 500" } }),
  );
  expect(new Set(sink.asked)).toEqual(new Set(["POST /v1/logs application/json"]));
  expect(sink.records.toSorted((one, other) => one.service.localeCompare(other.service))).toEqual(
    ["reviews", "web"].map((service) => ({
      ...{ service, severity: "ERROR", body: "GET gave 503" },
      attributes: { to: "/broken" },
    })),
  );
});

it("gives log records to the provider that the application has registered", async () => {
  const exporter = new InMemoryLogRecordExporter();
  logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }));
  onTestFinished(() => logs.disable());
  await calls(
    meshConfig({ extensionProviders: [otel()] }),
    telemetry({
      providers: [{ name: "otel" }],
      match: { mode: "SERVER" },
      filter: { expression: "response.code == 418" },
    }),
  );
  const [record, ...more] = exporter.getFinishedLogRecords();
  expect(more).toEqual([]);
  expect(record?.body).toBe("GET /teapot 418");
  expect(record?.attributes).toMatchObject({ direction: "inbound", response_code: 418, user_agent: "curl/8" });
});
