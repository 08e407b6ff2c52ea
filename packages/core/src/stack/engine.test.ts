import { describe, expect, it } from "vitest";
import { InboundContext } from "../call/context.js";
import { MeshError } from "../errors.js";
import { settle } from "../runtime/fake-clock.js";
import { answers, cuts, inTurn, queues, refuses, resets, silent } from "../testing/behaviour.js";
import { type FakeRoute, fakeOutlier } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { ENTRY_ROLES } from "./outbound.js";

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";

describe("Engine", () => {
  it("carries a call to an endpoint and its answer to the caller", () => {
    const { clock, engine, send, network } = testEngine({ clusters: { reviews: [A] } });
    network.script(A, answers(200, { afterMs: 5, bodyMs: 3 }));
    const { call, exchange } = send("reviews", { path: "/api?x=1" });
    const cluster = engine.clusters.all()[0]!;
    expect([cluster.stats.inFlight, cluster.states[0]!.inFlight, network.open]).toEqual([1, 1, 1]);
    clock.advance(5);
    expect([call.answered, call.ended, cluster.states[0]!.inFlight]).toEqual([true, false, 1]); // held until the body's end
    clock.advance(3);
    expect(exchange.events).toEqual(["head 200", "end"]);
    expect([call.ended, call.status, call.error, call.noRetry]).toEqual([true, 200, undefined, undefined]);
    expect([call.endedAt - call.startedAt, network.open]).toEqual([8, 0]);
    expect(cluster.stats.read()).toMatchObject({ calls: 1, successes: 1, failures: 0, inFlight: 0 });
    expect([cluster.states[0]!.inFlight, cluster.states[0]!.attempts]).toEqual([0, 1]);
  });

  it.each([
    ["/a/../b?c=/../", "/b?c=/../"],
    ["/a%2e%61", "/a.a"],
    ["/a//b", "/a//b"],
    ["*", "*"],
    ["/a%00", "/a%00"], // Envoy would refuse it; that is the server's to do
  ])("routes and sends %s as %s", (path, sent) => {
    const { send, network } = testEngine({ clusters: { reviews: [A] } });
    send("reviews", { path });
    expect(network.written.map((attempt) => attempt.call.path)).toEqual([sent]);
  });

  it("answers a call before `start` has returned when the transport does", () => {
    const { send, network } = testEngine({ clusters: { reviews: [A] } });
    network.script(A, answers(204, { afterMs: 0 }));
    expect(send("reviews").exchange.events).toEqual(["head 204", "end"]);
  });

  it("runs 10,000 calls at once and is empty afterwards", () => {
    const { clock, engine, send, network } = testEngine({
      clusters: { reviews: Array.from({ length: 20 }, (_, n) => `10.0.0.${n}:80`) },
      hosts: { reviews: [{ timeoutMs: 10_000 }] },
    });
    network.script("*", (_, random) => answers(200, { afterMs: 1 + random.next() * 50, bodyMs: random.next() * 50 }));
    const calls = Array.from({ length: 10_000 }, () => send("reviews"));
    const [cluster] = engine.clusters.all();
    expect([cluster!.stats.inFlight, engine.wheel.size]).toEqual([10_000, 10_000]);
    const shares = cluster!.states.map(({ inFlight }) => inFlight);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(10); // of 500 each: power of two choices
    while (clock.pending > 0) clock.advance(5);
    expect(calls.every(({ exchange }) => exchange.events.join() === "head 200,end")).toBe(true);
    expect(cluster!.stats.read()).toMatchObject({ calls: 10_000, successes: 10_000, inFlight: 0 });
    expect(cluster!.states.map(({ inFlight }) => inFlight)).toEqual(Array(20).fill(0));
    expect([engine.wheel.size, network.open]).toEqual([0, 0]);
  });

  describe("without a destination", () => {
    const fails = (spec: Parameters<typeof testEngine>[0], host: string) => {
      const { engine, send } = testEngine(spec);
      const { call, exchange } = send(host, { path: "/a?token=secret" });
      return { engine, call, exchange, error: exchange.error as MeshError };
    };

    it("fails with ROUTE_NOT_FOUND when no rule matches", () => {
      const never = { matches: () => false, whyNot: () => "never", text: "never" };
      const { error, engine, call } = fails({ hosts: { reviews: [{ matches: [never] }] } }, "reviews");
      expect(error).toMatchObject({ code: "ROUTE_NOT_FOUND", status: 404, flag: "NR" });
      expect(error.message).toBe(
        'no route for GET http://reviews/a on "reviews:80": its only rule does not match. The call was not sent. See: inmesh explain GET http://reviews/a (ROUTE_NOT_FOUND)',
      );
      expect([engine.unrouted, call.status]).toEqual([1, 404]);
    });

    it("fails with CLUSTER_NOT_FOUND when the rule names a cluster that is not there", () => {
      const { error, engine } = fails({ hosts: { reviews: [{ to: "outbound|80|v9|reviews" }] } }, "reviews");
      expect(error).toMatchObject({ code: "CLUSTER_NOT_FOUND", status: 503, flag: "NC", route: "default" });
      expect(error.message).toContain('"outbound|80|v9|reviews"');
      expect([engine.unrouted, engine.clusters.all()]).toEqual([1, []]);
    });

    it("fails with NO_ENDPOINT when the cluster is empty, and counts it there", () => {
      const { error, engine } = fails({ clusters: { reviews: [] } }, "reviews");
      expect(error).toMatchObject({ code: "NO_ENDPOINT", status: 503, flag: "UH", cluster: "reviews" });
      expect(error.message).toBe(
        'no endpoint for "reviews" port 80: the registry has none for it. The call was not sent. See: inmesh endpoints reviews (NO_ENDPOINT)',
      );
      expect(engine.clusters.all()[0]!.stats.read()).toMatchObject({ calls: 1, failures: 1, inFlight: 0 });
      expect(engine.unrouted).toBe(0);
    });

    it("refuses an unknown host with 502 under REGISTRY_ONLY", () => {
      const { error, exchange } = fails({ outboundPolicy: "REGISTRY_ONLY" }, "example.org");
      expect(error).toMatchObject({ code: "HOST_UNKNOWN", status: 502 });
      expect(exchange.events).toEqual(["fail HOST_UNKNOWN"]);
    });

    it("passes an unknown host on untouched under ALLOW_ANY, and counts nothing", () => {
      const { exchange, engine, call } = fails({}, "example.org");
      expect([exchange.events, call.ended, engine.unrouted]).toEqual([["passThrough"], true, 0]);
      expect(engine.recorder.read()).toEqual([]);
    });

    it("tells adapters beforehand what it would do with a host", () => {
      const empty = testEngine();
      expect([empty.engine.waiting, empty.engine.refuses("unknown", 80)]).toEqual([true, false]);
      empty.publish({ clusters: { reviews: [A] }, outboundPolicy: "REGISTRY_ONLY" });
      expect([empty.engine.waiting, empty.engine.refuses("unknown", 80)]).toEqual([false, true]);
      expect(empty.engine.lookup("reviews", 80)?.name).toBe("reviews:80");
      expect(empty.engine.lookup("other", 80)).toBeUndefined();
    });
  });

  describe("before the first snapshot", () => {
    it("waits, then goes on", async () => {
      const { clock, send, publish } = testEngine();
      const { exchange, call } = send("reviews");
      await clock.advanceAsync(3_000);
      publish({ clusters: { reviews: [A] } });
      await clock.advanceAsync(10);
      expect(exchange.events).toEqual(["head 200", "end"]);
      expect(call.endedAt).toBeGreaterThanOrEqual(3_001);
      expect(clock.pending).toBe(0);
    });

    it("fails with CONFIG_UNAVAILABLE after 5 s", async () => {
      const { clock, engine, send } = testEngine();
      const { exchange } = send("reviews");
      await clock.advanceAsync(4_999);
      expect(exchange.events).toEqual([]);
      await clock.advanceAsync(1);
      expect(exchange.events).toEqual(["fail CONFIG_UNAVAILABLE"]);
      expect([engine.unrouted, clock.pending]).toEqual([1, 0]);
    });

    it("waits no longer than the inherited deadline", async () => {
      const { clock, engine, send } = testEngine();
      const { exchange } = engine.contexts.run(new InboundContext(1_000, []), () => send("reviews"));
      await clock.advanceAsync(1_010);
      expect(exchange.events).toHaveLength(1);
      expect(["fail CONFIG_UNAVAILABLE", "fail DEADLINE_EXCEEDED"]).toContain(exchange.events[0]);
      expect(clock.pending).toBe(0);
    });

    it("passes a host on untouched when the snapshot turns out not to know it", async () => {
      const { clock, send, publish } = testEngine();
      const { exchange } = send("example.org");
      publish({ clusters: { reviews: [A] } });
      await clock.advanceAsync(0);
      expect(exchange.events).toEqual(["passThrough"]);
    });

    it("lets the caller go at once", async () => {
      const { clock, send } = testEngine();
      const { call, exchange } = send("reviews");
      call.abort(new Error("enough"));
      expect([exchange.events, clock.pending]).toEqual([["fail Error"], 0]);
      await settle();
      expect(exchange.events).toHaveLength(1);
    });
  });

  describe("when the event loop stalls for 2 s", () => {
    const setup = () =>
      testEngine({
        clusters: { reviews: [A] },
        hosts: { reviews: [{ timeoutMs: 1_000, retry: { on: ["5xx"], perTryTimeoutMs: 500 } }] },
      });

    it("takes an answer that arrived meanwhile for an answer, not for a timeout", () => {
      const { clock, send, network } = setup();
      network.script(A, answers(200, { afterMs: 100 }));
      const { exchange, call } = send("reviews");
      clock.advance(10);
      clock.stall(2_000);
      clock.advance(50);
      expect([exchange.events, call.attempt!.endpoint.failures]).toEqual([["head 200", "end"], 0]);
    });

    it("ends what is still without an answer, one turn of the wheel later", () => {
      const { clock, engine, send, network } = setup();
      network.script(A, silent());
      const { exchange } = send("reviews");
      clock.advance(10);
      clock.stall(2_000);
      clock.advance(10);
      expect([exchange.events, engine.wheel.size]).toEqual([["fail TIMEOUT"], 0]);
    });

    describe("and policy judges endpoints", () => {
      const judging = (retry: FakeRoute = { retry: { on: ["5xx"], maxAttempts: 1, perTryTimeoutMs: 500 } }) =>
        testEngine({
          clusters: { reviews: { endpoints: [A], policy: { outlier: fakeOutlier() } } },
          hosts: { reviews: [retry] },
        });

      it.each([
        ["perTryTimeout", silent(), { retry: { on: ["5xx"], maxAttempts: 1, perTryTimeoutMs: 500 } }],
        ["the rule's timeout", silent(), { timeoutMs: 500 }],
        ["a connection that was reset", resets(1_000), {}],
        ["a connection that took too long to set up", refuses("UND_ERR_CONNECT_TIMEOUT", 1_000), {}],
      ])("blames nobody for %s", (_, behaviour, route) => {
        const { clock, send, network } = judging(route);
        network.script(A, behaviour);
        const { call, exchange } = send("reviews");
        clock.advance(10);
        clock.stall(2_000);
        clock.advance(10);
        expect([exchange.events.length, call.attempt!.endpoint.failures, call.attempt!.endpoint.refusals]).toEqual([
          1, 0, 0,
        ]);
      });

      it.each([
        ["an answer that says so", answers(503, { afterMs: 1_000 })],
        ["a closed port", refuses("ECONNREFUSED", 1_000)],
      ])("blames the endpoint for %s, however late it is read", (_, behaviour) => {
        const { clock, send, network } = judging({});
        network.script(A, behaviour);
        const { call } = send("reviews");
        clock.advance(10);
        clock.stall(2_000);
        clock.advance(10);
        expect(call.attempt!.endpoint.failures).toBe(1);
      });

      it("blames it for a timeout that a stall before the attempt has nothing to do with", () => {
        const { clock, send, network } = judging();
        network.script(A, answers());
        send("reviews");
        clock.stall(2_000);
        clock.advance(10);
        network.script(A, silent());
        const { call } = send("reviews");
        clock.advance(600);
        expect(call.attempt!.endpoint.failures).toBe(1);
      });
    });
  });

  it("blames no endpoint for what waited for a place among our own connections", () => {
    const { clock, send, network } = testEngine({
      clusters: { reviews: [A] },
      hosts: { reviews: [{ timeoutMs: 500 }] },
    });
    network.script(A, queues());
    const { call } = send("reviews");
    const { endpoint } = call.attempt!;
    call.attempt!.waits = true; // says the transport
    clock.advance(505);
    expect([call.status, endpoint.attempts, endpoint.failures]).toEqual([504, 1, 0]);
  });

  it("blames no endpoint for a lookup that failed here", () => {
    const { clock, send, network } = testEngine({ clusters: { reviews: [A] } });
    network.script(A, refuses("EAI_AGAIN"));
    const { call } = send("reviews");
    const { endpoint } = call.attempt!;
    clock.advance(1);
    expect([call.status, endpoint.attempts, endpoint.failures]).toEqual([503, 1, 0]);
  });

  it("does not care about jumps of wall time", () => {
    const { clock, send, network } = testEngine({
      clusters: { reviews: [A] },
      hosts: { reviews: [{ timeoutMs: 1_000 }] },
    });
    network.script(A, answers(200, { afterMs: 900 }));
    const { exchange, call } = send("reviews");
    clock.jumpWall(-86_400_000);
    clock.advance(500);
    clock.jumpWall(7 * 86_400_000);
    clock.advance(500);
    expect([exchange.events, call.endedAt - call.startedAt]).toEqual([["head 200", "end"], 900]);
  });

  describe("when policy changes under a running call", () => {
    it("keeps the snapshot, route and cluster it began with", async () => {
      const { clock, send, publish, network } = testEngine({
        clusters: { reviews: [A] },
        hosts: { reviews: [{ name: "old", retry: { on: ["connect-failure"], backoffBaseMs: 1 } }] },
      });
      network.script(A, inTurn(refuses("ECONNREFUSED", 10), answers(200, { afterMs: 20 })));
      const { call, exchange } = send("reviews");
      const { snapshot } = call;
      publish({ clusters: { reviews: [A] }, hosts: { reviews: [{ name: "new", to: "nowhere" }] } });
      expect([call.snapshot, call.route?.name]).toEqual([snapshot, "old"]);
      await clock.advanceAsync(100);
      expect([exchange.events, call.route?.name]).toEqual([["head 200", "end"], "old"]);
    });

    it("finishes on an endpoint that has left, and starts nothing there any more", () => {
      const removed: string[] = [];
      const { clock, engine, send, publish, network } = testEngine(
        { clusters: { reviews: [A] } },
        { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
      );
      network.script(A, answers(200, { afterMs: 50 }));
      const { call, exchange } = send("reviews");
      const state = call.attempt!.endpoint;
      publish({ clusters: { reviews: [B] } });
      expect([removed, state.removed, state.inFlight]).toEqual([[A], true, 1]);
      for (let n = 0; n < 20; n++) expect(send("reviews").call.attempt!.endpoint.endpoint.id).toBe(B);
      clock.advance(100);
      expect([exchange.events, state.inFlight]).toEqual([["head 200", "end"], 0]);
      expect(engine.clusters.all()[0]!.stats.inFlight).toBe(0);
    });

    it("keeps counters and load of endpoints that stay", () => {
      const { send, publish, network, engine } = testEngine({ clusters: { reviews: [A] } });
      network.script("*", silent());
      const { call } = send("reviews");
      publish({ clusters: { reviews: [A, B] } });
      const [cluster] = engine.clusters.all();
      expect(cluster!.states[0]).toBe(call.attempt!.endpoint);
      expect(cluster!.states[0]!.inFlight).toBe(1);
      for (let n = 0; n < 10; n++) send("reviews");
      expect(Math.abs(cluster!.states[0]!.inFlight - cluster!.states[1]!.inFlight)).toBeLessThanOrEqual(1);
    });

    it("starts a cluster on the newest endpoints even when the call is pinned to older policy", () => {
      const delayed = { delayRatio: 1, delayMs: 100, abortRatio: 0, abortStatus: 0 };
      const { clock, send, publish } = testEngine({
        clusters: { reviews: [A] },
        hosts: { reviews: [{ fault: delayed }] },
      });
      const { call } = send("reviews");
      publish({ clusters: { reviews: [B] } });
      clock.advance(100);
      expect(call.attempt!.endpoint.endpoint.id).toBe(B);
    });

    it("fails with NO_ENDPOINT, and tells of the attempt before, when nobody is left to retry on", async () => {
      const { clock, send, publish, network } = testEngine({
        clusters: { reviews: [A] },
        hosts: { reviews: [{ retry: { on: ["reset"] } }] },
      });
      network.script(A, resets(10));
      const { exchange } = send("reviews");
      clock.advance(10);
      publish({ clusters: {} });
      await clock.advanceAsync(200);
      expect(exchange.events).toEqual(["fail NO_ENDPOINT"]);
      expect((exchange.error as MeshError).message).toContain(`attempt 1 to ${A} lost its connection`);
      expect((exchange.error as MeshError).cause).toMatchObject({ code: "UPSTREAM_RESET" });
    });
  });

  describe("deadlines of an inbound request", () => {
    it("end the call, and blame no endpoint", () => {
      const { clock, engine, send, network } = testEngine({ clusters: { reviews: [A] } });
      network.script(A, silent());
      const { call, exchange } = engine.contexts.run(new InboundContext(100, []), () =>
        send("reviews", { path: "/a" }),
      );
      clock.advance(99);
      expect(call.ended).toBe(false);
      clock.advance(5);
      expect(exchange.events).toEqual(["fail DEADLINE_EXCEEDED"]);
      expect((exchange.error as MeshError).message).toBe(
        `GET http://reviews/a timed out after 100 ms (deadline of the inbound request it serves): attempt 1 to ${A} was still waiting for an answer after 100 ms. (DEADLINE_EXCEEDED)`,
      );
      expect([call.status, call.noRetry, call.attempt!.endpoint.failures]).toEqual([504, "deadline", 0]);
    });

    it("that passed already end it before anything is sent", () => {
      const { clock, engine, send, network } = testEngine({ clusters: { reviews: [A] } });
      clock.advance(500);
      const { exchange } = engine.contexts.run(new InboundContext(500, []), () => send("reviews"));
      expect(exchange.events).toEqual(["fail DEADLINE_EXCEEDED"]);
      expect((exchange.error as MeshError).message).toContain("no attempt was made");
      expect([network.written.length, engine.wheel.size, clock.pending]).toEqual([0, 0, 0]);
    });

    it("stand when the route's timeout is longer, and yield when it is shorter", () => {
      const { clock, engine, send, network } = testEngine({
        clusters: { reviews: [A] },
        hosts: { reviews: [{ timeoutMs: 200 }] },
      });
      network.script(A, silent());
      const inherited = engine.contexts.run(new InboundContext(100, []), () => send("reviews"));
      const own = engine.contexts.run(new InboundContext(300, []), () => send("reviews"));
      clock.advance(1_000);
      expect([inherited.exchange.events, own.exchange.events]).toEqual([["fail DEADLINE_EXCEEDED"], ["fail TIMEOUT"]]);
    });

    it("reach the callee as the time left, rounded down", () => {
      const { clock, engine, send, network } = testEngine({ clusters: { reviews: [A] } });
      engine.contexts.run(new InboundContext(100.7, []), () =>
        send("reviews", { headers: ["x-inmesh-timeout-ms", "9"] }),
      );
      expect(network.written[0]!.headers).toEqual(["x-inmesh-timeout-ms", "100"]);
      clock.advance(10);
    });
  });

  it("hands the inbound request's trace headers on unless the caller set its own", () => {
    const { engine, send, network } = testEngine({ clusters: { reviews: [A] } });
    const context = new InboundContext(Number.POSITIVE_INFINITY, ["traceparent", "00-a", "x-request-id", "r1"]);
    engine.contexts.run(context, () => send("reviews", { headers: ["X-Request-Id", "mine"] }));
    expect(network.written[0]!.headers).toEqual(["X-Request-Id", "mine", "traceparent", "00-a"]);
  });

  it.each([
    ["none of its own", [], ["traceparent", "00-aa-1-01", "tracestate", "v=1"]],
    ["one of the same trace", ["traceparent", "00-aa-2-01"], ["traceparent", "00-aa-2-01", "tracestate", "v=1"]],
    ["one of another trace", ["Traceparent", "00-bb-2-01"], ["Traceparent", "00-bb-2-01"]],
    ["one that cannot be read", ["traceparent", "x"], ["traceparent", "x"]],
    [
      "its own of both",
      ["traceparent", "00-aa-2-01", "tracestate", "w=2"],
      ["traceparent", "00-aa-2-01", "tracestate", "w=2"],
    ],
  ])(
    "sends the inbound tracestate beside the traceparent of its trace only; the caller has %s",
    (_, headers, expected) => {
      const { engine, send, network } = testEngine({ clusters: { reviews: [A] } });
      const inbound = ["traceparent", "00-aa-1-01", "tracestate", "v=1"];
      const context = new InboundContext(Number.POSITIVE_INFINITY, inbound);
      engine.contexts.run(context, () => send("reviews", { headers }));
      expect(network.written[0]!.headers).toEqual(expected);
    },
  );

  it("removes headers by which an application would speak for the mesh", () => {
    const { send, network } = testEngine({ clusters: { reviews: [A] } });
    send("reviews", {
      headers: ["X-Envoy-Retry-On", "5xx", "a", "b", "x-inmesh-timeout-ms", "1", "x-envoy-attempt-count", "7"],
    });
    expect(network.written[0]!.headers).toEqual(["a", "b"]);
  });

  it("breaks an answer off when its body does, and tries nothing again", async () => {
    const { clock, send, network } = testEngine({
      clusters: { reviews: [A, B] },
      hosts: { reviews: [{ retry: { on: ["5xx", "reset"] } }] },
    });
    network.script("*", cuts(200));
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(1_000);
    expect(exchange.events).toEqual(["head 200", "fail RESPONSE_TRUNCATED"]);
    expect([call.noRetry, call.attempts, call.status]).toEqual(["answer_begun", 1, 200]);
  });

  it("calls observers once per call, and still answers when one throws", () => {
    const { clock, engine, send } = testEngine({ clusters: { reviews: [A] } });
    const seen: number[] = [];
    engine.observe({ callEnded: ({ status }) => seen.push(status) });
    engine.observe({
      callEnded() {
        throw new Error("observer");
      },
    });
    const { exchange } = send("reviews");
    expect(() => clock.advance(10)).toThrow("observer");
    expect([seen, exchange.events]).toEqual([[200], ["head 200", "end"]]);
    expect(engine.clusters.all()[0]!.stats.inFlight).toBe(0);
  });

  it("fails a call whose request the transport will not take, and blames no endpoint", () => {
    const { engine, prepare } = testEngine({ clusters: { reviews: [A] } });
    const { call, exchange } = prepare("reviews");
    exchange.send = () => {
      throw new TypeError("invalid header");
    };
    engine.start(call);
    expect(exchange.events).toEqual(["fail TypeError"]);
    const [state] = engine.clusters.all()[0]!.states;
    expect([state!.inFlight, state!.failures, state!.ejectedUntil]).toEqual([0, 0, 0]);
  });

  it("keeps the records of the last 256 calls, which show no call and no span any more", () => {
    const { clock, engine, send } = testEngine({ clusters: { reviews: [A] } });
    for (let n = 0; n < 400; n++) send("reviews", { path: `/${n}` });
    clock.advance(10);
    const kept = engine.recorder.read();
    expect([kept.length, kept[0]!.path, kept.at(-1)!.path]).toEqual([256, "/399", "/144"]);
    expect(engine.recorder.read(2).map(({ path }) => path)).toEqual(["/399", "/398"]);
    for (const { call, span } of kept) expect([call, span]).toEqual([undefined, undefined]);
  });

  it("lists the stages of a route in order", () => {
    const { engine } = testEngine({
      clusters: { reviews: [A] },
      hosts: {
        reviews: [
          {
            timeoutMs: 3_000,
            retry: { on: ["5xx"], perTryTimeoutMs: 500 },
            fault: { delayRatio: 0.1, delayMs: 5, abortRatio: 0.2, abortStatus: 503 },
          },
        ],
      },
    });
    const stages = engine.describe(engine.lookup("reviews", 80)!.routes[0]!);
    expect(stages.slice(ENTRY_ROLES.length).map(({ role, parameters }) => `${role}: ${parameters}`)).toEqual([
      "fault: delay 5 ms of 10%, abort 503 of 20%",
      "destination: reviews 1/1",
      "timeout: 3000 ms",
      "retry: 3 attempts on 5xx",
      "drops: ",
      "breaker: ",
      "limit: ",
      "pick: ",
      "perTryTimeout: 500 ms",
      "send: ",
    ]);
  });

  it("does not share anything with another engine", () => {
    const one = testEngine({ clusters: { reviews: [A] } });
    const other = testEngine({ clusters: { reviews: [B] } });
    one.send("reviews");
    expect(other.engine.clusters.all()).toEqual([]);
    expect(other.send("reviews").call.attempt!.endpoint.endpoint.id).toBe(B);
  });

  it("hears no more snapshots after close, and gives up its endpoints", () => {
    const removed: string[] = [];
    const { engine, send, publish } = testEngine(
      { clusters: { reviews: [A] } },
      { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
    );
    send("reviews");
    engine.close();
    publish({ clusters: { reviews: [B] } });
    expect([removed, engine.clusters.all()]).toEqual([[A], []]);
  });
});

it("MeshError is what calls fail with", () => {
  const { send } = testEngine({ clusters: { reviews: [] } });
  expect(send("reviews").exchange.error).toBeInstanceOf(MeshError);
});
