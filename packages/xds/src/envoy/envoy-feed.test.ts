import { setImmediate as turn } from "node:timers/promises";
import { explain, SnapshotStore } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { FakeXdsClient } from "../client/fake-xds-client.test.helper.js";
import { firstText } from "../client/first-text.js";
import { createEnvoyFeed } from "./envoy-feed.js";
import { RECORDINGS_MISSING, recordedBytes } from "./recorded.test.helper.js";
import { ASSIGNMENT, CLUSTER, LISTENER, ROUTE_CONFIGURATION } from "./urls.js";
import { bytesOf, cluster, endpoints, httpListener, manager, routes } from "./written.test.helper.js";

const CONTEXT = { namespace: "shop", service: "app", labels: { app: "app" } };

function setup(profile: "envoy" | "grpc") {
  const clock = new FakeClock();
  const client = new FakeXdsClient();
  const store = new SnapshotStore({ clock });
  const ofServers: FakeXdsClient[] = [];
  const openClient = (): FakeXdsClient => {
    ofServers.push(new FakeXdsClient());
    return ofServers.at(-1) ?? client;
  };
  const servers = { template: "inbound/%s", openClient };
  const feed = createEnvoyFeed({ client, profile, servers, store, context: CONTEXT, clock });
  feed.start();
  const answer = async (url: string, ...resources: Uint8Array[]): Promise<void> => {
    client.answer(url, new Map(resources.map((bytes) => [firstText(bytes), bytes])));
    await turn(); // changes of one turn are brought in together
  };
  const ask = (request: string) => explain(store.current!, { url: request }); // published by then
  const use = async (namespace: string, service: string): Promise<void> => {
    feed.use({ namespace, service });
    await turn();
  };
  return { clock, client, ofServers, store, feed, answer, ask, use };
}

const V1 = "outbound|80|v1|reviews.shop.svc.cluster.local";
const V2 = "outbound|80|v2|reviews.shop.svc.cluster.local";

