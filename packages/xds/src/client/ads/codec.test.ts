/** The codecs by hand against the generated tables, which are held against protobufjs elsewhere. */

import { describe, expect, it } from "vitest";
import { DISCOVERY } from "../../generated/discovery.js";
import { decodeMessage } from "../../proto/decode.js";
import { encodeMessage } from "../../proto/encode.js";
import { Schema } from "../../proto/schema.js";
import { WireError } from "../../proto/wire-reader.js";
import { WireWriter } from "../../proto/wire-writer.js";
import { decodeDeltaAnswer, decodeSotwAnswer } from "./decode-answer.js";
import { encodeDeltaRequest, encodeSotwRequest } from "./encode-request.js";
import type { AdsAnswer } from "./messages.js";
import { encodeNode } from "./node.js";

const schema = new Schema(DISCOVERY);
const NAMESPACE = "envoy.service.discovery.v3";
const TYPE = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const any = { type: "envoy.config.cluster.v3.Cluster", value: Uint8Array.of(10, 1, 97) };
const node = encodeNode({ id: "a~b", cluster: "c", metadata: { NAMESPACE: "shop", N: 1 } }, "1.2.3");
const RESOURCE = { name: "a", version: "7", resource: any, ttl: "1.5s" };

describe("requests", () => {
  it("are what the tables read", () => {
    const error = { code: 3, message: "no ü" };
    const sotw = encodeSotwRequest({ node, typeUrl: TYPE, version: "1", names: ["a", "ü"], nonce: "n", error });
    expect(decodeMessage(schema, `${NAMESPACE}.DiscoveryRequest`, sotw)).toEqual({
      version_info: "1",
      node: {
        id: "a~b",
        cluster: "c",
        metadata: { NAMESPACE: "shop", N: 1 },
        user_agent_name: "inmesh",
        user_agent_version: "1.2.3",
        client_features: ["xds.config.resource-in-sotw", "xds.config.supports-resource-ttl"],
      },
      resource_names: ["a", "ü"],
      type_url: TYPE,
      response_nonce: "n",
      error_detail: error,
    });
    const initialVersions = new Map([
      ["a", "1"],
      ["b", ""],
    ]);
    const delta = { typeUrl: TYPE, subscribe: ["a"], unsubscribe: ["b"], initialVersions, nonce: "n", error };
    expect(decodeMessage(schema, `${NAMESPACE}.DeltaDiscoveryRequest`, encodeDeltaRequest(delta))).toEqual({
      type_url: TYPE,
      resource_names_subscribe: ["a"],
      resource_names_unsubscribe: ["b"],
      initial_resource_versions: { a: "1", b: "" },
      response_nonce: "n",
      error_detail: error,
    });
  });
});

describe("answers", () => {
  const head = { type_url: TYPE, nonce: "n", control_plane: { identifier: "cp" } };

  it("of the state-of-the-world form are read as the tables write them, wrapped or not", () => {
    const wrapper = {
      type: `${NAMESPACE}.Resource`,
      value: encodeMessage(schema, `${NAMESPACE}.Resource`, RESOURCE),
    };
    const bytes = encodeMessage(schema, `${NAMESPACE}.DiscoveryResponse`, {
      ...head,
      version_info: "9",
      canary: true,
      resources: [any, wrapper],
    });
    expect(plain(decodeSotwAnswer(bytes))).toEqual({
      typeUrl: TYPE,
      version: "9",
      nonce: "n",
      controlPlane: "cp",
      resources: [
        { ...any, value: [10, 1, 97], version: "9" },
        { ...any, value: [10, 1, 97], name: "a", version: "9", ttlMs: 1_500 },
      ],
      removed: [],
      errors: [],
    });
  });

  it("of the incremental form are read as the tables write them", () => {
    const bytes = encodeMessage(schema, `${NAMESPACE}.DeltaDiscoveryResponse`, {
      ...head,
      system_version_info: "s",
      resources: [RESOURCE, { name: "b", version: "7", ttl: "2s" }],
      removed_resources: ["c"],
      removed_resource_names: [{ name: "d" }],
    });
    expect(plain(decodeDeltaAnswer(bytes))).toMatchObject({
      version: "s",
      resources: [
        { ...any, value: [10, 1, 97], name: "a", version: "7", ttlMs: 1_500 },
        { name: "b", version: "7", ttlMs: 2_000 },
      ],
      removed: ["c", "d"],
    });
  });

  it("name resources that could not be given, in a field that older tables do not have", () => {
    const status = encodeMessage(schema, "google.rpc.Status", { code: 7, message: "no" });
    const name = encodeMessage(schema, `${NAMESPACE}.ResourceName`, { name: "a" });
    const error = new WireWriter().tag(1, 2).part(name).tag(2, 2).part(status).finish();
    const errors = [{ name: "a", problem: { code: 7, message: "no" } }];
    expect(decodeSotwAnswer(new WireWriter().tag(7, 2).part(error).finish()).errors).toEqual(errors);
    expect(decodeDeltaAnswer(new WireWriter().tag(9, 2).part(error).finish()).errors).toEqual(errors);
  });

  it("that are cut anywhere are read or refused, and never beyond their end", () => {
    const bytes = encodeMessage(schema, `${NAMESPACE}.DeltaDiscoveryResponse`, { ...head, resources: [RESOURCE] });
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        decodeDeltaAnswer(bytes.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(bytes.length / 2);
  });
});

function plain(answer: AdsAnswer): unknown {
  const opened = { ...answer, resources: [...answer.resources] };
  return JSON.parse(JSON.stringify(opened, (_, each) => (each instanceof Uint8Array ? [...each] : each)));
}
