/** What a control plane tells an Envoy or a gRPC client, as the snapshot that a process would make of it. */

import { SnapshotStore, sleep } from "@inmesh/core";
import { type ClientContext, clusterName } from "@inmesh/model";
import type { AdsClient } from "@inmesh/xds/client";
import { CLUSTER_IN_USE, createEnvoyFeed, HOST_IN_USE } from "@inmesh/xds/envoy";
import { CliError, EXIT } from "../exit.js";
import { CLUSTERS, LISTENERS } from "../xds/kinds.js";
import { failingMs, openStreamAs, type StreamPorts } from "../xds/open-stream.js";
import type { ClientView } from "./client-view.js";

/** Between two looks at what is still unanswered, in ms. */
const LOOK_MS = 10;
/** So many looks in a row that find nothing new: what was told last has led to nothing more. */
const QUIET_LOOKS = 3;

/** @throws {CliError} it cannot be reached, or does not answer */
export async function compiledView(
  ports: StreamPorts,
  url: string,
  context: ClientContext,
  timeoutMs: number,
): Promise<ClientView> {
  const { clock } = ports;
  const { client, target } = openStreamAs(ports, url, context);
  const store = new SnapshotStore({ clock });
  const { profile } = target;
  if (profile === "api") throw new Error("documents are compiled elsewhere");
  const feed = createEnvoyFeed({ client, profile, store, context, clock, servers: "open" });
  const used = new Set<string>();
  const use = (namespace: string, service: string): boolean => {
    const key = `${namespace}/${service}`;
    if (used.has(key)) return false;
    used.add(key);
    feed.use?.({ namespace, service });
    return true;
  };
  feed.start();
  try {
    const startedAt = clock.now();
    for (let quiet = 0; quiet < QUIET_LOOKS; ) {
      const isNew = store.current !== undefined && askForAll(client, store.current, use);
      quiet = isNew || store.current === undefined || isWaiting(client) ? 0 : quiet + 1;
      refuseAbsent(client, failingMs(target), {
        waitedMs: clock.now() - startedAt,
        timeoutMs,
        isTold: store.current !== undefined,
      });
      if (clock.now() - startedAt >= timeoutMs / 2 && store.current !== undefined) break; // some names are never answered
      await sleep(clock, LOOK_MS);
    }
    const { current } = store;
    if (current === undefined) throw new Error("a snapshot was waited for");
    return { snapshot: current, refused: feed.status.refused };
  } finally {
    await feed.close();
  }
}

/** @returns whether something was asked for that was not before */
function askForAll(
  client: AdsClient,
  { services }: NonNullable<SnapshotStore["current"]>,
  use: (namespace: string, service: string) => boolean,
): boolean {
  let isNew = false;
  const ask = (namespace: string, name: string): void => {
    isNew = use(namespace, name) || isNew;
  };
  for (const { url, name } of client.resources()) {
    if (url === CLUSTERS) ask(CLUSTER_IN_USE, name);
    if (url === LISTENERS && /:\d+$/.test(name)) ask(HOST_IN_USE, name);
  }
  for (const { host, name, namespace, ports } of services.values()) {
    // As callers may spell it: what a spelling leads to is told once somebody has asked for that.
    const local = host.includes(".svc.")
      ? [name, `${name}.${namespace}`, host.slice(0, host.indexOf(".svc.") + 4)]
      : [];
    for (const { number } of ports) ask(CLUSTER_IN_USE, clusterName(number, "", host));
    for (const spelling of [host, ...local]) for (const { number } of ports) ask(HOST_IN_USE, `${spelling}:${number}`);
  }
  return isNew;
}

function isWaiting(client: AdsClient): boolean {
  return client.resources().some(({ state }) => state === "REQUESTED");
}

function refuseAbsent(
  client: AdsClient,
  failing: number,
  { waitedMs, timeoutMs, isTold }: { readonly waitedMs: number; readonly timeoutMs: number; readonly isTold: boolean },
): void {
  const { state, reason, server } = client.status;
  const advice = "See what it tells: inmesh xds dump URL, and: inmesh check";
  if (state === "connecting" && reason !== undefined && waitedMs >= failing)
    throw new CliError(EXIT.unreachable, `${server} cannot be reached: ${reason}`, advice);
  if (!isTold && waitedMs >= timeoutMs)
    throw new CliError(EXIT.timeout, `${server} did not answer within ${timeoutMs} ms`, advice);
}
