import { expect, it } from "vitest";
import { encodeMessage } from "../proto/encode.js";
import { envoyJson } from "./envoy-json.js";
import { SCHEMA } from "./schema.js";

const CLUSTER = "envoy.config.cluster.v3.Cluster";

it("is what Envoy shows: whole type URLs, durations as text, and bytes of what no table has", () => {
  const bytes = encodeMessage(SCHEMA, CLUSTER, {
    name: "reviews",
    connect_timeout: "1.5s",
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: "reviews",
      },
    },
    typed_extension_protocol_options: { of_others: { type: "acme.Unknown", value: Uint8Array.of(1, 2) } },
  });
  expect(envoyJson(CLUSTER, bytes)).toEqual({
    "@type": `type.googleapis.com/${CLUSTER}`,
    name: "reviews",
    connect_timeout: "1.5s",
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: "reviews",
      },
    },
    typed_extension_protocol_options: {
      of_others: { "@type": "type.googleapis.com/acme.Unknown", inmesh_bytes: "AQI=" },
    },
  });
});

it("shows a resource of a type that no table has as its bytes", () => {
  expect(envoyJson("acme.Unknown", Uint8Array.of(1))).toEqual({
    ...{ "@type": "type.googleapis.com/acme.Unknown", inmesh_bytes: "AQ==" },
  });
});
