/** Against protobufjs, over the .proto files that the tables were made from. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import protobuf from "protobufjs";
import { expect, it } from "vitest";
import { DISCOVERY } from "../generated/discovery.js";
import { decodeMessage } from "./decode.js";
import { encodeMessage } from "./encode.js";
import { Schema } from "./schema.js";
import { WireError } from "./wire-reader.js";

const require = createRequire(import.meta.url);
const XDS = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
const INCLUDES = ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(XDS, name));
INCLUDES.push(dirname(require.resolve("protobufjs/package.json")));

const REQUEST = "envoy.service.discovery.v3.DeltaDiscoveryRequest";
const schema = new Schema(DISCOVERY);

function other(name: string): protobuf.Type {
  const root = new protobuf.Root();
  root.resolvePath = (_, target) => INCLUDES.map((f) => join(f, target)).find((path) => existsSync(path)) ?? null;
  root.loadSync(["google/protobuf/descriptor.proto", "envoy/service/discovery/v3/ads.proto"], { keepCase: true });
  return root.lookupType(name);
}

const MESSAGE = {
  node: {
    id: "sidecar~10.0.0.1~web.shop~shop.svc.cluster.local",
    metadata: { NAMESPACE: "shop", LABELS: { app: "wéb" }, LIST: [1.5, null, "x", true, {}], NOTHING: null },
    locality: { region: "r" },
    client_features: ["a", "b"],
  },
  type_url: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  resource_names_subscribe: ["outbound|80||web.shop.svc.cluster.local"],
  initial_resource_versions: { one: "1", two: "" },
  error_detail: { code: 3, message: "no" },
};

it("reads what another implementation writes, and writes what it reads", () => {
  const type = other(REQUEST);
  const bytes = encodeMessage(schema, REQUEST, MESSAGE);
  const back = type.toObject(type.decode(bytes));
  expect(back["node"]["id"]).toBe(MESSAGE.node.id);
  expect(back["initial_resource_versions"]).toEqual({ one: "1", two: "" });
  const theirs = type.encode(type.decode(bytes)).finish();
  expect(decodeMessage(schema, REQUEST, theirs)).toEqual(MESSAGE);
});

it("says where a broken message is broken, and never reads beyond its end", () => {
  const bytes = encodeMessage(schema, REQUEST, MESSAGE);
  for (let length = 1; length < bytes.length; length++) {
    try {
      decodeMessage(schema, REQUEST, bytes.subarray(0, length));
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  }
  expect(() => decodeMessage(schema, REQUEST, bytes.subarray(0, 20))).toThrow(
    /in field node of envoy.service.discovery.v3.DeltaDiscoveryRequest/,
  );
});
