import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ROOT } from "../../e2e/src/dev-process.js";
import { findJaeger } from "../../telemetry/src/jaeger/find-jaeger.js";
import { Jaeger } from "../../telemetry/src/jaeger/jaeger.js";
import { findPrometheus } from "../../telemetry/src/prometheus/find-prometheus.js";
import { Prometheus, until } from "../../telemetry/src/prometheus/prometheus.js";
import { lint, readCompose } from "./compose.js";
import { Example, freePort } from "./example.js";

const MONITORING = join(ROOT, "examples/telemetry/monitoring");
const tools = findPrometheus("examples/telemetry");
const jaegerBinary = findJaeger("examples/telemetry");
const REQUESTS = 40;

let example: Example | undefined;
afterEach(async () => {
  await example?.quit();
});

describe("examples/telemetry", () => {
  it("has a Compose file that says what it means", () => {
    expect(lint(readCompose(MONITORING), MONITORING)).toEqual([]);
  });

  it.skipIf(tools === undefined || jaegerBinary === undefined)(
    "telemetry: Prometheus shows both ends of each call by version, and Jaeger one trace for each request",
    async () => {
      const [job] = parse(readFileSync(join(MONITORING, "prometheus.yml"), "utf8")).scrape_configs;
      const targets: string[] = job.static_configs[0].targets;
      expect(job.metrics_path).toBe("/stats/prometheus");
      await using jaeger = await Jaeger.start(jaegerBinary ?? "");
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl, OTEL_BSP_SCHEDULE_DELAY: "100" };
      example = new Example("telemetry", await freePort(), env);
      await example.ready(3);
      await example.until("/", /^200 /);
      await using prometheus = await Prometheus.start(tools!, targets); // not skipped
      const up = async () => (await prometheus.query("up == 1")).length === targets.length;
      await until(up, "the three processes to be scraped");
      for (let n = 0; n < REQUESTS; n++) expect(await example.get("/")).toMatch(/^200 the shop shows: reviews v[12]$/);

      const sums = async (by: string) => await prometheus.query(`sum(istio_requests_total) by (${by})`);
      // The web server's own record is the last one of a request. Each process is asked at a time of its own.
      const counted = async (reporter: string) => {
        const [sum] = await prometheus.query(`sum(istio_requests_total{reporter="${reporter}",response_code="200"})`);
        return sum?.value ?? 0;
      };
      await until(async () => (await counted("source")) >= REQUESTS, "its calls to be counted");
      await until(async () => (await counted("destination")) >= 2 * REQUESTS, "what answered them to be counted");
      const ends = (await sums("reporter, destination_workload")).map(({ metric }) => Object.values(metric).join(" "));
      expect(ends).toEqual(
        expect.arrayContaining([
          expect.stringMatching(/source.*reviews-v1|reviews-v1.*source/),
          expect.stringMatching(/destination.*reviews-v1|reviews-v1.*destination/),
          expect.stringMatching(/source.*reviews-v2|reviews-v2.*source/),
        ]),
      );
      // The rule asks again: callers see none of the failures that reviews had.
      const failed = 'sum(istio_requests_total{response_code="500",reporter="REPORTER"}) or vector(0)';
      const [seen] = await prometheus.query(failed.replace("REPORTER", "source"));
      const [had] = await prometheus.query(failed.replace("REPORTER", "destination"));
      expect([seen?.value, (had?.value ?? 0) > 0]).toEqual([0, true]);

      const [traceId = ""] = await jaeger.tracesOf("web");
      const spans = await jaeger.trace(traceId, 3);
      const shown = spans.map(({ service, kind }) => `${service} ${kind}`).sort();
      // One more of reviews where the rule asked again.
      const asked = shown.filter((each) => each === "reviews server");
      expect(asked.length).toBeGreaterThan(0);
      expect(shown).toEqual([...asked, "web client", "web server"]);
      expect(await example.quit()).toBe(0);
      example = undefined;
    },
  );
});
