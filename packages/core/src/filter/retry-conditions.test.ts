import { describe, expect, it } from "vitest";
import type { MeshErrorCode } from "../errors.js";
import { fakeRetry } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { compileRetryConditions } from "./retry-conditions.js";

const { prepare } = testEngine();
const { call: http } = prepare("reviews");
const { call: grpc } = prepare("reviews", { headers: ["Content-Type", "application/grpc+proto"] });

const on = (...tokens: string[]) => compileRetryConditions(fakeRetry({ on: tokens }));
const DEFAULT = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

describe("compileRetryConditions: answers (policy-semantics §1.7)", () => {
  it.each<[tokens: string[], status: number, headers: Record<string, string>, retried: boolean]>([
    [["5xx"], 500, {}, true],
    [["5xx"], 503, {}, true],
    [["5xx"], 599, {}, true],
    [["5xx"], 499, {}, false],
    [["5xx"], 200, {}, false],
    [["gateway-error"], 500, {}, false],
    [["gateway-error"], 502, {}, true],
    [["gateway-error"], 503, {}, true],
    [["gateway-error"], 504, {}, true],
    [["gateway-error"], 505, {}, false],
    [["retriable-4xx"], 409, {}, true],
    [["retriable-4xx"], 404, {}, false],
    [["retriable-4xx"], 429, {}, false],
    [["503"], 503, {}, true],
    [["503"], 502, {}, false],
    [["200"], 200, {}, true],
    [["302"], 302, {}, true],
    [["reset", "connect-failure"], 503, {}, false],
    [DEFAULT, 500, {}, false],
    [DEFAULT, 503, {}, false],
    [DEFAULT, 200, {}, false],
    [["5xx"], 503, { "x-envoy-overloaded": "true" }, false],
    [["5xx"], 503, { "x-envoy-ratelimited": "true" }, false],
    [["5xx", "envoy-ratelimited"], 503, { "x-envoy-ratelimited": "true" }, true],
    [["envoy-ratelimited"], 429, { "x-envoy-ratelimited": "true" }, true],
    [["envoy-ratelimited"], 429, {}, false],
    [["envoy-ratelimited"], 503, { "x-envoy-ratelimited": "true" }, true], // Envoy 1.40: whatever the status
    [["envoy-ratelimited"], 200, { "x-envoy-ratelimited": "" }, true],
    [["429"], 429, {}, true],
    [["429"], 429, { "x-envoy-ratelimited": "true" }, false],
  ])("%j retries %s %j: %s", (tokens, status, headers, retried) => {
    expect(on(...tokens).answer(http, status, (name) => headers[name])).toBe(retried);
  });

  it.each([
    ["cancelled", "1"],
    ["deadline-exceeded", "4"],
    ["resource-exhausted", "8"],
    ["internal", "13"],
    ["unavailable", "14"],
  ])("%s retries grpc-status %s in the head of a gRPC answer, and no other", (token, grpcStatus) => {
    const answer = (status: string | undefined, call = grpc) => on(token).answer(call, 200, () => status);
    // The stub reader answers every name; x-envoy-* are read only once a status matched.
    const read = (status: string) =>
      on(token).answer(grpc, 200, (name) => (name === "grpc-status" ? status : undefined));
    expect([read(grpcStatus), read("0"), read("2"), answer(undefined), answer(grpcStatus, http)]).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it("does not read headers of a plain 200", () => {
    const reads: string[] = [];
    on("5xx", ...DEFAULT).answer(http, 200, (name) => void reads.push(name));
    expect(reads).toEqual([]);
  });
});

describe("compileRetryConditions: failures (policy-semantics §1.7)", () => {
  const CODES: MeshErrorCode[] = ["CONNECT_FAILED", "UPSTREAM_RESET", "UPSTREAM_PROTOCOL", "PER_TRY_TIMEOUT"];
  it.each<[token: string, retried: readonly boolean[]]>([
    ["connect-failure", [true, false, false, false]],
    ["reset-before-request", [true, false, false, false]],
    ["reset", [true, true, true, true]],
    ["5xx", [true, true, true, true]],
    ["gateway-error", [true, true, true, true]],
    ["retriable-4xx", [false, false, false, false]],
    ["refused-stream", [false, false, false, false]],
    ["unavailable", [false, false, false, false]],
    ["503", [false, false, false, false]],
  ])("%s: connect failed, reset, protocol, per-try timeout = %j", (token, retried) => {
    expect(CODES.map((code) => on(token).failure(code))).toEqual(retried);
  });

  it("never covers what the mesh decided itself", () => {
    const all = on("5xx", "gateway-error", "reset", "connect-failure", "503", "504");
    const local: MeshErrorCode[] = [
      "TIMEOUT",
      "DEADLINE_EXCEEDED",
      "FAULT_ABORTED",
      "NO_ENDPOINT",
      "RESPONSE_TRUNCATED",
    ];
    expect(local.filter((code) => all.failure(code))).toEqual([]);
  });
});
