/** What `inmesh slo rules` writes, as Prometheus itself reads it: rules that it takes, and alerts that come when a budget burns. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPrometheus } from "./find-prometheus.js";

const tools = findPrometheus("whether Prometheus takes the rules of inmesh slo");
const HOST = "reviews.shop.svc.cluster.local";
const source = (more = ""): string => `{ metricSource: { type: inmesh, spec: { destination: ${HOST}${more} } } }`;
const SLO = `
apiVersion: openslo/v1
kind: SLO
metadata: { name: answered }
spec:
  service: reviews
  indicator:
    metadata: { name: answered }
    spec: { ratioMetric: { counter: true, bad: ${source(', codes: "5..|0"')}, total: ${source()} } }
  timeWindow: [{ duration: 28d, isRolling: true }]
  objectives: [{ displayName: answered, target: 0.999 }]
---
apiVersion: openslo/v1
kind: SLO
metadata: { name: fast }
spec:
  service: reviews
  indicator: { metadata: { name: fast }, spec: { thresholdMetric: ${source()} } }
  objectives: [{ displayName: 250 ms, target: 0.99, op: lte, value: 250 }]
`;

describe.skipIf(tools === undefined)("rules of inmesh slo", () => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-slo-"));
  const rules = join(folder, "rules.yaml");

  beforeAll(() => {
    writeFileSync(join(folder, "slo.yaml"), SLO);
    const inmesh = join(dirname(createRequire(import.meta.url).resolve("inmesh/package.json")), "bin", "inmesh.js");
    const args = [inmesh, "slo", "rules", join(folder, "slo.yaml")];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    writeFileSync(rules, stdout);
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const promtool = (...args: string[]): string => {
    const { stdout, stderr, status } = spawnSync(tools!.promtool, args, { encoding: "utf8" }); // skipped without
    return `${status}: ${stdout}${stderr}`;
  };

  it("are rules", () => {
    expect(promtool("check", "rules", rules)).toMatch(/^0: [\s\S]*SUCCESS: 24 rules found/);
  });

  /** In a minute, of 1,000 requests. */
  it.each([
    ["twenty times too fast, which everybody hears of", 20, 0, ["1h", "6h", "1d", "3d"], []],
    ["four times, which opens tickets", 4, 0, ["1d", "3d"], []],
    ["at half its pace", 0.5, 0, [], []],
    ["for being slow, thirty times", 0, 300, [], ["1h", "6h", "1d", "3d"]],
  ])("alert where a budget is spent %s", (_, failed, slow, answered, fast) => {
    const series = (name: string, labels: string, each: number): object => ({
      series: `${name}{reporter="destination",destination_service="${HOST}",${labels}}`,
      values: `0+${each}x180`,
    });
    const durations = "istio_request_duration_milliseconds";
    const alert = (slo: string, of: string, window: string): object => {
      const [days, share] = WINDOWS[window]!; // one of them
      const burn = Number(((share * 28) / days).toPrecision(6));
      const summary = `${slo} (${of}) of reviews spends its error budget ${burn} times too fast`;
      const severity = days < 1 ? "page" : "ticket";
      return {
        exp_labels: { severity, long_window: window, service: "reviews", slo, objective: of },
        exp_annotations: { summary },
      };
    };
    const expected = [
      ...answered.map((window) => alert("answered", "answered", window)),
      ...fast.map((window) => alert("fast", "250 ms", window)),
    ];
    const test = {
      rule_files: [rules],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: [
            series("istio_requests_total", 'response_code="200"', 1_000 - failed),
            series("istio_requests_total", 'response_code="503"', failed),
            series(`${durations}_bucket`, 'le="250"', 1_000 - slow),
            series(`${durations}_bucket`, 'le="+Inf"', 1_000),
            series(`${durations}_count`, 'response_code="200"', 1_000),
          ],
          alert_rule_test: [{ eval_time: "2h", alertname: "SloBurnsTooFast", exp_alerts: expected }],
        },
      ],
    };
    const file = join(folder, "test.yaml");
    writeFileSync(file, JSON.stringify(test)); // JSON is YAML
    expect(promtool("test", "rules", file)).toMatch(/^0: /);
  });
});

/** By long window: days, and the share of the budget that goes in it. */
const WINDOWS: Readonly<Record<string, readonly [days: number, share: number]>> = {
  "1h": [1 / 24, 0.02],
  "6h": [1 / 4, 0.05],
  "1d": [1, 0.1],
  "3d": [3, 0.1],
};