describe("profile envoy", () => {
  async function started() {
    const parts = setup("envoy");
    await parts.answer(CLUSTER, cluster(V1), cluster(V2));
    await parts.answer(LISTENER, httpListener("0.0.0.0_80", 80, "80"));
    await parts.answer(ROUTE_CONFIGURATION, routes("80", { reviews: V1 }));
    return parts;
  }

  it("has no snapshot before the tables that listeners name are told", async () => {
    const { answer, client, store } = setup("envoy");
    await answer(CLUSTER, cluster(V1));
    await answer(LISTENER, httpListener("0.0.0.0_80", 80, "80"));
    expect({ asked: client.asked(ROUTE_CONFIGURATION), version: store.current?.version }).toEqual({
      asked: ["80"],
      version: undefined,
    });
    await answer(ROUTE_CONFIGURATION, routes("80", { reviews: V1 }));
    expect(store.current?.version).toBe(1);
  });

  it("asks for the endpoints of a cluster once calls use it, and no more when they have not for a while", async () => {
    const { client, store, clock, use, answer } = await started();
    const known = store.current?.cluster(V1);
    expect([client.asked(ASSIGNMENT), known?.service.pending]).toEqual([[], true]);
    const [ref] = known!.service.knownAs!; // clusters of the endpoint service have one
    await use(ref!.namespace, ref!.service);
    expect(client.asked(ASSIGNMENT)).toEqual([V1]);
    await answer(ASSIGNMENT, endpoints(V1, "10.0.0.1:80"));
    const told = store.current!.cluster(V1)!; // as above
    expect([told.service.pending, store.current!.endpoints(told).endpoints.map(({ id }) => id)]).toEqual([
      undefined,
      ["10.0.0.1:80"],
    ]);
    clock.advance(16 * 60_000);
    await turn();
    expect(client.asked(ASSIGNMENT)).toEqual([]);
  });

  it("keeps the old rules until the cluster that new ones lead to can be called", async () => {
    const { answer, ask, client, use, clock } = await started();
    await use("xds-cluster", V1);
    await answer(ASSIGNMENT, endpoints(V1, "10.0.0.1:80"));
    const target = () =>
      ask("http://reviews/").destinations.map(({ subset, endpoints: count }) => `${subset}:${count}`);
    expect(target()).toEqual(["v1:1"]);
    await answer(ROUTE_CONFIGURATION, routes("80", { reviews: V2 }));
    expect([target(), client.asked(ASSIGNMENT)]).toEqual([["v1:1"], [V1, V2]]);
    await answer(ASSIGNMENT, endpoints(V2, "10.0.0.2:80"));
    expect(target()).toEqual(["v2:1"]);
    // One that never comes holds nothing up for good.
    await answer(CLUSTER, cluster(V1), cluster(V2), cluster("outbound|80|v3|reviews.shop.svc.cluster.local"));
    await answer(ROUTE_CONFIGURATION, routes("80", { reviews: "outbound|80|v3|reviews.shop.svc.cluster.local" }));
    expect(target()).toEqual(["v2:1"]);
    clock.advance(15_000);
    await turn();
    expect(target()).toEqual(["v3:0"]);
  });

  it("keeps a cluster that is gone for as long as rules without it take to come", async () => {
    const { answer, store, clock } = await started();
    await answer(CLUSTER, cluster(V2));
    expect(store.current?.cluster(V1)?.name).toBe(V1);
    clock.advance(10_000);
    await turn();
    expect(store.current?.cluster(V1)).toBeUndefined();
  });

  it("publishes nothing for an answer that changes nothing, and keeps what did not change", async () => {
    const { answer, store } = await started();
    const before = store.current!; // started
    const found = before.routes.lookup("reviews", 80);
    const known = before.cluster(V2);
    await answer(ROUTE_CONFIGURATION, routes("80", { reviews: V1 }));
    expect(store.current?.version).toBe(before.version);
    await answer(ROUTE_CONFIGURATION, routes("80", { reviews: V1, ratings: V2 }));
    expect(store.current?.version).toBe(before.version + 1);
    expect(store.current?.routes.lookup("reviews", 80)).toBe(found);
    expect(store.current?.cluster(V2)).toBe(known);
  });

  it("says by name what it refused and what it passes over", async () => {
    const { answer, feed, use } = setup("envoy");
    await answer(CLUSTER, bytesOf(CLUSTER, { name: "odd", type: "STATIC", lb_subset_config: {} }));
    await answer(LISTENER);
    expect(feed.status.problems).toMatchObject([
      { code: "IM0742", resource: "Cluster//odd", message: expect.stringContaining("cluster.lb_subset_config") },
    ]);
    await answer(CLUSTER, cluster(V1));
    await use("xds-cluster", V1);
    const policy = { overprovisioning_factor: 200 };
    await answer(ASSIGNMENT, bytesOf(ASSIGNMENT, { cluster_name: V1, policy }));
    expect(feed.status.problems.map(({ message }) => message)).toContain(
      `ClusterLoadAssignment ${V1} says what this version of inmesh passes over: policy.overprovisioning_factor 200`,
    );
  });
});

