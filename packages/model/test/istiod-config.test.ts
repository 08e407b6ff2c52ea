/** Clusters and routes of a recorded istiod beside ours, made of the same documents (cases/istiod). */

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compile } from "../src/compile/compile.js";
import { parseDocuments } from "../src/document/parse-documents.js";
import { type AnyResource, validateDocument } from "../src/validate/validate-document.js";
import { casesFolder } from "./cases.js";
import { type EnvoyCluster, ourRoute, policyOf, type RouteConfiguration, theirRoute } from "./envoy-config.js";

interface Recording {
  readonly events: readonly { readonly from?: string; readonly type: string; readonly resources: readonly unknown[] }[];
}

describe("a recorded istiod", () => {
  const folder = casesFolder("istiod");
  const asked = it.runIf(folder !== undefined);

  function answers<T>(type: string): readonly T[] {
    const recording = JSON.parse(readFileSync(`${folder}/snapshots/sidecar.sotw.json`, "utf8")) as Recording;
    const event = recording.events.find((each) => each.from !== undefined && each.type === type);
    return (event?.resources ?? []) as readonly T[];
  }

  function ours() {
    const resources = readdirSync(`${folder}/config`).flatMap((file): AnyResource[] => {
      const text = readFileSync(`${folder}/config/${file}`, "utf8");
      return parseDocuments(text, { file }).documents.flatMap((document) => validateDocument(document).resource ?? []);
    });
    return compile({
      resources,
      workloads: [],
      client: {
        namespace: "shop",
        service: "app",
        labels: { app: "app", version: "v1" },
        locality: { region: "eu", zone: "eu-a", subZone: "r1" },
      },
      problems: [],
      version: 1,
    });
  }

  asked("makes of the same documents the clusters that we make", () => {
    const snapshot = ours();
    const clusters = answers<EnvoyCluster>("CDS").filter(({ name }) => name.startsWith("outbound|"));
    expect(clusters.length).toBeGreaterThan(40);
    for (const cluster of clusters) {
      const policy = snapshot.cluster(cluster.name)?.policy;
      const { tls, locality, ...rest } = policy ?? {};
      const streams = policy?.connection.maxConcurrentStreams;
      const connection = { ...policy?.connection };
      delete connection.maxConcurrentStreams; // written down for HTTP/1 as well, where it means nothing
      expect({ ...rest, connection }, cluster.name).toEqual(policyOf(cluster));
      const [http] = Object.values(cluster.typed_extension_protocol_options ?? {});
      const theirs = http?.explicit_http_config?.http2_protocol_options?.max_concurrent_streams;
      if (connection.protocol === "http2") expect(streams, cluster.name).toBe(theirs);
      const byLocality = cluster.common_lb_config?.locality_weighted_lb_config !== undefined;
      expect(locality !== undefined, cluster.name).toBe(byLocality);
    }
  });

  asked("makes of the same documents the routes that we make", () => {
    const snapshot = ours();
    const hosts = answers<RouteConfiguration>("RDS").flatMap(({ virtual_hosts = [] }) => virtual_hosts);
    const known = hosts.filter(({ name }) => name.includes(".")); // the others are for hosts that nobody knows
    expect(known.length).toBeGreaterThan(8);
    for (const { name, routes } of known) {
      const [host = "", port = ""] = name.split(/:(?=\d+$)/);
      const found = snapshot.routes.lookup(host.replace("*", "some"), Number(port));
      expect(found?.routes.map(ourRoute), name).toEqual(routes.map(theirRoute));
    }
  });
});
