import { describe, expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const LEDGER = {
  ...{ meshMs: 0.2, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 1, tlsMs: 0, waitMs: 80, bodyMs: 1, backoffMs: 20 },
  stallMs: 0,
};
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const BASE = {
  ...{ method: "GET", scheme: "http", authority: "web", path: "/books/1", protocol: "HTTP/1.1", status: 503 },
  ...{ grpcStatus: -1, failed: true, flags: "-", details: "", code: "", message: "", requestId: "r-1", traceId: TRACE },
  ...{
    spanId: "",
    parentSpanId: "",
    attemptOf: 0,
    ledger: LEDGER,
    attempts: [],
    attemptCount: 0,
    noRetry: "",
    peer: "",
  },
  ...{ httpRoute: "", policy: "", route: "", host: "", remoteAddress: "127.0.0.1:5", wallMs: 1_700_000_000_000 },
};
const SERVED = { ...BASE, direction: "inbound", durationMs: 110, httpRoute: "/books/:id" };
const ATTEMPT = {
  ...{ number: 1, endpoint: "10.1.0.7:9080", version: "v1", startMs: 0, durationMs: 12, status: 0, reused: true },
  ...{ code: "UPSTREAM_RESET", outcome: "reset", ledger: { ...LEDGER, waitMs: 11, backoffMs: 0 } },
};
const CALLED = {
  ...{ ...BASE, direction: "outbound", authority: "reviews", path: "/api/1", wallMs: BASE.wallMs + 1, durationMs: 103 },
  ...{ host: "reviews.shop.svc.cluster.local", route: "canary", code: "UPSTREAM_RESET", flags: "UC", attemptCount: 2 },
  message: "GET http://reviews/api/1: the connection ended (UPSTREAM_RESET)",
  ...{ noRetry: "attempts_exhausted", attempts: [ATTEMPT, { ...ATTEMPT, number: 2, startMs: 32 }] },
};
const REVIEWS = {
  ...BASE,
  direction: "inbound",
  path: "/api/1",
  wallMs: BASE.wallMs + 34,
  durationMs: 9,
  attemptOf: 2,
};

const dumpOf = (outcomes: readonly object[], at = 5) =>
  [
    {
      format: "inmesh-recorder-1",
      namespace: "shop",
      service: "reviews",
      instance: "reviews-9",
      pid: 1,
      cause: "crash",
      reason: "boom",
      at,
    },
    ...outcomes,
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join("");

describe("inmesh why", () => {
  it("joins running processes and dumps into one story, and says why", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/.keep", "");
    folder.write("state/0123/recorder/reviews-1-crash.jsonl", dumpOf([REVIEWS]));
    folder.write("state/0123/policy.jsonl", "not a dump");
    const env = { INMESH_STATE_DIR: `${cwd}/state` };
    await using web = await FakeProcess.start(`${cwd}/mesh`, {}, { "/outcomes": { outcomes: [CALLED, SERVED] } });
    const { code, stdout } = await runCli(["why", TRACE], { cwd, env });
    expect([code, web.asked]).toEqual([0, ["/outcomes"]]);
    expect(stdout).toBe(
      [
        `2023-11-14T22:13:20.000Z  trace ${TRACE}  request r-1`,
        "shop/web-1 served GET /books/1 (route /books/:id) from 127.0.0.1:5: 503 after 110ms",
        "└ shop/web-1 called GET http://reviews/api/1 (rule canary): 503 UPSTREAM_RESET UC after 103ms, 2 attempts, not tried again: attempts exhausted",
        "     mesh 0.2ms, connect 1ms, wait 80ms, body 1ms, back-off 20ms",
        "  ├ attempt 1 to 10.1.0.7:9080 (v1): reset after 12ms, on a connection kept open: mesh 0.2ms, connect 1ms, wait 11ms, body 1ms",
        "  └ attempt 2 to 10.1.0.7:9080 (v1): reset after 12ms, begun at 32ms, on a connection kept open: mesh 0.2ms, connect 1ms, wait 11ms, body 1ms",
        "    └ shop/reviews-9 served GET /api/1 from 127.0.0.1:5: 503 after 9ms [from its dump: it crashed]",
        "why  The application of shop/reviews-9 answered GET /api/1 with 503: look at its log; no call that it made failed. shop/reviews-9 crashed afterwards: this is what it remembered.",
        "",
      ].join("\n"),
    );
    // The same by request id, and as the last error of all.
    expect((await runCli(["why", "r-1"], { cwd, env })).stdout).toBe(stdout);
    expect((await runCli(["why"], { cwd, env })).stdout).toBe(stdout);
    const { processes, verdict } = (await runCli(["why", TRACE, "-o", "json"], { cwd, env })).json<{
      processes: string[];
      verdict: { ok: boolean };
    }>();
    expect([processes, verdict.ok]).toEqual([["shop/reviews-9", "shop/web-1"], false]);
  });

  it("lets nothing of the wire write on the terminal, and reads a dump it is given", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/.keep", "");
    folder.write("given.jsonl", dumpOf([{ ...REVIEWS, path: "/\u001b[2J", message: "\u001b]0;x" }]));
    const env = { INMESH_STATE_DIR: `${cwd}/state` };
    const { code, stdout } = await runCli(["why", TRACE, "--dump", `${cwd}/given.jsonl`], { cwd, env });
    expect([code, stdout.includes("\u001b")]).toEqual([0, false]);
  });

  it("says when nobody remembers", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/.keep", "");
    const env = { INMESH_STATE_DIR: `${cwd}/state` };
    const unknown = await runCli(["why", "nobody"], { cwd, env });
    expect([unknown.code, unknown.stderr]).toEqual([
      1,
      expect.stringContaining('no process remembers a request with the id "nobody"'),
    ]);
    const none = await runCli(["why"], { cwd, env });
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringContaining("no process remembers a request that failed"),
    ]);
  });
});
