import { describe, expect, it } from "vitest";
import type { OutcomeAttemptView, OutcomeView } from "./outcome-view.js";
import { type RememberedOutcome, traceStory } from "./trace-story.js";

const NOTHING = {
  ...{ meshMs: 0, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 0, bodyMs: 0, backoffMs: 0 },
  stallMs: 0,
};
const REVIEWS = "reviews.shop.svc.cluster.local";

function outcome(more: Partial<OutcomeView>): OutcomeView {
  return {
    ...{ direction: "inbound", wallMs: 1_000, durationMs: 100, method: "GET", scheme: "http", authority: "web" },
    ...{ path: "/books/1", protocol: "HTTP/1.1", status: 200, grpcStatus: -1, failed: false, flags: "-", details: "" },
    ...{ code: "", message: "", requestBytes: 0, responseBytes: 0, requestId: "", traceId: "t", spanId: "" },
    ...{ parentSpanId: "", attemptOf: 0, ledger: NOTHING, attempts: [], attemptCount: 0, noRetry: "", peer: "" },
    ...{ mtls: false, localAddress: "", remoteAddress: "", httpRoute: "", snapshot: 1, policy: "", route: "" },
    ...{ resource: "", cluster: "", host: "", subset: "" },
    ...more,
  };
}

function attempt(number: number, more: Partial<OutcomeAttemptView> = {}): OutcomeAttemptView {
  return {
    ...{ number, endpoint: `10.0.0.${number}:80`, version: "v1", startMs: 0, durationMs: 10, status: 200, code: "" },
    ...{ outcome: "answered 200", reused: false, ledger: NOTHING },
    ...more,
  };
}

const of = (name: string, made: Partial<OutcomeView>, dump = ""): RememberedOutcome => ({
  ...{ service: `shop/${name}`, process: `shop/${name}-1`, dump, outcome: outcome(made) },
});
const call = (made: Partial<OutcomeView>): Partial<OutcomeView> => ({
  ...{ direction: "outbound", authority: "reviews", host: REVIEWS, attemptCount: 1, attempts: [attempt(1)], ...made },
});

