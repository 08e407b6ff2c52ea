/** A real Prometheus scrapes a shop of four processes' worth of mesh, and is asked what Istio's dashboards and Kiali ask. */

import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DASHBOARDS, KIALI } from "./dashboards.js";
import { findPrometheus } from "./find-prometheus.js";
import { Prometheus, until } from "./prometheus.js";
import { Shop } from "./shop.js";

const tools = findPrometheus("what Prometheus, Istio's dashboards and Kiali make of the mesh's metrics");
/** Of each path, once it was found. So many are missed that each version has some: chance gives one of them all once in 8 million. */
const SENT = { ok: 40, missing: 24, broken: 4 };
/** By source and destination workload, as callers count and as the called do. */
const EDGES = ["gateway reviews-v1", "gateway reviews-v2", "reviews-v1 ratings", "reviews-v2 ratings"];

describe.skipIf(tools === undefined)("Prometheus", () => {
  let shop: Shop;
  let prometheus: Prometheus;
  /** Calls it took to find reviews, all of them good. */
  let before = 0;

  beforeAll(async () => {
    shop = await Shop.open();
    prometheus = await Prometheus.start(tools!, shop.targets); // skipped without
    await until(async () => (await prometheus.query("count(up == 1)"))[0]?.value === 4, "every target to be up");
    // A rate is how much a series grew since it was first scraped: every edge is there, at both ends, before what is counted is sent.
    await until(async () => {
      await shop.call("/ok");
      const [source, destination] = [await edges("source"), await edges("destination")];
      return EDGES.every((edge) => source.includes(edge) && destination.includes(edge));
    }, "every edge to be scraped");
    before = await total(await scrape(shop.admins[0]!));
    for (const path of Object.keys(SENT) as (keyof typeof SENT)[]) {
      for (let index = 0; index < SENT[path]; index++)
        await shop.call(`/${path}`, path === "ok" ? { method: "POST", body: "abc" } : {});
    }
    const toReviews = SENT.ok + SENT.missing + SENT.broken + before;
    await until(async () => {
      const counted = await prometheus.query("sum by (reporter, destination_service_name) (istio_requests_total)");
      const toRatings = counted.filter(({ metric }) => metric["destination_service_name"] === "ratings");
      const others = counted.filter((sample) => !toRatings.includes(sample));
      const scrapedOnce = await prometheus.query("count_over_time(istio_requests_total[1m]) < 2");
      const whole = others.length === 2 && others.every(({ value }) => value === toReviews);
      const same = toRatings.length === 2 && toRatings[0]?.value === toRatings[1]?.value;
      return whole && same && scrapedOnce.length === 0;
    }, `${toReviews} requests to be scraped at both ends, twice`);
  }, 150_000);

  const edges = async (reporter: string): Promise<readonly string[]> => {
    const by = "sum by (source_workload, destination_workload)";
    const found = await prometheus.query(`${by} (istio_requests_total{reporter="${reporter}"})`);
    return found.map(({ metric }) => `${metric["source_workload"]} ${metric["destination_workload"]}`);
  };

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
    const shown = async (expr: string): Promise<Set<string>> => {
      const found = await prometheus.query(expr);
      for (const { metric } of found) {
        for (const [label, value] of Object.entries(metric)) expect(`${label}=${value}`).not.toMatch(/=unknown$/);
      }
      return new Set(found.map(({ metric: of }) => `${of["source_workload"]} ${of["destination_workload"]}`));
    };
    expect([...(await shown(KIALI.graph))].sort()).toEqual(EDGES);
    expect([...(await shown(KIALI.incoming))].sort()).toEqual(EDGES);
    const locks = await prometheus.query(KIALI.padlock);
    expect(locks.length).toBeGreaterThan(0);
    for (const { metric } of locks) {
      expect(metric["connection_security_policy"]).toBe("mutual_tls");
      expect(metric["source_principal"]).toMatch(/^spiffe:\/\/cluster\.local\/ns\/shop\/sa\//);
      expect(metric["destination_principal"]).toMatch(/^spiffe:\/\/cluster\.local\/ns\/shop\/sa\//);
    }
    expect((await prometheus.query(KIALI.responseTime)).length).toBe(3);
  });

  it("is clean for promtool but for the name that Istio chose, with its unit", async () => {
    const promtool = (input: string) => {
      const { stdout, stderr, status } = spawnSync(tools!.promtool, ["check", "metrics"], { input, encoding: "utf8" }); // skipped without
      return { status, complaints: `${stdout}${stderr}`.split("\n").filter((line) => line !== "") };
    };
    for (const admin of shop.admins) {
      const [all, others] = [await scrape(admin), await scrape(admin, OTHERS)];
      expect(families(all).filter((name) => !families(others).includes(name))).toEqual([ISTIO_NAME]);
      expect(promtool(others)).toEqual({ status: 0, complaints: [] });
      const [complaint, ...more] = promtool(all).complaints;
      expect(complaint).toMatch(new RegExp(`^${ISTIO_NAME}:? .*unit`));
      expect(more).toEqual([]);
    }
  });

  it("keeps one scrape of everything quick", async () => {
    // Of each process the quickest one: what else the machine does is in the others.
    const [slowest] = await prometheus.query("max(min_over_time(scrape_duration_seconds[1h]))");
    expect(slowest?.value).toBeLessThan(0.5);
  });
});

/** Dashboards and Kiali ask for it by this name. */
const ISTIO_NAME = "istio_request_duration_milliseconds";
/** RE2, which can't say "but not". */
const OTHERS = "^(istio_(requests|request_(bytes|messages)|response|build)|inmesh|process|nodejs)(_|$)";

function families(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!); // matched
}

async function scrape(admin: string, filter = ""): Promise<string> {
  return (await fetch(`${admin}/stats/prometheus?filter=${encodeURIComponent(filter)}`)).text();
}

async function total(text: string): Promise<number> {
  return [...text.matchAll(/^istio_requests_total\{reporter="source".* (\d+)$/gm)].reduce(
    (sum, [, each]) => sum + Number(each),
    0,
  );
}