describe("profile grpc", () => {
  it("follows a name through listener, table, cluster and endpoints when a call asks, and shows it whole or not at all", async () => {
    const { answer, ask, client, store, use } = setup("grpc");
    await answer(
      LISTENER,
      bytesOf(LISTENER, {
        name: "hello",
        api_listener: {
          api_listener: {
            "@type": "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            rds: { config_source: { ads: {} }, route_config_name: "route-hello" },
            http_filters: [
              { name: "router", typed_config: { "@type": "envoy.extensions.filters.http.router.v3.Router" } },
            ],
          },
        },
      }),
    );
    const pending = store.current?.routes.lookup("hello", 80)?.pending;
    expect([client.asked(ROUTE_CONFIGURATION), pending?.service]).toEqual([[], "hello:80"]);
    await use(pending!.namespace, pending!.service);
    expect(client.asked(ROUTE_CONFIGURATION)).toEqual(["route-hello"]);
    await answer(ROUTE_CONFIGURATION, routes("route-hello", { "*": "cluster-hello" }));
    expect(client.asked(CLUSTER)).toEqual(["cluster-hello"]);
    await answer(CLUSTER, cluster("cluster-hello", "eds-hello"));
    expect([client.asked(ASSIGNMENT), store.current?.routes.lookup("hello", 80)?.pending]).toEqual([
      ["eds-hello"],
      pending,
    ]);
    await answer(ASSIGNMENT, endpoints("eds-hello", "10.0.0.1:50051"));
    expect(ask("http://hello/x")).toMatchObject({
      outcome: "route",
      destinations: [{ cluster: "cluster-hello", endpoints: 1 }],
    });
  });

  it("asks for the listener of each port that is served, and denies all until it is told", async () => {
    const { answer, client, feed, ofServers, store } = setup("grpc");
    await answer(LISTENER);
    const allowed = (port: number): boolean | undefined => {
      const http = { method: "GET", path: "/", target: "/", authority: "app", header: () => undefined };
      const where = { sourceIp: "10.0.0.9", remoteIp: "10.0.0.9", destinationIp: "10.0.0.1", port, sni: "" };
      return store.current?.security.access.decide({ http, peer: undefined, ...where }).allowed;
    };
    feed.serve?.([]);
    expect(ofServers).toEqual([]); // who only calls has one stream
    feed.serve?.([
      { address: "10.0.0.1", port: 80 },
      { address: "::", port: 81 },
    ]);
    const [own = client] = ofServers;
    expect([client.asked(LISTENER), own.asked(LISTENER)]).toEqual([["*"], ["inbound/10.0.0.1:80", "inbound/[::]:81"]]);
    expect([allowed(80), allowed(81)]).toEqual([false, false]);
    const name = "inbound/10.0.0.1:80";
    const listener = bytesOf(LISTENER, {
      name,
      address: { socket_address: { address: "10.0.0.1", port_value: 80 } },
      traffic_direction: "INBOUND",
      filter_chains: [{ filters: [{ name: "http", typed_config: manager({ route_config: {} }) }] }],
    });
    own.answer(LISTENER, new Map([[name, listener]]));
    await turn();
    expect([allowed(80), allowed(81)]).toEqual([true, false]);
    own.answer(LISTENER, new Map()); // taken back: what was said last holds
    await turn();
    expect([allowed(80), feed.status.state]).toEqual([true, "degraded"]);
    expect(feed.status.problems).toMatchObject([{ code: "IM0743", resource: `Listener//${name}` }]);
    own.answer(LISTENER, new Map([[name, listener]]));
    expect(feed.status.state).toBe("ok");
    feed.serve?.([{ address: "::", port: 81 }]);
    await turn();
    expect([own.asked(LISTENER), allowed(80)]).toEqual([["inbound/[::]:81"], false]);
    await feed.close();
    expect([ofServers.length, own.closed, client.closed]).toEqual([1, true, true]);
  });

  it.skipIf(RECORDINGS_MISSING !== undefined)("takes what a real istiod sends to a proxyless node", async () => {
    const { answer, ask, use } = setup("grpc");
    const sent = (url: string): Promise<void> => answer(url, ...recordedBytes("grpc.sotw.json", url));
    await sent(LISTENER);
    await use("xds-host", "reviews.shop.svc.cluster.local:9090");
    for (const url of [ROUTE_CONFIGURATION, CLUSTER, ASSIGNMENT]) await sent(url);
    expect(ask("http://reviews.shop.svc.cluster.local:9090/x")).toMatchObject({
      outcome: "route",
      timeoutMs: 5_000,
      destinations: [
        { subset: "v1", weight: 70, endpoints: 1 },
        { subset: "v2", weight: 30, endpoints: 1 },
      ],
    });
  });
});
