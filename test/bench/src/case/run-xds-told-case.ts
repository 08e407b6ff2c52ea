/**
 * Entry of a measuring process: what it holds once a control plane has told it of many services, by this mesh's feed and by
 * the client of @grpc/grpc-js-xds, without a call and so without a connection to any of them. Libraries are loaded before.
 */

import { readFileSync } from "node:fs";
import { SnapshotStore, systemClock, systemRandom } from "@inmesh/core";
import { createXdsClient, parseXdsTarget } from "@inmesh/xds/client";
import { CLUSTER_IN_USE, createEnvoyFeed, HOST_IN_USE } from "@inmesh/xds/envoy";
import { registerGrpcJsXds } from "../lib/grpc-js-xds.js";
import { Turns } from "../lib/turns.js";
import { serviceName } from "../lib/xds-world.js";

export interface ToldResult {
  readonly heldMb: number;
  readonly ms: number;
  readonly longestTurnMs: number;
}

const [address = "", who = "", count = "0"] = process.argv.slice(2);
const names = Array.from({ length: Number(count) }, (_, index) => serviceName(index));
const LOOK_MS = 20;
const readFile = (path: string): string => readFileSync(path, "utf8");

const tell = who === "theirs" ? await theirs() : await ours(who === "used");
const before = heldMb();
const started = performance.now();
const turns = new Turns();
/** Kept, as a process keeps it. */
const held: unknown = await tell();
const [ms, longestTurnMs] = [performance.now() - started, turns.stop()];
const result: ToldResult = { heldMb: heldMb() - before, ms, longestTurnMs };
process.send?.(result, () => process.exit(held === undefined ? 1 : 0));

/** @param used asks for the routes and endpoints of all services too, as calls do, a hundred at a time */
async function ours(used: boolean): Promise<() => Promise<unknown>> {
  await import("@grpc/grpc-js");
  const target = parseXdsTarget(`xds://${address}?profile=envoy&tls=off`, { env: {}, readFile });
  const [clock, random, store] = [systemClock, systemRandom, new SnapshotStore()];
  return async () => {
    const client = createXdsClient(target, { node: { id: "bench" }, version: "bench", clock, random });
    const context = { namespace: "shop", service: "bench", labels: {} };
    const feed = createEnvoyFeed({ client, profile: "envoy", store, context, clock });
    feed.start();
    await until(() => store.current !== undefined);
    for (let at = 0; used && at < names.length; at += 100) {
      const some = names.slice(at, at + 100);
      for (const name of some) {
        feed.use({ namespace: HOST_IN_USE, service: `${name}:80` });
        feed.use({ namespace: CLUSTER_IN_USE, service: name });
      }
      // Asked for a moment later, and all told; nobody has looked at them, so nothing is compiled, as on the other side.
      await until(() => store.current !== undefined && (feed.status.services?.loaded ?? 0) >= at + some.length);
      await until(() => client.status.resources.length === 0);
    }
    return feed;
  };
}

async function theirs(): Promise<() => Promise<unknown>> {
  await registerGrpcJsXds(address);
  const { getSingletonXdsClient, Watcher } = await import("@grpc/grpc-js-xds/build/src/xds-client.js");
  const from = "@grpc/grpc-js-xds/build/src/xds-resource-type";
  const types = [
    (await import(`${from}/listener-resource-type.js`)).ListenerResourceType,
    (await import(`${from}/route-config-resource-type.js`)).RouteConfigurationResourceType,
    (await import(`${from}/cluster-resource-type.js`)).ClusterResourceType,
    (await import(`${from}/endpoint-resource-type.js`)).EndpointResourceType,
  ];
  return async () => {
    const client = getSingletonXdsClient();
    const fails = (): void => {
      throw new Error("the control plane has not what was asked for");
    };
    let told = 0;
    const watcher = { onResourceChanged: () => (told += 1), onError: fails, onResourceDoesNotExist: fails };
    for (const type of types) for (const name of names) type.startWatch(client, name, new Watcher(watcher));
    await until(() => told === types.length * names.length);
    return client;
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

/** Heap, and the bytes of resources, which are not in it. */
function heldMb(): number {
  for (let turn = 0; turn < 3; turn++) (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 2 ** 20;
}
