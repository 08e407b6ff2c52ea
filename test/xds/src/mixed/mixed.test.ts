/**
 * Sidecars and processes without one in a single mesh: a real istiod, a real Envoy that it rules, and processes of inmesh call
 * each other, know each other by name, and keep the same rules.
 */

import { findEnvoy } from "@inmesh-test/identity/peer";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "../istiod/find-istiod.js";
import { document } from "../istiod/shop.js";
import { type Answer, SECURITY, Town, type Workload } from "./town.js";

const [istiod, envoy] = [findIstiod("sidecars beside processes"), findEnvoy("sidecars beside processes")];
const SA = "cluster.local/ns/shop/sa";
const ACCOUNTS = { legacy: "legacy", v1: "fresh-v1", v2: "fresh-v2" } as const;
const WORKLOADS = ["legacy", "v1", "v2"] as const;
const PAIRS = WORKLOADS.flatMap((from) => WORKLOADS.map((to) => [from, to] as const));
/** Between a sidecar and a process, both ways. */
const ACROSS = PAIRS.filter(([from, to]) => (from === "legacy") !== (to === "legacy"));
const HOST = { legacy: "legacy", v1: "fresh", v2: "fresh" } as const;

/** Paths say which process of `fresh` is meant. */
const BY_PATH = document("VirtualService", "fresh", {
  hosts: ["fresh.shop.svc.cluster.local"],
  http: ["v1", "v2"].map((version) => ({
    match: [{ uri: { prefix: `/${version}` } }],
    route: [{ destination: { host: "fresh.shop.svc.cluster.local", subset: version } }],
  })),
});

/** Methods do, for gRPC. */
const BY_METHOD = document("VirtualService", "fresh-grpc", {
  hosts: ["fresh-grpc.shop.svc.cluster.local"],
  http: ["v1", "v2"].map((version) => ({
    match: [{ uri: { prefix: `/${version}.Shop/` } }],
    route: [{ destination: { host: "fresh-grpc.shop.svc.cluster.local", subset: version } }],
  })),
});
const RULES = [BY_PATH, BY_METHOD];
const PERMISSION_DENIED = 7;

describe.skipIf(istiod === undefined || envoy === undefined)("a mesh of sidecars and processes", () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open({ istiod: istiod ?? "", envoy: envoy ?? "" });
  });
  afterAll(() => town?.[Symbol.asyncDispose]());
  beforeEach(() => town.rule(RULES));

  const call = (from: Workload, to: Workload, path = ""): Promise<Answer> => town.call(from, HOST[to], `/${to}${path}`);

  it.each(PAIRS)("%s calls %s over mTLS, and is known there", async (from, to) => {
    const caller = `spiffe://${SA}/${ACCOUNTS[from]}`;
    expect(await call(from, to)).toEqual({ status: 200, by: to, caller });
  });

  const callGrpc = (from: Workload, to: Workload, method = "Show"): Promise<Answer> =>
    town.callGrpc(from, HOST[to], `/${to}.Shop/${method}`);

  it.each(ACROSS)("%s calls %s by gRPC over mTLS, and is known there", async (from, to) => {
    const caller = `spiffe://${SA}/${ACCOUNTS[from]}`;
    expect(await callGrpc(from, to)).toEqual({ status: 200, by: to, caller });
  });

  it.each(WORKLOADS)("%s refuses a method to whom an AuthorizationPolicy denies it, and nothing else", async (to) => {
    const [denied, other] = to === "legacy" ? (["v1", "v2"] as const) : (["legacy", to] as const);
    const rules = [
      {
        from: [{ source: { principals: [`${SA}/${ACCOUNTS[denied]}`] } }],
        to: [{ operation: { paths: [`/${to}.Shop/Close`] } }],
      },
    ];
    const spec = { selector: { matchLabels: { app: HOST[to] } }, action: "DENY", rules };
    await town.rule([...RULES, document("AuthorizationPolicy", "closes", spec, SECURITY)]);
    await eventually("it is denied", async () => (await callGrpc(denied, to, "Close")).status === PERMISSION_DENIED);
    expect(await callGrpc(denied, to)).toMatchObject({ status: 200, by: to });
    expect(await callGrpc(other, to, "Close")).toMatchObject({ status: 200, by: to });
  });

  it.each(WORKLOADS)("%s serves whoever comes in plain text, until policy says STRICT", async (to) => {
    expect(await town.intrude(to)).toEqual({ status: 200, by: to });
    await town.rule([...RULES, document("PeerAuthentication", "default", { mtls: { mode: "STRICT" } }, SECURITY)]);
    await eventually("strangers are refused", async () => (await town.intrude(to)).status === 0);
    for (const from of WORKLOADS) expect(await call(from, to)).toMatchObject({ status: 200, by: to });
  });

  it.each(WORKLOADS)("%s serves whom an AuthorizationPolicy names, and nobody else", async (to) => {
    const [friend, ...others] = [...WORKLOADS.filter((each) => each !== to), to] as const;
    const app = HOST[to];
    const rules = [
      {
        from: [{ source: { principals: [`${SA}/${ACCOUNTS[friend as Workload]}`] } }],
        to: [{ operation: { paths: [`/${to}/open`] } }],
      },
    ];
    const spec = { selector: { matchLabels: { app } }, action: "ALLOW", rules };
    await town.rule([...RULES, document("AuthorizationPolicy", "friends", spec, SECURITY)]);
    // Connections that stand are under an Envoy's old rules until they are drained.
    for (const other of others)
      await eventually(`${other} is denied`, async () => (await call(other, to, "/open")).status === 403);
    expect(await call(friend as Workload, to, "/open")).toMatchObject({ status: 200, by: to });
    expect(await call(friend as Workload, to, "/shut")).toEqual({ status: 403 });
    expect(await town.intrude(to)).toEqual({ status: 403 });
    // Nor do they know at once that nothing is denied any more.
    await town.rule(RULES);
    for (const other of WORKLOADS)
      await eventually(`${other} may come`, async () => (await call(other, to, "/shut")).status === 200);
  });

  it.each(WORKLOADS)("%s splits its calls as a VirtualService says, over sidecars and processes", async (from) => {
    const split = async (legacy: number, v2: number) => {
      const route = [
        { destination: { host: "legacy.shop.svc.cluster.local" }, weight: legacy },
        { destination: { host: "fresh.shop.svc.cluster.local", subset: "v2" }, weight: v2 },
      ];
      await town.rule([
        document("VirtualService", "fresh", { hosts: ["fresh.shop.svc.cluster.local"], http: [{ route }] }),
      ]);
    };
    const shares = async (calls: number): Promise<Record<string, number>> => {
      const counts: Record<string, number> = { legacy: 0, v1: 0, v2: 0 };
      for (let at = 0; at < calls; at++) {
        const { by = "nobody" } = await town.call(from, "fresh");
        counts[by] = (counts[by] ?? 0) + 1;
      }
      return counts;
    };
    await split(0, 100);
    expect(await shares(20)).toEqual({ legacy: 0, v1: 0, v2: 20 });
    await split(25, 75);
    const { legacy = 0, ...rest } = await shares(100);
    expect(rest).toEqual({ v1: 0, v2: 100 - legacy });
    expect(legacy).toBeGreaterThan(3); // 25 are expected, and five standard deviations are 22
    expect(legacy).toBeLessThan(47);
  });
});
