import type { AttemptView, RequestView, WouldView } from "@inmesh/core/admin";
import { describe, expect, it } from "vitest";
import { isEventful, requestStory } from "./request-story.js";

const attempt = (given: Partial<AttemptView>): AttemptView => ({
  number: 1,
  endpoint: "10.0.0.3:4001",
  version: "",
  outcome: "answered 200",
  status: 200,
  durationMs: 3,
  ...given,
});

const request = (given: Partial<RequestView>): RequestView => ({
  agoMs: 0,
  method: "GET",
  authority: "reviews",
  path: "/reviews/1",
  route: "",
  cluster: "",
  status: 200,
  error: "",
  message: "",
  durationMs: 3.456,
  meshUs: 4.2,
  faultMs: 0,
  noRetry: "",
  replayed: false,
  attempts: [attempt({})],
  ...given,
});

const refused = attempt({ outcome: "refused", status: 0, durationMs: 0.4 });
const second = attempt({ number: 2, endpoint: "10.0.0.4:4001", version: "v2" });

describe("requestStory", () => {
  it.each<[string, Partial<RequestView>, string]>([
    ["one attempt", {}, "attempt 1 10.0.0.3:4001 ok after 3 ms; the caller got 200 after 3.5 ms; mesh cost 4.2 us"],
    [
      "a refusal and a second attempt",
      { attempts: [refused, second] },
      "attempt 1 10.0.0.3:4001 refused after 0.4 ms; attempt 2 10.0.0.4:4001 (v2) ok after 3 ms; the caller got 200 after 3.5 ms; mesh cost 4.2 us",
    ],
    [
      "an order whose outcome is unknown",
      {
        status: 503,
        error: "UPSTREAM_RESET",
        noRetry: "not_idempotent",
        attempts: [attempt({ outcome: "reset", status: 0, durationMs: 60 })],
      },
      "attempt 1 10.0.0.3:4001 reset after 60 ms; UPSTREAM_RESET: it may have been carried out, and doing it twice would be wrong; the caller got 503 after 3.5 ms; mesh cost 4.2 us",
    ],
    [
      "a retry for which there was no room",
      { status: 503, error: "UPSTREAM_RESET", noRetry: "retry_budget", attempts: [attempt({ outcome: "reset" })] },
      "attempt 1 10.0.0.3:4001 reset after 3 ms; UPSTREAM_RESET: as many retries as policy allows were under way; the caller got 503 after 3.5 ms; mesh cost 4.2 us",
    ],
    [
      "an open breaker with something to fall back on",
      { fallback: "stale", attempts: [] },
      "the breaker is open, so the last good answer was given; the caller got 200 after 3.5 ms; mesh cost 4.2 us",
    ],
    [
      "an abort on purpose",
      { status: 503, error: "FAULT_ABORTED", attempts: [], meshUs: 0 },
      "aborted on purpose, nothing was sent; the caller got 503 after 3.5 ms; mesh cost 0 us",
    ],
    [
      "a delay on purpose and a caller who waited long",
      { faultMs: 1_500, durationMs: 1_503 },
      "delayed on purpose by 1.5 s; attempt 1 10.0.0.3:4001 ok after 3 ms; the caller got 200 after 1.5 s; mesh cost 4.2 us",
    ],
  ])("tells %s", (_, given, story) => {
    expect(requestStory("web", request(given))).toBe(`GET http://reviews/reviews/1 from web: ${story}`);
  });

  it("names the route when policy named one", () => {
    expect(requestStory("web", request({ route: "canary" }))).toContain("from web, route canary:");
  });
});

describe("isEventful", () => {
  it.each<[string, Partial<RequestView>, boolean]>([
    ["plain success", {}, false],
    ["a client's mistake", { status: 404 }, false],
    ["an answer 503", { status: 503 }, true],
    ["a second attempt", { attempts: [refused, second] }, true],
    ["a replay", { replayed: true }, true],
    ["an answer in place of the one asked for", { fallback: "response" }, true],
  ])("%s", (_, given, expected) => expect(isEventful(request(given))).toBe(expected));

  it("tells what policy would have done, where it is only observed", () => {
    const would: WouldView = {
      ...{
        text: "aborted on purpose with 503",
        outcome: "aborted" as const,
        status: 503,
        virtualHost: "",
        route: "",
        resource: "",
      },
      ...{ cluster: "", delayMs: 0, timeoutMs: 0, timedOut: false, retried: false, setHeaders: [], removedHeaders: [] },
      ...{ path: "", authority: "" },
    };
    expect(requestStory("web", request({ would }))).toContain(
      "; with policy on: aborted on purpose with 503; mesh cost",
    );
    expect(isEventful(request({ would }))).toBe(true);
    expect(requestStory("web", request({ would: { ...would, text: "the same" } }))).not.toContain("with policy on");
    expect(isEventful(request({ would: { ...would, status: 0 } }))).toBe(false);
  });
});
