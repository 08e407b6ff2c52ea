import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { validateDocument } from "./validate-document.js";

/** Paths and the beginnings of what is said, of a document of one of our kinds. */
function faults(kind: string, spec: string): string[] {
  const yaml = `apiVersion: inmesh.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: a, namespace: shop}\nspec: ${spec}\n`;
  const [document] = parseDocuments(yaml, { file: "policy.yaml" }).documents;
  if (document === undefined) throw new Error("no document");
  return validateDocument(document).problems.map(({ path, line, message }) => `${path} ${line} ${message}`);
}

describe("validation of CircuitBreaker", () => {
  it("takes one that names its host", () => {
    expect(faults("CircuitBreaker", "{host: reviews}")).toEqual([]);
    const all =
      "{host: '*.shop.svc.cluster.local', subset: v1, scope: ROUTE, window: 10s, minRequests: 1, failurePercent: 0, slowCall: {duration: 1s}, openFor: 1s, probes: 1, fallback: {destination: {host: cache, port: {number: 80}}}}";
    expect(faults("CircuitBreaker", all)).toEqual([]);
  });

  it.each([
    ["{}", "spec 4"],
    ["{host: reviews, failurePercent: 101}", "spec.failurePercent 4 found 101, expected 0 to 100"],
    ["{host: reviews, probes: 0}", "spec.probes 4 found 0, expected 1 to 1000"],
    ["{host: reviews, minRequests: 0}", "spec.minRequests 4 found 0"],
    ["{host: reviews, openFor: soon}", 'spec.openFor 4 found "soon", expected a duration'],
    ["{host: reviews, slowCall: {percent: 5}}", "spec.slowCall 4 slowCall names no duration"],
    ["{host: reviews, fallback: {}}", "spec.fallback 4 the fallback is empty"],
    ["{host: reviews, fallback: {stale: {}}}", "spec.fallback.stale 4 stale names no maxAge"],
    ["{host: reviews, fallback: {response: {status: 99}}}", "spec.fallback.response.status 4 found 99"],
    [
      '{host: reviews, fallback: {response: {headers: {a: "b\\nc"}}}}',
      "spec.fallback.response.headers.a 4 a header value",
    ],
    ["{host: reviews, fallback: {destination: {}}}", "spec.fallback.destination 4"],
    ["{host: reviews, fallback: {stale: {maxAge: 1s}, response: {}}}", "spec.fallback 4 response and stale exclude"],
    ["{host: reviews, scope: MESH}", "spec.scope 4"],
    ["{host: reviews, threshold: 5}", "spec.threshold 4"],
  ])("refuses %s", (spec, expected) => {
    expect(faults("CircuitBreaker", spec)).toEqual([expect.stringContaining(expected)]);
  });
});

describe("validation of Resilience", () => {
  it("takes what is whole", () => {
    const all =
      "{host: reviews, loadBalancer: PEAK_EWMA, subsetting: {size: 3}, retry: {percent: 5, minPerSecond: 0.5}, hedging: {attempts: 2, delay: 10ms}, healthCheck: {http: {path: /up?x=1}}, server: {maxConcurrency: 1, adaptiveConcurrency: {min: 1, max: 2}, maxEventLoopDelay: 1s, priorities: [{priority: CRITICAL}], priorityHeader: x-p}}";
    expect(faults("Resilience", all)).toEqual([]);
  });

  it.each([
    ["{retry: {percent: 1}}", "spec 4"],
    ["{host: a, retry: {percent: 101}}", "spec.retry.percent 4 found 101"],
    ["{host: a, retry: {minPerSecond: 3}}", "spec.retry.minPerSecond 4 minPerSecond stands beside percent"],
    ["{host: a, retry: {maxBodyBytes: 99999999}}", "spec.retry.maxBodyBytes 4 found 99999999"],
    ["{host: a, hedging: {attempts: 1}}", "spec.hedging.attempts 4 found 1, expected 2 to 5"],
    ["{host: a, subsetting: {}}", "spec.subsetting 4 subsetting names no size"],
    ["{host: a, healthCheck: {}}", "spec.healthCheck 4 the check says neither http nor tcp nor grpc"],
    [
      `{host: a, healthCheck: {grpc: {service: ${"x".repeat(128)}}}}`,
      "spec.healthCheck.grpc.service 4 the name has more than 127 bytes",
    ],
    ["{host: a, healthCheck: {http: {}, tcp: {}}}", "spec.healthCheck 4 http and tcp exclude"],
    ["{host: a, healthCheck: {http: {path: up}}}", 'spec.healthCheck.http.path 4 found "up", expected a path'],
    ["{host: a, healthCheck: {http: {expectedStatuses: [300-200]}}}", "spec.healthCheck.http.expectedStatuses[0] 4"],
    [
      "{host: a, server: {adaptiveConcurrency: {min: 5, max: 2}}}",
      "spec.server.adaptiveConcurrency.min 4 min 5 is above max 2",
    ],
    ["{host: a, server: {priorities: [{match: []}]}}", "spec.server.priorities[0] 4 the entry names no priority"],
    ['{host: a, server: {priorityHeader: "a b"}}', "spec.server.priorityHeader 4"],
    [
      "{host: a, server: {priorityHeader: X-Inmesh-Priority}}",
      "spec.server.priorityHeader 4 headers named x-inmesh-… are between meshes",
    ],
    [
      "{host: a, server: {priorities: [{priority: CRITICAL, match: [{uri: {regex: '('}}]}]}}",
      "spec.server.priorities[0].match[0].uri",
    ],
  ])("refuses %s", (spec, expected) => {
    expect(faults("Resilience", spec)).toEqual([expect.stringContaining(expected)]);
  });
});

