import type { HealthCheckPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { answers } from "../testing/behaviour.js";
import { fakeOutlier } from "../testing/fake-snapshot.js";
import { type TestEngineOptions, testEngine } from "../testing/test-engine.js";
import type { HealthFinding } from "./health-prober.js";

const IDS = ["10.0.0.1:80", "10.0.0.2:80"];
const POLICY: HealthCheckPolicy = {
  ...{ kind: "http", path: "/healthz", authority: "", statuses: [[200, 299]], port: 0 },
  ...{ intervalMs: 5_000, timeoutMs: 1_000, unhealthyThreshold: 3, healthyThreshold: 2 },
};
const WELL: HealthFinding = { well: true, found: "200" };
const ILL: HealthFinding = { well: false, found: "503" };

function setup(policy: Partial<HealthCheckPolicy> = {}, rest = {}, options: TestEngineOptions = {}) {
  const said: string[] = [];
  /** Endpoints asked, in order. */
  const asked: string[] = [];
  const askedAt: number[] = [];
  /** What each would say; without: nothing ever. */
  const findings = new Map<string, HealthFinding>(IDS.map((id) => [id, WELL]));
  let open = 0;
  let givenUp = 0;
  const specOf = (healthCheck: HealthCheckPolicy | undefined, ids: readonly string[] = IDS) => ({
    clusters: { pay: { endpoints: ids, policy: { ...(healthCheck && { healthCheck }), ...rest } } },
  });
  const test = testEngine(specOf({ ...POLICY, ...policy }), {
    onHealth: (message) => said.push(message),
    healthProber: {
      open({ of }) {
        open += 1;
        return {
          ask(done) {
            const { id } = of.endpoint;
            asked.push(id);
            askedAt.push(test.clock.now());
            const finding = findings.get(id);
            if (finding !== undefined) test.clock.after(10, () => done(finding));
            return () => {
              givenUp += 1;
            };
          },
          close() {
            open -= 1;
          },
        };
      },
    },
    ...options,
  });
  const { send, clock, engine } = test;
  const call = () => {
    const { exchange } = send("pay");
    clock.advance(1);
    return exchange.attempts[0]?.endpoint.endpoint.id;
  };
  const calls = () => new Set(Array.from({ length: 40 }, call));
  const states = () => engine.clusters.all()[0]!.states;
  const change = (next: Partial<HealthCheckPolicy> | undefined, ids?: readonly string[]) =>
    test.publish(specOf(next && { ...POLICY, ...next }, ids));
  return {
    ...test,
    said,
    asked,
    askedAt,
    findings,
    specOf,
    call,
    calls,
    states,
    change,
    openNow: () => open,
    stopped: () => givenUp,
  };
}

describe("health checks", () => {
  it("ask nobody before the cluster is called, then every endpoint in its interval, up to a tenth earlier or later", () => {
    const { clock, asked, askedAt, call } = setup();
    clock.advance(60_000);
    expect(asked).toEqual([]);
    call();
    clock.advance(1_100);
    expect([...asked].sort()).toEqual(IDS);
    clock.advance(60_000);
    for (const id of IDS) {
      const times = askedAt.filter((_, index) => asked[index] === id);
      const gaps = times.slice(1).map((at, index) => at - times[index]!);
      expect(gaps.length).toBeGreaterThan(10);
      expect(gaps.every((ms) => ms >= 4_500 && ms <= 5_550)).toBe(true);
      expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(3);
    }
  });

  it("leave an endpoint out after so many failures in a row, and take it back after so many successes", () => {
    const { clock, findings, call, calls, states, said } = setup();
    call();
    findings.set(IDS[0]!, ILL);
    clock.advance(11_000); // at least two
    expect(states()[0]!.unhealthy).toBe(states()[0]!.health!.failures >= 3);
    clock.advance(6_000);
    expect(calls()).toEqual(new Set([IDS[1]]));
    expect(said).toEqual(["10.0.0.1:80 of pay is out: 3 health checks in a row failed: 503"]);
    findings.set(IDS[0]!, WELL);
    while (states()[0]!.health!.successes === 0) clock.advance(500);
    expect(calls()).toEqual(new Set([IDS[1]]));
    clock.advance(6_000);
    expect(calls()).toEqual(new Set(IDS));
    expect(said.at(-1)).toBe("10.0.0.1:80 of pay is in use again");
    const [back, other] = states();
    expect(back!.since - other!.since).toBeGreaterThan(17_000); // it warms up anew, where policy has that
  });

  it("count a check that is not answered in time, and give it up", () => {
    const { clock, findings, call, states, stopped } = setup({ unhealthyThreshold: 1 });
    findings.delete(IDS[0]!);
    call();
    clock.advance(2_100);
    expect(states()[0]!.health).toMatchObject({ failures: 1, found: "no answer within 1000 ms" });
    expect([states()[0]!.unhealthy, stopped()]).toEqual([true, 1]);
  });

  it("count nothing that came late because this process stood still", () => {
    const { clock, findings, call, states, asked } = setup({ unhealthyThreshold: 1, timeoutMs: 2_500 });
    findings.delete(IDS[0]!);
    findings.delete(IDS[1]!);
    call();
    while (asked.length < 2) clock.advance(50);
    clock.stall(3_000);
    clock.advance(1);
    expect(states().map(({ health }) => health!.checks)).toEqual([0, 0]);
  });

  it("have all endpoints used while fewer than half are well, where no outlierDetection says another share", () => {
    const { clock, findings, call, calls, said } = setup({ unhealthyThreshold: 1 });
    call();
    for (const id of IDS) findings.set(id, ILL);
    clock.advance(7_000);
    expect(calls()).toEqual(new Set(IDS));
    expect(said.at(-1)).toBe("only 0 of 2 endpoints of pay are well: all are used");
  });

  it("go with outlierDetection: minHealthPercent 0 answers 503, and its limits and endings are its own", () => {
    const outlier = fakeOutlier({
      consecutiveErrors: 1,
      maxEjectionRatio: 0.5,
      intervalMs: 1_000,
      baseEjectionMs: 1_000,
    });
    const { clock, findings, network, call, calls, send, states } = setup({ unhealthyThreshold: 1 }, { outlier });
    network.script("*", answers(500));
    call();
    const out = () =>
      states()
        .filter(({ outlierUntil }) => outlierUntil > clock.now())
        .map(({ endpoint }) => endpoint.id);
    expect(out()).toHaveLength(1);
    const [ejected] = out();
    const other = IDS.find((id) => id !== ejected)!;
    findings.set(other, ILL); // that one is out by outlierDetection does not keep checks from removing the other
    clock.advance(1_100);
    const { call: failed } = send("pay");
    expect(failed.status).toBe(503);
    expect(String(failed.error)).toContain(`${other} (1 health check failed: 503)`);
    network.script("*", answers());
    clock.advance(3_000); // checks said well of it all the time: what ends the ejection is time alone
    expect(calls()).toEqual(new Set([ejected]));
  });

  it("hear of changes: other policy, endpoints that come and go, no policy", () => {
    const { clock, findings, asked, call, calls, states, change, openNow } = setup({ unhealthyThreshold: 1 });
    call();
    findings.set(IDS[0]!, ILL);
    clock.advance(7_000);
    expect(calls()).toEqual(new Set([IDS[1]]));
    change({ intervalMs: 1_000 });
    expect([states()[0]!.unhealthy, openNow()]).toEqual([true, 2]);
    asked.length = 0;
    clock.advance(10_000);
    expect(asked.length).toBeGreaterThan(15);
    findings.set("10.0.0.3:80", WELL);
    change({ intervalMs: 1_000 }, [IDS[0]!, "10.0.0.3:80"]);
    clock.advance(100);
    asked.length = 0;
    clock.advance(5_000);
    expect(new Set(asked)).toEqual(new Set([IDS[0], "10.0.0.3:80"]));
    change(undefined, [IDS[0]!, "10.0.0.3:80"]);
    expect([openNow(), states()[0]!.unhealthy, states()[0]!.health]).toEqual([0, false, undefined]);
    asked.length = 0;
    clock.advance(60_000);
    expect(asked).toEqual([]);
  });

  it("end with the cluster, and with the engine", () => {
    const { clock, engine, asked, call, publish, specOf, openNow } = setup();
    call();
    publish({ clusters: {} });
    expect(openNow()).toBe(0);
    publish(specOf(POLICY));
    call();
    clock.advance(1_100);
    expect([openNow(), asked.length > 0]).toEqual([2, true]);
    engine.close();
    asked.length = 0;
    clock.advance(100_000);
    expect([openNow(), asked]).toEqual([0, []]);
    expect(clock.pending).toBe(0);
  });

  it("say so where nobody can make them", () => {
    const { said, call } = setup({}, {}, { healthProber: { open: () => "it speaks HTTP/2 only" } });
    call();
    expect(said).toEqual(["endpoints of pay are not checked as policy asks: it speaks HTTP/2 only"]);
  });
});
