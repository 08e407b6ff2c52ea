/** What an Envoy of the tests is told: listeners with HTTP in them, clusters of one address, TLS with certificates from files. */

export interface EnvoyConfiguration {
  readonly listeners: readonly { readonly name: string }[];
  readonly clusters: readonly { readonly name: string }[];
  /** Who it is, to a control plane. */
  readonly node?: object;
  /** What a control plane tells it; listeners from there are not waited for. */
  readonly dynamic?: object;
}

/** Paths of PEM files. */
export interface CertificateFiles {
  /** Leaf first. */
  readonly chain: string;
  readonly key: string;
}

export interface EnvoyTls {
  readonly own?: CertificateFiles;
  /** Path: roots that the other side's chain has to end in. */
  readonly roots?: string;
  /** URI names, one of which the other side has to show. */
  readonly names?: readonly string[];
  readonly alpn?: readonly string[];
  /** @default what Envoy has */
  readonly maximum?: "TLSv1_2" | "TLSv1_3";
}

export interface ListenerOptions {
  readonly name: string;
  /** It demands a certificate of its callers. Absent: plaintext. */
  readonly tls?: EnvoyTls;
  /** Where it sends requests; else it answers 200 itself, with what it saw of its caller. */
  readonly cluster?: string;
  /** HTTP filters before the router. */
  readonly filters?: readonly object[];
  /** Fields of the HTTP connection manager. */
  readonly manager?: object;
}

const EXTENSION = "type.googleapis.com/envoy.extensions";
/** What an Envoy that answers itself says of its caller: header names and Envoy's own words for the values. */
const SEEN = {
  "x-peer": "%DOWNSTREAM_PEER_URI_SAN%",
  "x-sni": "%REQUESTED_SERVER_NAME%",
  "x-tls": "%DOWNSTREAM_TLS_VERSION%",
  "x-resumed": "%DOWNSTREAM_TLS_SESSION_ID%",
  "x-connection": "%CONNECTION_ID%",
};

export const loopback = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

export function listener({ name, tls, cluster, filters = [], manager = {} }: ListenerOptions) {
  const action =
    cluster === undefined
      ? { direct_response: { status: 200, body: { inline_string: `answered by ${name}` } } }
      : { route: { cluster, timeout: "10s" } };
  const route = {
    match: { prefix: "/" },
    ...action,
    response_headers_to_add: Object.entries(SEEN).map(([key, value]) => ({ header: { key, value } })),
  };
  const http = {
    "@type": `${EXTENSION}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    http_filters: [...filters, filter("router", "router.v3.Router")],
    ...manager,
  };
  return {
    name,
    address: loopback(0),
    // Without it Envoy has no words for the SNI.
    ...(tls && { listener_filters: [extension("filters.listener", "tls_inspector", "tls_inspector.v3.TlsInspector")] }),
    filter_chains: [
      {
        filters: [{ name: "http", typed_config: http }],
        ...(tls && {
          transport_socket: transportSocket("DownstreamTlsContext", tls, { require_client_certificate: true }),
        }),
      },
    ],
  };
}

export interface ClusterOptions {
  readonly name: string;
  readonly port: number;
  readonly tls?: EnvoyTls & { readonly sni?: string };
  readonly http2?: boolean;
}

export function cluster({ name, port, tls, http2 = false }: ClusterOptions) {
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(port) } }] }],
    },
    ...(tls && { transport_socket: transportSocket("UpstreamTlsContext", tls, { sni: tls.sni ?? "" }) }),
    ...(http2 && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": `${EXTENSION}.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
}

/** @param name `rbac` @param type `rbac.v3.RBAC` */
export function filter(name: string, type: string, fields: object = {}): object {
  return extension("filters.http", name, type, fields);
}

function extension(family: string, name: string, type: string, fields: object = {}): object {
  return {
    name: `envoy.${family}.${name}`,
    typed_config: { "@type": `${EXTENSION}.${family}.${type}`, ...fields },
  };
}

function transportSocket(type: string, { own, roots, names = [], alpn = [], maximum }: EnvoyTls, more: object): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${EXTENSION}.transport_sockets.tls.v3.${type}`,
      common_tls_context: {
        alpn_protocols: alpn,
        ...(maximum !== undefined && { tls_params: { tls_maximum_protocol_version: maximum } }),
        ...(own && {
          tls_certificates: [{ certificate_chain: { filename: own.chain }, private_key: { filename: own.key } }],
        }),
        ...(roots !== undefined && {
          validation_context: {
            trusted_ca: { filename: roots },
            match_typed_subject_alt_names: names.map((exact) => ({ san_type: "URI", matcher: { exact } })),
          },
        }),
      },
      ...more,
    },
  };
}
