/** What fields of routes and endpoints do to a call, from the bytes of a control plane to the attempts. */

import { explain, MESH_ERRORS } from "@inmesh/core";
import { answers, type TestCallOptions, testEngine } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { createEndpointType } from "../client/endpoint/endpoint-type.js";
import type { Message } from "../proto/decode.js";
import { readCluster } from "./cluster.js";
import { envoySnapshot } from "./envoy-snapshot.js";
import { readListener } from "./listener.js";
import { readRouteConfiguration } from "./route-configuration.js";
import { ASSIGNMENT, ROUTE_CONFIGURATION } from "./urls.js";
import { bytesOf, cluster, httpListener } from "./written.test.helper.js";

const CLIENT = { namespace: "shop", service: "app", labels: {} };
const HASHED = { lb_policy: "RING_HASH" };

interface Told {
  /** The one route's action. */
  readonly route: Message;
  readonly headers?: Message;
  readonly clusters?: Readonly<Record<string, Message>>;
  /** Of each cluster, with `hostname` by address where it has one. */
  readonly hostnames?: Readonly<Record<string, string>>;
  readonly policy?: Message;
}

/** Two clusters, `one` with two endpoints and `two` with one. */
function mesh({ route, headers = {}, clusters = {}, hostnames = {}, policy }: Told) {
  const profile = "envoy";
  const rule = { match: { prefix: "/" }, route: { timeout: "0s", ...route }, ...headers };
  const table = {
    name: "80",
    virtual_hosts: [{ name: "shop:80", domains: ["shop"], routes: [rule] }],
  };
  const addresses: Readonly<Record<string, readonly string[]>> = { one: ["10.0.0.1", "10.0.0.2"], two: ["10.0.0.3"] };
  const assignment = (name: string) =>
    bytesOf(ASSIGNMENT, {
      cluster_name: name,
      endpoints: [
        {
          locality: { region: "r" },
          lb_endpoints: (addresses[name] ?? []).map((address) => ({
            endpoint: { address: { socket_address: { address, port_value: 80 } }, hostname: hostnames[address] ?? "" },
          })),
        },
      ],
      ...(policy && { policy }),
    });
  const names = Object.keys(addresses);
  const resources = {
    listeners: new Map([["80", readListener(httpListener("80", 80, "80"), profile)]]),
    routes: new Map([["80", readRouteConfiguration(bytesOf(ROUTE_CONFIGURATION, table), "80", profile)]]),
    missingRoutes: new Set<string>(),
    clusters: new Map(names.map((name) => [name, readCluster(cluster(name, name, clusters[name]), profile)])),
    endpoints: new Map(names.map((name) => [name, createEndpointType(profile).decode(assignment(name), name)])),
  };
  const test = testEngine(undefined, { address: () => "10.9.9.9" });
  const snapshot = envoySnapshot({ profile, resources, client: CLIENT, version: test.store.nextVersion });
  test.store.publish(snapshot);
  test.network.script("*", answers(200));
  const call = async (options?: TestCallOptions) => {
    await test.engine.xxHash.load();
    const sent = test.send("shop", options);
    for (let turn = 0; turn < 3 && !sent.call.ended; turn++) await test.clock.advance(5);
    const [attempt] = sent.exchange.attempts;
    const to = attempt?.endpoint.endpoint.address;
    return { ...sent, to, authority: attempt?.authority, headers: attempt?.headers, error: sent.exchange.error };
  };
  return { ...test, snapshot, call };
}

it("sends to the cluster that a header names, with what the destination adds, and fails where there is none", async () => {
  const { call, snapshot } = mesh({ route: { cluster_header: "X-Cluster" } });
  expect(snapshot.problems).toEqual([]);
  expect((await call({ headers: ["x-cluster", "two"] })).to).toBe("10.0.0.3");
  const lost = await call({ headers: ["x-cluster", "three"] });
  expect(lost.error).toMatchObject({ code: "CLUSTER_NOT_FOUND", status: 503, flag: "NC", cluster: "three" });
  expect((await call()).error).toMatchObject({ message: expect.stringContaining("the cluster in header x-cluster") });
  const told = explain(snapshot, { url: "http://shop/", headers: { "x-cluster": "two" } });
  expect(told).toMatchObject({ outcome: "route", destinations: [{ cluster: "two", endpoints: 1 }] });
  expect(explain(snapshot, { url: "http://shop/" })).toMatchObject({ outcome: "noDestination", status: 503 });
});

it("weighs clusters that headers name, and copies to them", async () => {
  const named = { cluster_header: "x-c", weight: 1, request_headers_to_add: [{ header: { key: "x-by", value: "c" } }] };
  const { call, engine } = mesh({
    route: {
      weighted_clusters: { clusters: [named, { name: "one", weight: 0 }] },
      request_mirror_policies: [{ cluster_header: "x-copy" }],
    },
  });
  expect(await call({ headers: ["x-c", "two", "x-copy", "one"] })).toMatchObject({
    to: "10.0.0.3",
    headers: expect.arrayContaining(["x-by", "c"]),
  });
  await call({ headers: ["x-c", "two"] }); // no header: no copy
  await call({ headers: ["x-c", "two", "x-copy", "made-up"] });
  const read = engine.mirrors.read().filter(({ stats, skipped }) => stats.calls > 0 || Object.keys(skipped).length > 0);
  expect(read).toMatchObject([
    { cluster: "the cluster in header x-copy", skipped: { unknownCluster: 1 } },
    { cluster: "one", stats: { calls: 1 } },
  ]);
});

