/** What a real istiod sent (cases/istiod), as a client of this profile would have it. */

import { readCaseFile, whyMissing } from "../../../core/src/testing/recorded-cases.test.helper.js";
import { createEndpointType } from "../client/endpoint/endpoint-type.js";
import type { ResourceType } from "../client/watch.js";
import { DISCOVERY } from "../generated/discovery.js";
import { decodeMessage } from "../proto/decode.js";
import { Schema } from "../proto/schema.js";
import { clusterType } from "./cluster.js";
import { listenerType } from "./listener.js";
import type { EnvoyResources } from "./resources.js";
import { routeConfigurationType } from "./route-configuration.js";

/** Why recordings are not judged; undefined when they are there, or must be. */
export const RECORDINGS_MISSING = whyMissing("istiod/raw/sidecar.sotw.json");

interface RecordedAnswer {
  readonly type: string;
  readonly b64: string;
}

/** Bytes of every resource of one type, by name; the last answer counts. */
export function recordedBytes(file: string, url: string): readonly Uint8Array[] {
  const answers = readCaseFile<readonly RecordedAnswer[]>(`istiod/raw/${file}`);
  const schema = new Schema(DISCOVERY);
  const name = "envoy.service.discovery.v3.DiscoveryResponse";
  const found = answers.flatMap(({ b64 }) => {
    const answer = decodeMessage(schema, name, Buffer.from(b64, "base64"), { any: "raw" });
    const resources = (answer["resources"] ?? []) as { type: string; value: Uint8Array }[];
    return resources.filter(({ type }) => type === url).map(({ value }) => value);
  });
  return found;
}

export function recorded<Value>(file: string, type: ResourceType<Value>): ReadonlyMap<string, Value> {
  return new Map(
    recordedBytes(file, type.url).map((bytes) => {
      const name = type.nameOf(bytes);
      return [name, type.decode(bytes, name)];
    }),
  );
}

export function recordedResources(profile: "envoy" | "grpc"): EnvoyResources {
  const file = profile === "envoy" ? "sidecar.sotw.json" : "grpc.sotw.json";
  return {
    listeners: recorded(file, listenerType(profile)),
    routes: recorded(file, routeConfigurationType(profile)),
    missingRoutes: new Set(),
    clusters: recorded(file, clusterType(profile)),
    endpoints: recorded(file, createEndpointType(profile)),
  };
}
