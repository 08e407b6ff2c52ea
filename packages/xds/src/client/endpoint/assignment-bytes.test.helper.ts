/** ClusterLoadAssignments as protobufjs writes them from Envoy's own .proto files. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import protobuf from "protobufjs";

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
const type = root.lookupType("envoy.config.endpoint.v3.ClusterLoadAssignment");

export interface TestEndpoint {
  readonly address?: string;
  readonly port?: number;
  readonly namedPort?: string;
  readonly pipe?: string;
  readonly weight?: number;
  readonly health?: string;
  readonly tlsMode?: string;
  readonly workload?: string;
}

export interface TestLocality {
  /** Without one the message has no locality at all. */
  readonly region?: string;
  readonly zone?: string;
  readonly weight?: number;
  readonly priority?: number;
  readonly endpoints: readonly TestEndpoint[];
}

/** @param filters order of the metadata's map */
export function assignmentBytes(
  name: string,
  localities: readonly TestLocality[],
  dropped?: { readonly numerator: number; readonly denominator: number | string },
  filters: readonly string[] = ["envoy.transport_socket_match", "istio"],
): Uint8Array {
  const message = {
    cluster_name: name,
    endpoints: localities.map(({ region, zone, weight, priority, endpoints }) => ({
      ...(region === undefined ? {} : { locality: { region, zone } }),
      ...(weight === undefined ? {} : { load_balancing_weight: { value: weight } }),
      priority,
      lb_endpoints: endpoints.map((endpoint) => lbEndpoint(endpoint, filters)),
    })),
    ...(dropped === undefined ? {} : { policy: { drop_overloads: [{ category: "lb", drop_percentage: dropped }] } }),
  };
  return type.encode(type.fromObject(message)).finish();
}

function lbEndpoint(endpoint: TestEndpoint, filters: readonly string[]): object {
  const { address, port, namedPort, pipe, weight, health, tlsMode, workload } = endpoint;
  const port_specifier = namedPort === undefined ? { port_value: port } : { named_port: namedPort };
  const texts: Readonly<Record<string, object>> = {
    "envoy.transport_socket_match": struct("tlsMode", tlsMode),
    istio: struct("workload", workload),
  };
  return {
    endpoint: {
      address: pipe === undefined ? { socket_address: { address, ...port_specifier } } : { pipe: { path: pipe } },
    },
    ...(health === undefined ? {} : { health_status: health }),
    ...(weight === undefined ? {} : { load_balancing_weight: { value: weight } }),
    metadata: { filter_metadata: Object.fromEntries(filters.map((filter) => [filter, texts[filter]])) },
  };
}

function struct(field: string, text: string | undefined): object {
  return { fields: text === undefined ? {} : { [field]: { stringValue: text } } };
}