describe("the story of a request", () => {
  it("joins what was served and called, over processes, by time and by attempt", () => {
    const story = traceStory([
      of("reviews", { wallMs: 1_020, durationMs: 5, attemptOf: 2 }),
      of("web", call({ wallMs: 1_010, durationMs: 20, attempts: [attempt(1), attempt(2, { startMs: 9 })] })),
      of("web", { wallMs: 1_000, durationMs: 50 }),
    ]);
    expect(story?.roots).toHaveLength(1);
    const [root] = story?.roots ?? [];
    expect(root?.process).toBe("shop/web-1");
    expect(root?.calls[0]?.served).toMatchObject([{ attempt: 2, node: { process: "shop/reviews-1" } }]);
  });

  it("believes spans before times: clocks of two machines differ", () => {
    const story = traceStory([
      of("web", call({ wallMs: 1_000, durationMs: 20, spanId: "a".repeat(16) })),
      of("web", call({ wallMs: 9_000, durationMs: 20, spanId: "b".repeat(16) })),
      of("reviews", { wallMs: 9_005, durationMs: 5, parentSpanId: "a".repeat(16) }),
    ]);
    expect(story?.roots.map(({ outcome: { spanId }, served }) => [spanId[0], served.length])).toEqual([
      ["a", 1],
      ["b", 0],
    ]);
  });

  it("takes a span that everybody passes on as it came for nobody's", () => {
    const passed = { spanId: "b".repeat(16) };
    const story = traceStory([
      of("web", { wallMs: 1_000, durationMs: 50, ...passed, parentSpanId: passed.spanId }),
      of("web", call({ wallMs: 1_010, durationMs: 20, ...passed })),
      of("reviews", { wallMs: 1_020, durationMs: 5, ...passed, parentSpanId: passed.spanId }),
    ]);
    expect(story?.roots.map(({ process }) => process)).toEqual(["shop/web-1"]);
    expect(story?.roots[0]?.calls[0]?.served.map(({ node }) => node.process)).toEqual(["shop/reviews-1"]);
  });

  it("takes of several calls that passed one span on the one that went to the service", () => {
    const [ours, theirs] = ["a".repeat(16), "c".repeat(16)];
    const story = traceStory([
      of("web", call({ wallMs: 1_000, durationMs: 60, spanId: ours, host: "orders.shop.svc.cluster.local" })),
      of("orders", { wallMs: 1_005, durationMs: 50, spanId: ours, parentSpanId: ours }),
      of("orders", call({ wallMs: 1_010, durationMs: 30, spanId: ours })),
      of("reviews", { wallMs: 1_020, durationMs: 5, spanId: theirs, parentSpanId: ours }),
    ]);
    const [root] = story?.roots ?? [];
    expect(root?.served[0]?.node.calls[0]?.served[0]?.node.process).toBe("shop/reviews-1");
  });

  it("ends where a service calls itself", () => {
    const self = { host: "web.shop.svc.cluster.local" };
    const story = traceStory([
      of("web", { wallMs: 1_000, durationMs: 50 }),
      of("web", call({ wallMs: 1_010, durationMs: 30, ...self })),
      of("web", { wallMs: 1_012, durationMs: 20 }),
    ]);
    expect(story?.roots.map(({ outcome: { wallMs } }) => wallMs)).toEqual([1_000]);
    expect(story?.roots[0]?.calls[0]?.served[0]?.node.outcome.wallMs).toBe(1_012);
  });

  it("does not take somebody else's request for the one that was called", () => {
    const story = traceStory([of("web", call({})), of("ratings", { wallMs: 1_010 }), of("reviews", { wallMs: 9_000 })]);
    expect(story?.roots).toHaveLength(3);
  });

  it("counts what a ring and a dump both remember once", () => {
    const story = traceStory([of("web", {}, "breaker"), of("web", {})]);
    expect(story?.roots.map(({ dump }) => dump)).toEqual([""]);
    expect(traceStory([])).toBeUndefined();
  });

  it("finds where a failure began, and says who is to look", () => {
    const message = "attempt 1 to 10.0.0.1:80 could not connect (CONNECT_FAILED)";
    const failed = { failed: true, status: 503 };
    const story = traceStory([
      of("web", { ...failed, wallMs: 1_000, durationMs: 90 }),
      of("web", call({ ...failed, wallMs: 1_001, durationMs: 80 })),
      of("reviews", { ...failed, wallMs: 1_002, durationMs: 70 }),
      of(
        "reviews",
        call({
          ...failed,
          host: "ratings.shop.svc.cluster.local",
          wallMs: 1_003,
          durationMs: 60,
          message,
          code: "CONNECT_FAILED",
        }),
      ),
    ]);
    expect(story?.verdict).toMatchObject({
      ok: false,
      process: "shop/reviews-1",
      text: expect.stringMatching(/^attempt 1 to 10\.0\.0\.1:80 could not connect \(CONNECT_FAILED\)\./),
    });
    const own = traceStory([of("web", { ...failed, status: 500, httpRoute: "/books/:id" })]);
    expect(own?.verdict.text).toMatch(
      /^The application of shop\/web-1 answered GET \/books\/1 \(route \/books\/:id\) with 500: look at its log/,
    );
    const denied = traceStory([
      of("web", { ...failed, status: 403, code: "RBAC_DENIED", message: "not allowed", policy: "shop/only-web" }),
    ]);
    expect(denied?.verdict.text).toBe("shop/web-1 refused GET /books/1 by shop/only-web: not allowed (RBAC_DENIED).");
  });

  it.each([
    ["here", { stallMs: 90, waitMs: 95 }, /slow here: this process's event loop stood still for 90 ms of 100 ms/],
    ["there", { waitMs: 95 }, /slow there: 95 ms of 100 ms \(95%\) went by waiting for reviews/],
    [
      "network",
      { connectMs: 10, tlsMs: 70 },
      /80 ms of 100 ms \(80%\) went to the way to reviews\.shop\S+: the TLS handshake/,
    ],
    ["queue", { queueMs: 60 }, /60 ms .* waiting for a connection to reviews/],
    ["policy", { faultMs: 99 }, /99 ms .* asked for by policy: an injected delay/],
    ["policy", { backoffMs: 99 }, /back-off between attempts/],
    ["mixed", { waitMs: 30, connectMs: 30 }, /No single part took half of its 100 ms/],
  ] as const)("tells where the time went: %s", (where, parts, text) => {
    const story = traceStory([of("web", call({ ledger: { ...NOTHING, ...parts } }))]);
    expect(story?.verdict).toMatchObject({ ok: true, blame: { where } });
    expect(story?.verdict.text).toMatch(text);
  });

  it("tells the way from the other side, where that remembers, and follows the time down", () => {
    const slow = call({ wallMs: 1_000, ledger: { ...NOTHING, waitMs: 100 } });
    const quick = traceStory([of("web", slow), of("reviews", { wallMs: 1_001, durationMs: 5 })]);
    expect(quick?.verdict).toMatchObject({ process: "shop/web-1", blame: { where: "network", ms: 95 } });
    const stalled = { wallMs: 1_001, durationMs: 90, ledger: { ...NOTHING, stallMs: 80 } };
    const there = traceStory([of("web", slow), of("reviews", stalled)]);
    expect(there?.verdict).toMatchObject({ process: "shop/reviews-1", blame: { where: "here" } });
    expect(there?.verdict.text).toContain("event loop stood still for 80 ms of 90 ms");
  });
});
