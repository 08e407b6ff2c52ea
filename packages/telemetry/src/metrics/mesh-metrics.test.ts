import type { OutcomeRecord } from "@inmesh/core";
import { FLAG } from "@inmesh/core";
import { type MetricsPolicy, NO_TELEMETRY_POLICY, type PeerIdentity, type TelemetryPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { MeshMetrics, type MeshMetricsOptions, type ReadOptions } from "./mesh-metrics.js";
import { clusterOf, endpointOf, outcome, peerOf } from "./outcome.test.helper.js";
import { ownMetadata, PeerMetadata } from "./peer-metadata.js";
import { type WorkloadLabels, workloadLabels } from "./workload-labels.js";

const PRINCIPAL = "spiffe://cluster.local/ns/shop/sa/productpage";

type Collectors = MeshMetricsOptions["collectors"];

function testMetrics({ maxSeries, collectors = [] }: { maxSeries?: number; collectors?: Collectors } = {}) {
  const known = new Map<string, WorkloadLabels>();
  const time = { now: 0, version: 1 };
  const metrics = new MeshMetrics({
    self: workloadLabels({ app: "productpage", version: "v1" }, "productpage", "shop"),
    service: { host: () => "productpage.shop.svc.cluster.local", name: "productpage", namespace: "shop" },
    principal: () => PRINCIPAL,
    peers: {
      get version() {
        return time.version;
      },
      find: (peer: PeerIdentity) => known.get(peer.id),
    },
    metadata: new PeerMetadata(),
    maxSeries,
    now: () => time.now,
    collectors,
  });
  const read = (options?: ReadOptions): string => [...metrics.read(options)].join("");
  const lines = (start: string, options?: ReadOptions): string[] =>
    read(options)
      .split("\n")
      .filter((line) => line.startsWith(start));
  return { metrics, known, time, read, lines };
}

const reviews = (labels = { app: "reviews", version: "v2" }): Partial<OutcomeRecord> => ({
  cluster: clusterOf("reviews"),
  endpoint: endpointOf(labels),
});

it("a scrape lets others have a turn while it gathers what is counted of many clusters", () => {
  let gathered = 0;
  const { metrics } = testMetrics({
    collectors: [
      function* (samples) {
        for (let cluster = 0; cluster < 1_000; cluster++) {
          samples.add("inmesh_pool_pending", ["service", `service-${cluster}`], cluster);
          gathered += 1;
          yield;
        }
      },
    ],
  });
  let most = 0;
  let before = 0;
  let text = "";
  for (const piece of metrics.read()) {
    most = Math.max(most, gathered - before);
    before = gathered;
    text += piece;
  }
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(100);
  expect(text.match(/^inmesh_pool_pending\{/gm)).toHaveLength(1_000);
});

describe("Istio's metrics", () => {
  it("name both ends of a call as Istio does", () => {
    const { metrics, lines } = testMetrics();
    const record = outcome({ ...reviews(), peer: peerOf("shop", "reviews"), mtls: true });
    metrics.ended(record);
    metrics.ended(record);
    expect(lines("istio_requests_total")).toEqual([
      'istio_requests_total{reporter="source",source_workload="productpage-v1",source_canonical_service="productpage",' +
        'source_canonical_revision="v1",source_workload_namespace="shop",source_principal="spiffe://cluster.local/ns/shop/sa/productpage",' +
        'source_app="productpage",source_version="v1",source_cluster="default",destination_workload="reviews-v2",' +
        'destination_workload_namespace="shop",destination_principal="spiffe://cluster.local/ns/shop/sa/reviews",' +
        'destination_app="reviews",destination_version="v2",destination_service="reviews.shop.svc.cluster.local",' +
        'destination_canonical_service="reviews",destination_canonical_revision="v2",destination_service_name="reviews",' +
        'destination_service_namespace="shop",destination_cluster="default",request_protocol="http",response_code="200",' +
        'response_flags="-",connection_security_policy="unknown"} 2',
    ]);
  });

  it("count each request in Envoy's buckets, bounds included", () => {
    const { metrics, lines } = testMetrics();
    for (const ms of [0.5, 0.6, 5, 4_000_000]) metrics.ended(outcome({ ...reviews(), startedAt: 0, endedAt: ms }));
    const bucket = (le: string): string | undefined =>
      lines("istio_request_duration_milliseconds_bucket")
        .find((line) => line.includes(`le="${le}"`))
        ?.split("} ")[1];
    expect(["0.5", "1", "5", "10", "3600000", "+Inf"].map(bucket)).toEqual(["1", "2", "3", "3", "3", "4"]);
    expect(lines("istio_request_duration_milliseconds_sum")[0]).toMatch(/ 4000006.1$/);
    expect(lines("istio_request_duration_milliseconds_count")[0]).toMatch(/ 4$/);
  });

  it("tell failures, gRPC and hosts that nobody knows apart", () => {
    const { metrics, lines } = testMetrics();
    metrics.ended(outcome({ ...reviews(), status: 503, flags: FLAG.UF | FLAG.URX }));
    metrics.ended(outcome({ ...reviews(), grpcStatus: 14 }));
    metrics.ended(outcome({ status: 502, code: "HOST_UNKNOWN", authority: "evil.example" }));
    metrics.ended(outcome({ ...reviews(), status: 0, flags: FLAG.DC }));
    const found = lines("istio_requests_total");
    expect(found.join("\n")).toMatch(/request_protocol="http",response_code="503",response_flags="UF,URX"/);
    expect(found.join("\n")).toMatch(/response_code="0",response_flags="DC"/);
    expect(found.join("\n")).toMatch(/request_protocol="grpc",response_code="200",grpc_response_status="14",/);
    expect(found.join("\n")).toMatch(/destination_service_name="BlackHoleCluster"/);
    expect(found.join("\n")).not.toMatch(/evil/);
  });

  it("count messages of gRPC by what one request does not change", () => {
    const { metrics, lines } = testMetrics();
    const grpc = { ...reviews(), requestMessages: 1, responseMessages: 3 };
    metrics.ended(outcome({ ...grpc, grpcStatus: 0 }));
    metrics.ended(outcome({ ...grpc, grpcStatus: 14, requestMessages: 0 }));
    metrics.ended(outcome(reviews()));
    const [asked, ...others] = lines("istio_request_messages_total");
    expect(asked).toMatch(/reporter="source",.*request_protocol="grpc",connection_security_policy="unknown"} 1$/);
    expect(asked).not.toMatch(/response_code|response_flags|grpc_response_status/);
    expect(others).toEqual([]);
    expect(lines("istio_response_messages_total").map((line) => line.split("} ")[1])).toEqual(["6"]);
    const { client } = NO_TELEMETRY_POLICY;
    const byStatus = {
      tag: "path",
      value: {
        source: "request.path",
        evaluate: (of: { attribute(path: string): unknown }) => of.attribute("request.path"),
      },
    };
    const tags = new Map([["response_messages_total", [byStatus]]]) as unknown as MetricsPolicy["tags"];
    const policy: MetricsPolicy = { ...client.metrics, disabled: new Set(["request_messages_total"]), tags };
    metrics.update({ ...NO_TELEMETRY_POLICY, client: { ...client, metrics: policy } });
    metrics.ended(outcome({ ...grpc, grpcStatus: 0, path: "/p.S/M" }));
    expect(lines("istio_request_messages_total")).toEqual([]);
    expect(lines("istio_response_messages_total")[0]).toMatch(/,path="\/p\.S\/M"} 3$/);
  });

  it("join a caller's certificate with the registry, and leave all unknown where it has none", () => {
    const { metrics, known, lines } = testMetrics();
    const peer = peerOf("shop", "gateway");
    known.set(peer.id, workloadLabels({ app: "gateway", version: "v3" }, "gateway", "shop"));
    metrics.ended(outcome({ direction: "inbound", peer, mtls: true }));
    metrics.ended(outcome({ direction: "inbound", peer: peerOf("other", "stranger"), mtls: true }));
    metrics.ended(outcome({ direction: "inbound" }));
    const [joined, stranger, plain] = lines("istio_requests_total");
    expect(joined).toMatch(/source_workload="gateway-v3".*destination_workload="productpage-v1".*"mutual_tls"/);
    expect(joined).toContain(`destination_principal="${PRINCIPAL}"`);
    expect(stranger).toMatch(/source_workload="unknown".*source_workload_namespace="unknown".*sa\/stranger"/);
    expect(plain).toMatch(/source_principal="unknown".*connection_security_policy="none"/);
  });

  it("believe what a sidecar says of itself over mTLS only, and of its own namespace", () => {
    const { metrics, lines } = testMetrics();
    const peerWorkload = struct({
      NAMESPACE: "shop",
      WORKLOAD_NAME: "web-v7",
      CLUSTER_ID: "east",
      LABELS: { app: "web" },
    });
    metrics.ended(outcome({ direction: "inbound", peerWorkload }));
    metrics.ended(outcome({ direction: "inbound", peerWorkload, peer: peerOf("other", "web"), mtls: true }));
    expect(lines("istio_requests_total").join("\n")).not.toMatch(/web-v7/);
    metrics.ended(outcome({ direction: "inbound", peerWorkload, peer: peerOf("shop", "web"), mtls: true }));
    expect(lines("istio_requests_total").join("\n")).toMatch(/source_workload="web-v7".*source_cluster="east"/);
    const before = lines("istio_requests_total").length;
    for (const broken of ["!", "CgM=", "/////w==", "a".repeat(20_000), "workload=web", "workload=%"]) {
      const given = { peerWorkload: broken, peer: peerOf("shop", "web"), mtls: true };
      metrics.ended(outcome({ direction: "inbound", ...given }));
    }
    // All of them as the one without a word.
    expect(lines("istio_requests_total")).toHaveLength(before + 1);
  });

  it("believe a member of the mesh which of its service account's workloads it is, and of its own namespace", () => {
    const { metrics, lines } = testMetrics();
    const own = workloadLabels({ app: "web & co", version: "v7" }, "web", "shop");
    const peerWorkload = ownMetadata(own);
    for (const peer of [peerOf("other", "web"), peerOf("shop", "web")]) {
      metrics.ended(outcome({ direction: "inbound", peerWorkload, peer, mtls: true }));
    }
    const found = lines("istio_requests_total");
    expect(found.map((line) => /source_workload="([^"]*)"/.exec(line)?.[1])).toEqual(["unknown", "web & co-v7"]);
    expect(found[1]).toMatch(/source_canonical_service="web & co",source_canonical_revision="v7"/);
    expect(found[1]).toMatch(/source_workload_namespace="shop".*source_version="v7",source_cluster="default"/);
  });
});

describe("a cap", () => {
  it("folds what is beyond it, says so, and lets room be made for by those who left", () => {
    const { metrics, time, lines } = testMetrics({ maxSeries: 100 });
    const endpoints = Array.from({ length: 10_000 }, (_, index) => endpointOf({ app: `a${index}` }));
    for (const [index, endpoint] of endpoints.entries()) {
      metrics.ended(outcome({ cluster: clusterOf(`a${index}`), endpoint, startedAt: 0, endedAt: 1 }));
    }
    const found = lines("istio_requests_total");
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toMatch(/source_workload="productpage-v1".*destination_service="__overflow__".* 9900$/);
    expect(lines("inmesh_series_dropped_total")).toContain(
      'inmesh_series_dropped_total{metric="istio_requests_total"} 9900',
    );
    for (const endpoint of endpoints) endpoint.removed = true;
    time.now = 31 * 60_000;
    expect(lines("istio_requests_total")).toHaveLength(1);
    expect(metrics.traffic.series).toBe(0);
    metrics.ended(outcome({ ...reviews(), startedAt: time.now, endedAt: time.now }));
    expect(lines("istio_requests_total")[0]).toContain('destination_service="reviews.shop.svc.cluster.local"');
  });

  it("keeps what is idle while its peer is there", () => {
    const { metrics, time, lines } = testMetrics();
    const held = reviews();
    metrics.ended(outcome(held));
    time.now = 2 * 60 * 60_000;
    expect(lines("istio_requests_total")).toHaveLength(1);
  });
});

describe("Telemetry resources", () => {
  const policy = (metrics: Partial<MetricsPolicy>): TelemetryPolicy => {
    const { client } = NO_TELEMETRY_POLICY;
    return { ...NO_TELEMETRY_POLICY, client: { ...client, metrics: { ...client.metrics, ...metrics } } };
  };

  it("remove tags, add some, and switch metrics off, for one side", () => {
    const { metrics, lines } = testMetrics();
    metrics.ended(outcome(reviews()));
    metrics.update(
      policy({
        disabled: new Set(["request_bytes"]),
        tags: new Map([
          [
            "requests_total",
            [
              { tag: "response_flags" },
              {
                tag: "request_host",
                value: { source: "request.host", evaluate: (of) => of.attribute("request.host") },
              },
              { tag: "missing", value: { source: "request.id", evaluate: (of) => of.attribute("request.id") } },
            ],
          ],
        ]),
      }),
    );
    metrics.ended(outcome(reviews()));
    metrics.ended(outcome({ direction: "inbound" }));
    const [source, destination] = lines("istio_requests_total");
    expect(source).toMatch(/reporter="source".*,request_host="reviews",missing="unknown"} 1$/);
    expect(source).not.toMatch(/response_flags/);
    expect(destination).toMatch(/reporter="destination".*response_flags="-"/);
    expect(lines('istio_request_bytes_count{reporter="source"')).toEqual([]);
    expect(lines('istio_request_bytes_count{reporter="destination"')).toHaveLength(1);
    expect(lines('istio_response_bytes_count{reporter="source"')).toHaveLength(1);
    metrics.update(NO_TELEMETRY_POLICY);
    metrics.ended(outcome(reviews()));
    expect(lines("istio_requests_total")[0]).toMatch(/response_flags="-",connection_security_policy="unknown"} 1$/);
  });

  it("cannot make more series than there may be", () => {
    const { metrics, lines } = testMetrics({ maxSeries: 10 });
    const value = {
      source: "request.path",
      evaluate: (of: { attribute(path: string): unknown }) => of.attribute("request.path"),
    };
    metrics.update(policy({ tags: new Map([["requests_total", [{ tag: "path", value: value as never }]]]) }));
    for (let index = 0; index < 1_000; index++) metrics.ended(outcome({ ...reviews(), path: `/${index}` }));
    expect(lines("istio_requests_total")).toHaveLength(11);
    expect(lines("inmesh_series_dropped_total")[0]).toMatch(/ 990$/);
  });
});

