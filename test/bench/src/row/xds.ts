/** What endpoints from a control plane cost: read, compared, and read by protobufjs, which other clients use. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createEndpointType } from "@inmesh/xds/client";
import protobuf from "protobufjs";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";

const SIZES = [20, 2_000, 20_000];
const TYPE = "envoy.config.endpoint.v3.ClusterLoadAssignment";

export async function xdsBench(): Promise<Report> {
  const theirs = protoType();
  const ours = createEndpointType("envoy");
  const rows = SIZES.map((size) => {
    const [first, second] = [0, 1].map((last) => theirs.encode(theirs.fromObject(assignment(size, last))).finish());
    const [before, after] = [first!, second!]; // two of them
    const value = ours.decode(before, "c");
    const effort = { batch: Math.ceil(200 / size), batches: 40, warmUp: Math.ceil(20_000 / size) };
    const ms = (work: () => unknown) => (loop(work, effort).medianNs / 1e6).toFixed(3);
    const read = ms(() => ours.decode(after, "c"));
    const baseline = ms(() => theirs.decode(after));
    return {
      endpoints: size,
      KB: Math.round(before.length / 1_000),
      "same bytes ms": ms(() => Buffer.compare(before, after.slice())),
      "read ms": read,
      "read and compared ms": ms(() => ours.same?.(value, ours.decode(after, "c"))),
      "protobufjs ms": baseline,
      "of protobufjs": (Number(read) / Number(baseline)).toFixed(2),
    };
  });
  return {
    bench: "xds",
    rows,
    notes: [
      "goal: 2,000 endpoints <= 2.5 ms",
      "endpoints as istiod sends them: locality, weight, tlsMode, workload of 20 Pods each",
    ],
  };
}

function assignment(size: number, last: number): object {
  const endpoint = (index: number) => ({
    endpoint: {
      address: {
        socket_address: { address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`, port_value: 8080 },
      },
    },
    health_status: index === size - 1 && last === 1 ? "DRAINING" : "HEALTHY",
    load_balancing_weight: { value: 1 },
    metadata: {
      filter_metadata: {
        "envoy.transport_socket_match": { fields: { tlsMode: { stringValue: "istio" } } },
        istio: {
          fields: { workload: { stringValue: `reviews-v${Math.floor(index / 20)};shop;reviews;v1;Kubernetes` } },
        },
      },
    },
  });
  return {
    cluster_name: "outbound|80||reviews.shop.svc.cluster.local",
    endpoints: [0, 1, 2].map((zone) => ({
      locality: { region: "eu", zone: `eu-${zone}` },
      load_balancing_weight: { value: 1 },
      lb_endpoints: Array.from({ length: size }, (_, index) => index)
        .filter((index) => index % 3 === zone)
        .map(endpoint),
    })),
  };
}

/** Of Envoy's own .proto files. */
function protoType(): protobuf.Type {
  const require = createRequire(import.meta.url);
  const deps = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const folders = [
    ...["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(deps, name)),
    dirname(require.resolve("protobufjs/package.json")),
  ];
  const root = new protobuf.Root();
  root.resolvePath = (_, target) =>
    folders.map((folder) => join(folder, target)).find((path) => existsSync(path)) ?? null;
  root.loadSync("envoy/config/endpoint/v3/endpoint.proto", { keepCase: true });
  return root.lookupType(TYPE);
}
