import type { AdmissionPolicy, MatchRequest, Priority, RateLimitPolicy, ServerPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import { fakeSnapshot } from "../testing/fake-snapshot.js";
import { Admitted, Gate } from "./gate.js";
import type { Rejection } from "./rejection.js";

const ADMISSION: AdmissionPolicy = {
  ...{ maxConcurrency: 0, maxLoopDelayMs: 0, priorities: [], priorityHeader: "" },
  resource: { resource: { kind: "Resilience", namespace: "shop", name: "web" }, path: "spec.server" },
};

function limit(requests: number, matches: RateLimitPolicy["matches"] = () => true): RateLimitPolicy {
  return {
    ...{ name: "shop/web/all", matches, keys: [], requests, perMs: 1e9, burst: requests },
    resource: { resource: { kind: "RateLimit", namespace: "shop", name: "web" }, path: "spec.rules[0]" },
  };
}

function request(path = "/", headers: Record<string, string> = {}, method = "GET"): MatchRequest {
  return { method, path, authority: "web", scheme: "http", header: (name) => headers[name] };
}

const critical = { priority: "critical" as Priority, matches: ({ path }: MatchRequest) => path === "/pay" };
const sheddable = { priority: "sheddable" as Priority, matches: ({ path }: MatchRequest) => path === "/report" };

function gate(admission: Partial<AdmissionPolicy> | undefined, rateLimits: readonly RateLimitPolicy[] = []) {
  const clock = new FakeClock();
  const said: string[] = [];
  const made = new Gate({ clock, random: seededRandom(1), onShedding: (message) => said.push(message) });
  const publish = (server: ServerPolicy) => made.update(fakeSnapshot({ server }));
  publish({ rateLimits, ...(admission && { admission: { ...ADMISSION, ...admission } }) });
  const enter = (asked = request()) => made.enter(asked, "10.0.0.1", clock.now());
  const refusal = (asked?: MatchRequest): Rejection | undefined => {
    const entered = enter(asked);
    return entered instanceof Admitted ? undefined : entered;
  };
  /** As many as are let in, and stay. */
  const fill = (asked?: MatchRequest): Admitted[] => {
    const all: Admitted[] = [];
    for (let entered = enter(asked); entered instanceof Admitted; entered = enter(asked)) all.push(entered);
    return all;
  };
  return { clock, said, gate: made, publish, enter, refusal, fill };
}

/** With a limit that is found, and so many at a time that are answered together. */
function adaptive() {
  const made = gate({ adaptive: { minConcurrency: 2, maxConcurrency: 40 } });
  const round = (count: number, status: number, ms: number) => {
    const all = Array.from({ length: count }, () => made.enter()).filter((each) => each instanceof Admitted);
    made.clock.advance(ms);
    for (const each of all) each.end(status, made.clock.now());
  };
  return { ...made, round };
}

function header({ headers }: Rejection, name: string): string | undefined {
  const at = headers.findIndex((each, index) => index % 2 === 0 && each.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}

describe("a gate", () => {
  it("is closed off while policy asks nothing, and after it was taken back", () => {
    const { gate: it, publish, clock } = gate(undefined);
    expect([it.active, it.read()]).toEqual([false, undefined]);
    publish({ rateLimits: [], admission: { ...ADMISSION, maxLoopDelayMs: 50 } });
    expect([it.active, clock.pending]).toEqual([true, 1]);
    it.update(undefined);
    expect([it.active, clock.pending]).toEqual([false, 0]);
  });

  it("turns away at 80 % of a limit, at it, and at 120 %, by priority", () => {
    const { fill, refusal, gate: it } = gate({ maxConcurrency: 10, priorities: [critical, sheddable] });
    const first = fill(request("/report"));
    expect(first).toHaveLength(8);
    expect(fill(request("/"))).toHaveLength(2);
    expect(fill(request("/pay"))).toHaveLength(2);
    const { status, code, body } = refusal(request("/pay"))!; // it was full for `fill`
    expect([status, code]).toEqual([503, "OVERLOADED"]);
    expect(body).toBe(
      "overload\nrequests being served: 12, maxConcurrency: 10: a request of priority critical is turned away before it began, so it may be sent to another endpoint (OVERLOADED)",
    );
    for (const each of first) {
      each.end(200, 0);
      each.end(200, 0); // counts once
    }
    expect(it.read()?.admission).toMatchObject({
      inFlight: 4,
      admitted: 12,
      refused: { sheddable: 1, default: 1, critical: 2 },
      reasons: { maxConcurrency: 4, adaptiveConcurrency: 0, maxEventLoopDelay: 0 },
    });
    expect(fill(request("/report"))).toHaveLength(4);
  });

  it("tells callers in the mesh that the application has not seen what was shed, and when to come back", () => {
    const { fill, refusal } = gate({ maxConcurrency: 1 });
    fill();
    const shed = refusal()!;
    expect([header(shed, "x-inmesh-not-processed"), header(shed, "x-envoy-overloaded")]).toEqual(["true", "true"]);
    expect([header(shed, "retry-after"), header(shed, "x-inmesh-error")]).toEqual(["1", "OVERLOADED"]);
  });

  it("says nothing of the kind to whom a rate limit turned away: elsewhere the limit is the same", () => {
    const { fill, refusal } = gate({ maxConcurrency: 1 }, [limit(1)]);
    fill();
    const limited = refusal()!;
    expect([limited.status, header(limited, "x-envoy-ratelimited")]).toEqual([429, "true"]);
    expect(header(limited, "x-inmesh-not-processed")).toBeUndefined();
    expect(header(limited, "retry-after")).toBe("1000000");
  });

  it("gives tokens back to a request that is shed", () => {
    const { fill, refusal } = gate({ maxConcurrency: 1 }, [limit(3)]);
    const [first] = fill();
    for (let index = 0; index < 50; index++) expect(refusal()?.code).toBe("OVERLOADED");
    first!.end(200, 0);
    expect(fill()).toHaveLength(1);
  });

  it("turns away while the event loop is late, the sheddable first and the critical last", () => {
    const { clock, refusal } = gate({ maxLoopDelayMs: 100, priorities: [critical, sheddable] });
    const late = (ms: number) => {
      for (let index = 0; index < 3; index++) {
        clock.stall(20 + ms);
        clock.advance(0);
      }
      return [request("/report"), request("/"), request("/pay")].map((asked) => refusal(asked)?.code);
    };
    const no = "OVERLOADED";
    expect(late(70)).toEqual([undefined, undefined, undefined]);
    expect(late(90)).toEqual([no, undefined, undefined]);
    expect(late(110)).toEqual([no, no, undefined]);
    expect(late(130)).toEqual([no, no, no]);
    expect(late(0)).toEqual([undefined, undefined, undefined]);
  });

  it("finds a limit by itself, and shows it", () => {
    const { enter, gate: it, round } = adaptive();
    for (let index = 0; index < 10; index++) round(20, 200, 100);
    expect(it.read()?.admission).toMatchObject({ adaptiveLimit: 40, baselineMs: 100 });
    for (let index = 0; index < 3; index++) round(20, 200, 2_000);
    const { adaptiveLimit } = it.read()!.admission!;
    expect(adaptiveLimit).toBeLessThan(30);
    for (let index = 0; index < adaptiveLimit!; index++) expect(enter()).toBeInstanceOf(Admitted);
    expect(enter()).toMatchObject({ code: "OVERLOADED" });
  });

  it("believes slowness of failures and of callers that left, and never their quickness", () => {
    const { gate: it, round } = adaptive();
    for (let index = 0; index < 10; index++) round(20, 200, 100);
    for (let index = 0; index < 10; index++) round(20, index % 2 === 0 ? 500 : 0, 1);
    expect(it.read()?.admission).toMatchObject({ adaptiveLimit: 40, baselineMs: 100 });
    for (let index = 0; index < 3; index++) round(20, index % 2 === 0 ? 500 : 0, 2_000);
    expect(it.read()?.admission?.adaptiveLimit).toBeLessThan(30);
  });

  it.each([
    ["GET", "/healthz", true],
    ["HEAD", "/readyz?verbose", true],
    ["GET", "/health/live", true],
    ["POST", "/grpc.health.v1.Health/Check", true],
    ["GET", "/grpc.health.v1.Health/Check", false],
    ["POST", "/healthz", false],
    ["GET", "/healthz/../pay", false],
    ["GET", "/health/secrets", false],
  ])("lets %s %s pass whatever there is to do: %s", (method, path, passes) => {
    const { fill, refusal, gate: it } = gate({ maxConcurrency: 1 }, [limit(1)]);
    fill();
    for (let index = 0; index < 3; index++) expect(refusal(request(path, {}, method)) === undefined).toBe(passes);
    expect(it.read()?.admission?.inFlight).toBe(1);
  });

  it("lets pass the path of the health check that policy has for this service", () => {
    const { gate: it, clock } = gate({ maxConcurrency: 1 });
    const host = "web.shop.svc.cluster.local";
    const name = `outbound|80||${host}`;
    const check = { kind: "http" as const, path: "/am/i/well?deep=1", authority: "", statuses: [], port: 0 };
    const healthCheck = { ...check, intervalMs: 1, timeoutMs: 1, unhealthyThreshold: 1, healthyThreshold: 1 };
    const snapshot = fakeSnapshot({
      server: { rateLimits: [], admission: { ...ADMISSION, maxConcurrency: 1 } },
      clusters: { [name]: { host, endpoints: ["10.0.0.1:80"], policy: { healthCheck } } },
    });
    it.update({ ...snapshot, client: { namespace: "shop", service: "web", labels: {} } });
    expect(it.enter(request(), "", clock.now())).toBeInstanceOf(Admitted);
    expect(it.enter(request("/am/i/well"), "", clock.now())).toBeUndefined();
    expect(it.enter(request("/am/i/not"), "", clock.now())).toMatchObject({ status: 503 });
  });

  it("says once when it begins to turn away, and once when that is over", () => {
    const { clock, said, fill, refusal, gate: it } = gate({ maxConcurrency: 1 });
    const [first] = fill();
    for (let index = 0; index < 100; index++) {
      refusal();
      clock.advance(100);
    }
    expect(said).toEqual(["maxConcurrency turns requests away: requests being served: 1, maxConcurrency: 1"]);
    first!.end(200, clock.now());
    clock.advance(3_000);
    clock.advance(3_000);
    expect(said.slice(1)).toEqual(["maxConcurrency turns no more requests away: it was 101 in 10 s"]);
    clock.advance(10_000);
    expect([clock.pending, said.length]).toEqual([0, 2]);
    it.close();
  });
});

describe("priority", () => {
  const named = { maxConcurrency: 10, priorityHeader: "x-priority", priorities: [critical] };
  const carried = (policy: Partial<AdmissionPolicy>, asked: MatchRequest) => {
    const entered = gate(policy).enter(asked);
    return entered instanceof Admitted ? entered.carried : undefined;
  };

  it.each<[string, MatchRequest, readonly string[]]>([
    ["what the caller said", request("/", { "x-priority": "Sheddable" }), ["x-priority", "sheddable"]],
    [
      "what the server says, over the caller",
      request("/pay", { "x-priority": "sheddable" }),
      ["x-priority", "critical"],
    ],
    ["what the server says", request("/pay"), ["x-priority", "critical"]],
    ["default for what is no priority", request("/", { "x-priority": "root" }), ["x-priority", "default"]],
    ["nothing where nothing was said", request("/"), []],
  ])("goes on with the calls: %s", (_, asked, expected) => {
    expect(carried(named, asked)).toEqual(expected);
  });

  it("is believed of no header that policy does not name", () => {
    const { fill, gate: it } = gate({ maxConcurrency: 10, priorities: [] });
    expect(fill(request("/", { "x-priority": "critical" }))).toHaveLength(10);
    expect(it.read()?.admission?.refused).toMatchObject({ default: 1, critical: 0 });
    expect(carried({ maxConcurrency: 10 }, request("/", { "x-priority": "critical" }))).toEqual([]);
  });
});