it("rewrites the host by a header of the rule's, by the path, and says what it was", async () => {
  const header = { header: { key: "x-host", value: "from-rule" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
  const byHeader = mesh({
    route: { cluster: "two", host_rewrite_header: "X-Host", append_x_forwarded_host: true },
    headers: { request_headers_to_add: [header] },
  });
  const told = await byHeader.call({ headers: ["x-host", "from-caller", "x-forwarded-host", "gateway"] });
  expect([told.authority, told.headers]).toEqual([
    "from-rule",
    expect.arrayContaining(["x-forwarded-host", "gateway,shop"]),
  ]);
  const empty = mesh({ route: { cluster: "two", host_rewrite_header: "x-host", append_x_forwarded_host: true } });
  expect(await empty.call()).toMatchObject({ authority: "shop", headers: [] });

  const pattern = { regex: "^/([a-z]+)/.*$" };
  const route = {
    cluster: "two",
    prefix_rewrite: "/x",
    host_rewrite_path_regex: { pattern, substitution: "\\1.local" },
  };
  const { call, snapshot } = mesh({ route });
  expect(await call({ path: "/pay/42?a=/b" })).toMatchObject({
    authority: "pay.local",
    call: { path: "/xpay/42?a=/b" },
  });
  expect(explain(snapshot, { url: "http://shop/pay/1" }).request.authority).toBe("pay.local");
});

it("addresses each attempt to its endpoint by name, and leaves the host where that has none", async () => {
  const { call, snapshot } = mesh({
    route: {
      cluster: "one",
      auto_host_rewrite: true,
      append_x_forwarded_host: true,
    },
    hostnames: { "10.0.0.1": "one-a.example" },
  });
  expect(snapshot.problems).toEqual([]);
  const seen = new Set<string>();
  for (let each = 0; each < 8; each++) {
    const { to, authority, headers } = await call();
    seen.add(`${to} ${authority} ${headers}`);
  }
  expect([...seen].sort()).toEqual(["10.0.0.1 one-a.example x-forwarded-host,shop", "10.0.0.2 shop "]);
});

it("hashes up to a terminal part, what a pattern makes of a header, and the process itself", async () => {
  const user = { header: { header_name: "x-user", regex_rewrite: { pattern: { regex: "-.*" }, substitution: "" } } };
  const { call, snapshot } = mesh({
    route: { cluster: "one", hash_policy: [{ ...user, terminal: true }, { query_parameter: { name: "q" } }] },
    clusters: { one: HASHED },
  });
  expect(snapshot.problems).toEqual([]);
  const hashOf = async (user: string, q: number) =>
    (await call({ path: `/?q=${q}`, headers: user === "" ? [] : ["x-user", user] })).call.hash;
  expect(await hashOf("ann-1", 1)).toBe(await hashOf("ann-2", 2));
  expect(await hashOf("bob", 1)).not.toBe(await hashOf("ann", 1));
  expect(await hashOf("", 1)).not.toBe(await hashOf("", 2));

  const route = { cluster: "one", hash_policy: [{ filter_state: { key: "io.grpc.channel_id" } }] };
  const sticky = mesh({ route, clusters: { one: HASHED } });
  const places = new Set<string | undefined>();
  for (let each = 0; each < 8; each++) places.add((await sticky.call()).to);
  expect([places.size, sticky.snapshot.problems]).toEqual([1, []]);
  const other = mesh({ route: { cluster: "one", hash_policy: [{ filter_state: { key: "x" } }] } });
  expect(other.snapshot.problems).toMatchObject([{ message: expect.stringContaining("hash_policy.filter_state x") }]);
});

it("drops the shares that the control plane wants dropped, once per call, and counts them", async () => {
  const policy = {
    drop_overloads: [
      { category: "lb", drop_percentage: { numerator: 20 } },
      { category: "throttle", drop_percentage: { numerator: 5_000, denominator: "TEN_THOUSAND" } },
    ],
  };
  const route = { cluster: "one", retry_policy: { retry_on: "5xx,connect-failure", num_retries: 3 } };
  const { call, engine, snapshot } = mesh({ route, policy });
  const calls = await Promise.all(Array.from({ length: 1_000 }, () => call()));
  const dropped = calls.filter(({ error }) => error !== undefined);
  const { dropped: counts } = engine.clusters.find("one")!; // called just now
  expect(counts.get("lb")! + counts.get("throttle")!).toBe(dropped.length);
  expect([...counts.values()].map((count) => Math.round(count / 100))).toEqual([2, 4]); // 20 %, and half of the rest
  expect(dropped.every(({ call: { attempts } }) => attempts === 0)).toBe(true);
  const error = { code: "DROPPED", status: 503, cluster: "one" };
  expect(dropped[0]?.error).toMatchObject(error);
  expect(MESH_ERRORS.DROPPED).toMatchObject({ grpcStatus: 14, flag: "DO", details: "drop_overload" });
  expect(snapshot.problems).toEqual([]);
  expect(explain(snapshot, { url: "http://shop/" }).steps.at(-1)).toMatch(
    /; 20% are dropped \(lb\); 50% are dropped \(throttle\)$/,
  );
  expect(engine.clusters.find("one")!.limits.active).toBe(0);
});
