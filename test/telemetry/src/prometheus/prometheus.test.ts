/** A real Prometheus scrapes a shop of four processes' worth of mesh, and is asked what Istio's dashboards and Kiali ask. */

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DASHBOARDS, KIALI } from "./dashboards.js";
import { findPrometheus } from "./find-prometheus.js";
import { Prometheus, until } from "./prometheus.js";
import { Shop } from "./shop.js";

const tools = findPrometheus("what Prometheus, Istio's dashboards and Kiali make of the mesh's metrics");
/** Of each path, once it was found. */
const SENT = { ok: 40, missing: 6, broken: 4 };

describe.skipIf(tools === undefined)("Prometheus", () => {
  let shop: Shop;
  let prometheus: Prometheus;
  /** Calls it took to find reviews, all of them good. */
  let before = 0;

  beforeAll(async () => {
    shop = await Shop.open();
    prometheus = await Prometheus.start(tools!, shop.targets); // skipped without
    before = await total(await scrape(shop.admins[0]!));
    await until(async () => (await prometheus.query("count(up == 1)"))[0]?.value === 4, "every target to be up");
    for (const path of Object.keys(SENT) as (keyof typeof SENT)[]) {
      for (let index = 0; index < SENT[path]; index++)
        await shop.call(`/${path}`, path === "ok" ? { method: "POST", body: "abc" } : {});
    }
    const all = SENT.ok + SENT.missing + SENT.broken + before;
    const counted = 'sum(istio_requests_total{reporter="source",source_workload="gateway"})';
    await until(async () => (await prometheus.query(counted))[0]?.value === all, `${all} requests to be scraped`);
  }, 60_000);

  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await shop?.[Symbol.asyncDispose]();
  });

  it("counts at both ends what was called, by version and outcome", async () => {
    const sum = async (selector: string): Promise<number> =>
      (await prometheus.query(`sum(istio_requests_total{${selector}})`))[0]?.value ?? 0;
    const toReviews = 'destination_service="reviews.shop.svc.cluster.local"';
    expect(await sum(`reporter="source",${toReviews},response_code="404"`)).toBe(SENT.missing);
    expect(await sum(`reporter="destination",${toReviews},response_code="404"`)).toBe(SENT.missing);
    expect(await sum(`reporter="destination",${toReviews},response_code="500"`)).toBe(SENT.broken);
    for (const version of ["v1", "v2"]) {
      const at = `destination_workload="reviews-${version}",source_workload="gateway",response_code="404"`;
      expect(await sum(`reporter="source",${at}`)).toBe(await sum(`reporter="destination",${at}`));
      expect(await sum(`reporter="source",${at}`)).toBeGreaterThan(0);
    }
    const posted = await prometheus.query(`sum(istio_request_bytes_sum{reporter="destination",${toReviews}})`);
    expect(posted[0]?.value).toBe(3 * SENT.ok);
  });

  it.each(Object.entries(DASHBOARDS))("has what Istio's dashboard shows: %s", async (_, expr) => {
    const found = await prometheus.query(expr);
    expect(found.length).toBeGreaterThan(0);
    for (const { value } of found) expect(value).not.toBeNaN();
  });

  it("shows Kiali every edge, whole, and its padlock", async () => {
    const edges = async (expr: string): Promise<Set<string>> => {
      const found = await prometheus.query(expr);
      for (const { metric } of found) {
        for (const [label, value] of Object.entries(metric)) expect(`${label}=${value}`).not.toMatch(/=unknown$/);
      }
      return new Set(found.map(({ metric: of }) => `${of["source_workload"]} ${of["destination_workload"]}`));
    };
    const outgoing = ["gateway reviews-v1", "gateway reviews-v2", "reviews-v1 ratings", "reviews-v2 ratings"];
    expect([...(await edges(KIALI.graph))].sort()).toEqual(outgoing);
    // One service account: the destination cannot tell which version called.
    const incoming = ["gateway reviews-v1", "gateway reviews-v2", "reviews ratings"];
    expect([...(await edges(KIALI.incoming))].sort()).toEqual(incoming);
    const locks = await prometheus.query(KIALI.padlock);
    expect(locks.length).toBeGreaterThan(0);
    for (const { metric } of locks) {
      expect(metric["connection_security_policy"]).toBe("mutual_tls");
      expect(metric["source_principal"]).toMatch(/^spiffe:\/\/cluster\.local\/ns\/shop\/sa\//);
      expect(metric["destination_principal"]).toMatch(/^spiffe:\/\/cluster\.local\/ns\/shop\/sa\//);
    }
    expect((await prometheus.query(KIALI.responseTime)).length).toBe(3);
  });

  it("finds nothing to complain of but Istio's choice of units", async () => {
    for (const admin of shop.admins) {
      const input = await scrape(admin);
      const { stdout, stderr } = spawnSync(tools!.promtool, ["check", "metrics"], { input, encoding: "utf8" }); // skipped without
      const complaints = `${stdout}${stderr}`.split("\n").filter((line) => line !== "" && !UNITS.test(line));
      expect(complaints.join("\n")).toBe("");
    }
  });

  it("keeps one scrape of everything quick", async () => {
    const [slowest] = await prometheus.query("max(scrape_duration_seconds)");
    expect(slowest?.value).toBeLessThan(0.5);
  });
});

/** Names are Istio's and Envoy's: dashboards ask for them. The quantiles of the event loop's delay are gauges, of the last 10 s. */
const UNITS =
  /^(?:istio_request_duration|inmesh_(?:connect_duration|event_loop_delay|overhead))_(?:milli|micro)seconds:? .*(?:unit|"quantile" label)/;

async function scrape(admin: string): Promise<string> {
  return (await fetch(`${admin}/stats/prometheus`)).text();
}

async function total(text: string): Promise<number> {
  return [...text.matchAll(/^istio_requests_total\{reporter="source".* (\d+)$/gm)].reduce(
    (sum, [, each]) => sum + Number(each),
    0,
  );
}
