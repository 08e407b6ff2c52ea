import { MeshError, type MeshErrorCode } from "@inmesh/core";
import { expect, it } from "vitest";
import { hasBody, localReply } from "./local-reply.js";

it.each<[MeshErrorCode, number, string]>([
  ["NO_ENDPOINT", 503, "no healthy upstream\n"],
  ["TIMEOUT", 504, "upstream request timeout\n"],
  ["PER_TRY_TIMEOUT", 504, "upstream request timeout\n"],
  ["FAULT_ABORTED", 503, "fault filter abort\n"],
  ["CONNECT_FAILED", 503, "upstream connect error or disconnect/reset before headers. reset reason: "],
  ["UPSTREAM_RESET", 503, "upstream connect error or disconnect/reset before headers. reset reason: "],
  ["HOST_UNKNOWN", 502, "why"],
  ["ROUTE_NOT_FOUND", 404, "why"],
])("answers %s with %i and Envoy's words", (code, status, start) => {
  const reply = localReply(new MeshError(code, "why"));
  expect(reply).toMatchObject({ status, headers: ["content-type", "text/plain", "x-inmesh-error", code] });
  expect(String(reply?.body).startsWith(start)).toBe(true);
  expect(reply?.body).toContain(`why (${code})`);
});

it.each<[MeshErrorCode, string | undefined]>([
  ["OVERFLOW", "true"],
  ["BREAKER_OPEN", "true"],
  ["NO_ENDPOINT", undefined],
])("tells callers of %s not to try again: %s", (code, expected) => {
  const { headers = [] } = localReply(new MeshError(code, "why")) ?? {};
  const at = headers.indexOf("x-envoy-overloaded");
  expect(at < 0 ? undefined : headers[at + 1]).toBe(expected);
});

it("has no answer for a body that broke off", () => {
  expect(localReply(new MeshError("RESPONSE_TRUNCATED", "why"))).toBeUndefined();
});

it.each([
  ["GET", 200, true],
  ["HEAD", 200, false],
  ["GET", 204, false],
  ["GET", 304, false],
])("a %s answered %i has a body: %s", (method, status, expected) => {
  expect(hasBody(method, status)).toBe(expected);
});