describe("validation of RateLimit", () => {
  const one = (rule: string) => `{host: reviews, rules: [${rule}]}`;

  it("takes rules that are whole", () => {
    expect(
      faults(
        "RateLimit",
        one(
          "{name: by-key, match: [{headers: {x-key: {}}}], by: ['header:x-key', SOURCE_IP], requests: 5, per: 1s, burst: 10}",
        ),
      ),
    ).toEqual([]);
  });

  const shared = (service: string, rule = "{name: a}") => `{host: reviews, service: {${service}}, rules: [${rule}]}`;
  const SERVICE = "host: limits, port: 8081, domain: shop";

  it("takes what a request costs where a service counts, and nowhere else", () => {
    expect(faults("RateLimit", shared(SERVICE, "{name: a, hitsAddend: 0}"))).toEqual([]);
    const much = faults("RateLimit", shared(SERVICE, "{name: a, hitsAddend: 1000000001}"));
    expect(much).toEqual([expect.stringContaining("spec.rules[0].hitsAddend 4 found 1000000001, expected at most")]);
    const own = faults("RateLimit", one("{name: a, requests: 5, per: 1s, hitsAddend: 2}"));
    expect(own).toEqual([
      expect.stringContaining("spec.rules[0].hitsAddend 4 it is what a request costs at the service"),
    ]);
  });

  it("takes rules that a service counts, without numbers of their own", () => {
    const more = "timeout: 50ms, failureModeDeny: true";
    expect(faults("RateLimit", shared(`${SERVICE}, ${more}`, "{name: a, by: ['header:x-key']}"))).toEqual([]);
  });

  it.each([
    [shared("port: 8081, domain: shop"), "spec.service 4"],
    [shared("host: limits, domain: shop"), "spec.service 4"],
    [shared("host: limits, port: 70000, domain: shop"), "spec.service.port 4"],
    [shared("host: limits, port: 8081"), "spec.service 4 the service is asked about a domain"],
    [shared(SERVICE, "{name: a, requests: 5}"), "spec.rules[0].requests 4 the service at spec.service counts"],
    [shared(SERVICE, "{name: a, per: 5s}"), "spec.rules[0].per 4 the service at spec.service counts"],
    [shared(SERVICE, "{name: a, burst: 5}"), "spec.rules[0].burst 4 the service at spec.service counts"],
    [shared(`${SERVICE}, timeout: 0s`), "spec.service.timeout 4"],
    ["{host: reviews}", "spec 4 it has no rules"],
    [one("{requests: 1, per: 1s}"), 'spec.rules[0] 4 found name ""'],
    [one("{name: a, per: 1s}"), "spec.rules[0] 4 the rule names no number of requests"],
    [one("{name: a, requests: 1}"), "spec.rules[0] 4 the rule does not say per what time"],
    [one("{name: a, requests: 1, per: 1s, burst: 0}"), "spec.rules[0].burst 4 expected at least 1"],
    [one("{name: a, requests: 1, per: 1s, by: [USER]}"), 'spec.rules[0].by[0] 4 found "USER", expected SOURCE_IP'],
    [
      one("{name: a, requests: 1, per: 1s}, {name: a, requests: 1, per: 1s}"),
      'spec.rules[1].name 4 rule "a" is there twice',
    ],
    [one("{name: a, requests: 1, per: 1s, match: [{uri: {regex: '('}}]}"), "spec.rules[0].match[0].uri"],
  ])("refuses %s", (spec, expected) => {
    expect(faults("RateLimit", spec)).toEqual([expect.stringContaining(expected)]);
  });
});
