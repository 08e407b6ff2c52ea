/**
 * Requests to random VirtualServices, brought by a real istiod as a sidecar's or a proxyless client's resources: `explain` says
 * of them what it says of the YAML, which is what Istio did. A part of the sets here, all of them with INMESH_MATRIX=1.
 */

import { explain, SnapshotStore, systemClock, systemRandom } from "@inmesh/core";
import type { Snapshot } from "@inmesh/model";
import { istioNode } from "@inmesh/xds/api";
import { createXdsClient, parseXdsTarget } from "@inmesh/xds/client";
import { createEnvoyFeed } from "@inmesh/xds/envoy";
import { expect, it } from "vitest";
import { eventually } from "../../xds/src/eventually.js";
import { findIstiod } from "../../xds/src/istiod/find-istiod.js";
import { Istiod } from "../../xds/src/istiod/istiod.js";
import { answerOf } from "./explained-answer.js";
import { ISTIO_MISSING, readIstioRoutes } from "./istio-recording.js";
import { documentsOf, isSame, PORT, type RecordedAnswer, type RouteGroup, versionsOf } from "./recorded.js";

const binary = findIstiod("the routing of Istio's resources through istiod");
/** Every so many of the sets. */
const STEP = process.env["INMESH_MATRIX"] === "1" ? 1 : 24;
const TIMEOUT_MS = 300_000;

// Side by side: most of the time goes by waiting for the control plane.
it.concurrent.skipIf(binary === undefined || ISTIO_MISSING !== undefined).each(["envoy", "grpc"] as const)(
  "profile %s answers every recorded request as Istio did",
  { timeout: TIMEOUT_MS },
  async (profile) => {
    await using istiod = await Istiod.start({
      binary: binary ?? "",
      env: { PILOT_DEBOUNCE_AFTER: "20ms", PILOT_DEBOUNCE_MAX: "500ms" },
    });
    const { services, groups, wantedDifferences } = readIstioRoutes();
    const client = createXdsClient(
      parseXdsTarget(`xds://${istiod.address}?profile=${profile}`, { env: {}, readFile: () => "" }),
      {
        clock: systemClock,
        random: systemRandom,
        version: "0",
        node: istioNode({
          ...{
            namespace: "shop",
            labels: { app: "app" },
            serviceAccount: "app",
            env: {},
            member: false,
            locality: undefined,
          },
          ...{ name: "app", address: "127.0.0.1", generator: profile === "grpc" ? "grpc" : undefined },
        }),
      },
    );
    const store = new SnapshotStore();
    const context = { namespace: "shop", service: "app", labels: { app: "app" } };
    const feed = createEnvoyFeed({ client, profile, store, context, clock: systemClock });
    feed.start();
    const around = services.flatMap((service, at) =>
      documentsOf(service, (_, version) => 9_000 + at * 10 + versionsOf(service).indexOf(version)),
    );
    const wrong: unknown[] = [];
    let count = 0;
    for (let at = 0; at < groups.length; at += STEP) {
      const group = groups[at] as RouteGroup; // in range
      // Istiod takes the documents of a set one after the other, and may push before the last: what a second mark follows is whole.
      let known: Snapshot | undefined;
      const marks: string[] = [];
      for (const turn of ["a", "b"]) {
        marks.push(`mark-${at}${turn}.shop.svc.cluster.local`);
        istiod.write([
          ...around,
          ...marks.flatMap((host) => documentsOf({ host, ports: [PORT], subsets: [] }, () => 9_999)),
          ...(group.resources as object[]),
        ]);
        known = await eventually(`the set ${group.id} is in force`, () => inForce(marks.at(-1) ?? "")).catch(
          (error: Error) => {
            throw new Error(`${error.message}: ${JSON.stringify(feed.status.refused)}`);
          },
        );
      }
      for (const [index, { request, expect: wanted }] of group.cases.entries()) {
        const id = `${group.id}/${index}`;
        if (wantedDifferences.has(id)) continue;
        count += 1;
        const answer = await answered(known as Snapshot, request);
        const subset = answer.subset ?? wanted.subset;
        if (!isSame({ ...answer, subset }, { subset, ...wanted })) wrong.push({ id, request, wanted, answer });
      }
    }
    await feed.close();
    expect(count).toBeGreaterThan(100);
    expect({ count, wrong: wrong.length, first: wrong.slice(0, 2) }).toEqual({ count, wrong: 0, first: [] });

    /** Of gRPC's profile a host's rules are the last of a push, and come when they are wanted. */
    function inForce(host: string): Snapshot | undefined {
      const found = store.current?.routes.lookup(host, PORT);
      if (found?.pending !== undefined) feed.use(found.pending);
      return found === undefined || found.pending !== undefined ? undefined : store.current;
    }

    /** Of gRPC's profile the rules of a host come when a call wants them. */
    async function answered(
      snapshot: Snapshot,
      request: RouteGroup["cases"][number]["request"],
    ): Promise<RecordedAnswer> {
      const found = snapshot.routes.lookup(request.host, PORT);
      if (found?.pending === undefined) return answerOf(explain(snapshot, { ...request, port: PORT }));
      feed.use(found.pending);
      const told = await eventually(`rules of ${request.host}`, () => {
        const { current } = store;
        return current?.routes.lookup(request.host, PORT)?.pending === undefined ? current : undefined;
      });
      return answerOf(explain(told, { ...request, port: PORT }));
    }
  },
);