describe("exposition", () => {
  it("has exemplars and an end in OpenMetrics, and neither in text 0.0.4", () => {
    const { metrics, read } = testMetrics();
    metrics.ended(outcome({ ...reviews(), sampled: true, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" }));
    const open = read({ openMetrics: true });
    expect(open).toMatch(/le="10"} 1 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 8 1700000000\.008\n/);
    expect(open).toMatch(/# TYPE istio_requests counter\n/);
    expect(open.endsWith("# EOF\n")).toBe(true);
    expect(read()).not.toMatch(/trace_id|EOF/);
    expect(read()).toMatch(/# TYPE istio_requests_total counter\n/);
  });

  it("escapes what labels hold", () => {
    const { metrics, read } = testMetrics();
    metrics.ended(outcome({ ...reviews({ app: 'a"b\\c\nd', version: "v2" }) }));
    expect(read()).toContain('destination_app="a\\"b\\\\c\\nd"');
  });

  it("reads what is asked for only, and puts others' metrics behind its own", () => {
    const { metrics, read } = testMetrics();
    metrics.ended(outcome(reviews()));
    const filtered = read({ filter: (name) => name === "istio_response_bytes" });
    expect(filtered.match(/^# TYPE .*/gm)).toEqual(["# TYPE istio_response_bytes histogram"]);
    const appended = "# TYPE orders_total counter\norders_total 3\n# EOF\n";
    expect(read({ appended, openMetrics: true }).match(/# EOF/g)).toHaveLength(1);
    expect(read({ appended: "# TYPE orders_total counter\norders_total 3" })).toMatch(/orders_total 3\n$/);
  });
});

/** google.protobuf.Struct in base64, as Envoy writes it. */
function struct(fields: Readonly<Record<string, string | Readonly<Record<string, string>>>>): string {
  return Buffer.from(encode(fields)).toString("base64");
}

function encode(fields: Readonly<Record<string, string | Readonly<Record<string, string>>>>): number[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    const content = typeof value === "string" ? field(3, text(value)) : field(5, encode(value));
    return field(1, [...field(1, text(key)), ...field(2, content)]);
  });
}

const text = (value: string): number[] => [...Buffer.from(value)];
const field = (number: number, content: number[]): number[] => [number * 8 + 2, content.length, ...content];
