import { parseDocuments } from "@inmesh/model";
import { expect, it } from "vitest";
import { burnRate, difference, eventsOf, readSamples } from "./measure.js";
import { readObjectives } from "./objective.js";
import { rulesOf } from "./rules.js";

const HOST = "reviews.shop.svc.cluster.local";
const source = (more = "") => `{metricSource: {type: inmesh, spec: {destination: ${HOST}${more}}}}`;
const SLI = `apiVersion: openslo/v1
kind: SLI
metadata: {name: answered}
spec: {ratioMetric: {counter: true, bad: ${source(', codes: "5..|0"')}, total: ${source()}}}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: reviews}
spec: {description: reviews of books}
---
`;
const slo = (spec: string) => `apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: good}\nspec: ${spec}\n`;
const RATIO = slo(
  "{service: reviews, indicatorRef: answered, timeWindow: [{duration: 30d, isRolling: true}], objectives: [{displayName: answered, target: 0.999}]}",
);
const FAST = slo(
  `{service: reviews, indicator: {metadata: {name: x}, spec: {thresholdMetric: ${source(", reporter: source")}}}, objectives: [{targetPercent: 90, op: lte, value: 250}]}`,
);

const read = (yaml: string) => readObjectives(parseDocuments(yaml, { file: "slo.yaml" }).passedOver);

function first(yaml: string) {
  const { objectives, problems } = read(yaml);
  expect(problems).toEqual([]);
  const [objective] = objectives;
  if (objective === undefined) throw new Error("no objective");
  return objective;
}

const process = (good: number, bad: number) => `# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",destination_service="${HOST}",response_code="200"} ${good}
istio_requests_total{reporter="destination",destination_service="${HOST}",response_code="503"} ${bad}
istio_requests_total{reporter="source",destination_service="${HOST}",response_code="503"} 1000
istio_requests_total{reporter="destination",destination_service="other",response_code="503"} 1000
istio_request_duration_milliseconds_bucket{reporter="source",destination_service="${HOST}",response_code="200",le="250"} ${good}
istio_request_duration_milliseconds_bucket{reporter="source",destination_service="${HOST}",response_code="200",le="+Inf"} ${good + bad}
istio_request_duration_milliseconds_count{reporter="source",destination_service="${HOST}",response_code="200"} ${good + bad}
`;

it("adds processes up to a budget and a burn rate", () => {
  const samples = [process(900, 1), process(99, 0)].flatMap(readSamples);
  const objective = first(SLI + RATIO);
  const events = eventsOf(objective, samples);
  expect(events).toEqual({ total: 1000, bad: 1 });
  expect(burnRate({ total: 1000, bad: 1 }, objective.target)).toBeCloseTo(1, 6);
  expect(burnRate({ total: 0, bad: 0 }, 0.9)).toBeUndefined();
  expect(difference({ total: 5, bad: 1 }, { total: 9, bad: 0 })).toEqual({ total: 0, bad: 1 });
  expect(eventsOf(first(FAST), samples)).toEqual({ total: 1000, bad: 1 });
});

it("writes rules for Prometheus: ratios over windows, alerts over two", () => {
  const rules = rulesOf([first(SLI + RATIO), first(FAST)]);
  expect(rules).toContain('"slo:sli_error:ratio_rate1h{slo=\\"good\\",objective=\\"answered\\"} > 14.4 * 0.001 and');
  expect(rules).toContain('response_code=~\\"5..|0\\"}[5m]');
  expect(rules).toContain('le=~\\"250(\\\\\\\\.0)?\\"');
  // A tenth may fail: 13.44 times that is more than everything, so that alert would never come.
  expect(rules.match(/alert:/g)).toHaveLength(7);
  expect(rulesOf([])).toBe("groups: []\n");
});

it.each([
  [RATIO, "there is no SLI"],
  [SLI + RATIO.replace("0.999", "1"), "between 0 and 1"],
  [SLI + RATIO.replace("isRolling: true", "isRolling: false"), "one rolling window"],
  [SLI + RATIO.replace("30d", "soon"), "no time such as 28d"],
  [SLI + RATIO.replace("{service", "{budgetingMethod: Timeslices, service"), "Occurrences"],
  [FAST.replace("250", "300"), "histograms tell"],
  [FAST.replace("lte", "gt"), "op is lte"],
  [FAST.replace("type: inmesh", "type: Datadog"), "expected inmesh or Prometheus"],
  [FAST.replace("reporter: source", "host: x"), 'no "host"'],
  [
    SLI.replace("type: inmesh, spec: {destination", "type: Prometheus, spec: {query: 'rate(x[5m])', d") + RATIO,
    "selector of a counter",
  ],
])("refuses what it cannot measure %#", (yaml, message) => {
  const { problems, objectives } = read(yaml);
  expect(objectives).toEqual([]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
  expect(problems[0]).toMatch(/^slo\.yaml:\d+ good: /);
});
