/**
 * A real Envoy as a sidecar of istiod's: everything but its bootstrap comes from there. In place of iptables its application
 * calls it as an HTTP proxy (MeshConfig's proxyHttpPort), and others call the port that a Sidecar resource binds (captureMode NONE).
 */

import type { GivenCredentials } from "@inmesh/core";
import { EnvoyProcess } from "@inmesh-test/identity/peer";
import { SecretServer } from "./secret-server.js";

export interface SidecarOptions {
  /** Envoy's. */
  readonly binary: string;
  /** `host:port` of istiod, in plain text. */
  readonly istiod: string;
  readonly service: string;
  readonly namespace: string;
  /** IP. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly credentials: GivenCredentials;
}

export class Sidecar implements AsyncDisposable {
  readonly envoy: EnvoyProcess;
  readonly #secrets: SecretServer;

  private constructor(envoy: EnvoyProcess, secrets: SecretServer) {
    this.envoy = envoy;
    this.#secrets = secrets;
  }

  static async start(options: SidecarOptions): Promise<Sidecar> {
    const { binary, istiod, service, namespace, address, labels, credentials } = options;
    const secrets = await SecretServer.start(credentials);
    const ads = { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" };
    const envoy = await EnvoyProcess.start(binary, {
      listeners: [],
      clusters: [grpcCluster("xds-grpc", Number(istiod.split(":").at(-1))), grpcCluster("sds-grpc", secrets.port)],
      node: {
        id: `sidecar~${address}~${service}-1.${namespace}~${namespace}.svc.cluster.local`,
        cluster: `${service}.${namespace}`,
        metadata: {
          ...{ ISTIO_VERSION: "1.26.0", CLUSTER_ID: "Kubernetes", INTERCEPTION_MODE: "NONE", INSTANCE_IPS: address },
          ...{ NAMESPACE: namespace, NAME: `${service}-1`, SERVICE_ACCOUNT: service, LABELS: labels },
        },
      },
      dynamic: {
        ...{ lds_config: ads, cds_config: ads },
        ads_config: {
          ...{ api_type: "DELTA_GRPC", transport_api_version: "V3", set_node_on_first_message_only: true },
          grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
        },
      },
    });
    return new Sidecar(envoy, secrets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.envoy[Symbol.asyncDispose]();
    await this.#secrets[Symbol.asyncDispose]();
  }
}

function grpcCluster(name: string, port: number) {
  const options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    ...{ name, type: "STATIC", connect_timeout: "1s" },
    typed_extension_protocol_options: {
      [options]: {
        "@type": `type.googleapis.com/${options}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } }] },
      ],
    },
  };
}
