/** The detector never sweeps; a model that does, as Envoy, must find the same endpoints out at every moment. */

import type { OutlierPolicy } from "@inmesh/model";
import { expect, it } from "vitest";
import type { Attempt } from "../call/attempt.js";
import { EndpointState } from "../cluster/endpoint-state.js";
import { seededRandom } from "../runtime/random.js";
import { fakeEndpoint, fakeOutlier } from "../testing/fake-snapshot.js";
import { OutlierDetector } from "./outlier-detector.js";

const RUNS = 200;
const EVENTS = 200;

class Sweeping {
  readonly #policy: OutlierPolicy;
  #sweptAt = 0;
  readonly hosts: { errors: number; gateway: number; times: number; ejectedAt: number }[];

  constructor(policy: OutlierPolicy, count: number) {
    this.#policy = policy;
    this.hosts = Array.from({ length: count }, () => ({ errors: 0, gateway: 0, times: 0, ejectedAt: -1 }));
  }

  advance(now: number): void {
    const { intervalMs, baseEjectionMs, maxEjectionMs } = this.#policy;
    while (this.#sweptAt + intervalMs <= now) {
      this.#sweptAt += intervalMs;
      for (const host of this.hosts) {
        if (host.ejectedAt < 0) host.times = Math.max(0, host.times - 1);
        else if (this.#sweptAt - host.ejectedAt >= Math.min(baseEjectionMs * host.times, maxEjectionMs)) {
          Object.assign(host, { errors: 0, gateway: 0, ejectedAt: -1 });
        }
      }
    }
  }

  answer(index: number, status: number, now: number): void {
    const { consecutiveErrors, consecutiveGatewayErrors } = this.#policy;
    const host = this.hosts[index]!;
    if (status < 500) return void Object.assign(host, { errors: 0, gateway: 0 });
    host.gateway = status >= 502 ? host.gateway + 1 : 0;
    if (consecutiveGatewayErrors > 0 && host.gateway === consecutiveGatewayErrors) this.#eject(host, "gateway", now);
    host.errors += 1;
    if (host.errors === consecutiveErrors) this.#eject(host, "errors", now);
  }

  #eject(host: Sweeping["hosts"][number], counter: "errors" | "gateway", now: number): void {
    const { maxEjectionRatio, baseEjectionMs, maxEjectionMs } = this.#policy;
    if (host.ejectedAt >= 0) return;
    const out = this.hosts.filter(({ ejectedAt }) => ejectedAt >= 0).length;
    if ((out + 1) / this.hosts.length <= maxEjectionRatio) {
      host.ejectedAt = now;
      if (host.times * baseEjectionMs < maxEjectionMs + baseEjectionMs) host.times += 1;
    }
    host[counter] = 0;
  }
}

it("ejects, readmits and forgives as sweeps would", () => {
  let ejections = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = seededRandom(seed);
    const upTo = (most: number): number => 1 + Math.floor(random.next() * most);
    const policy = fakeOutlier({
      consecutiveErrors: upTo(3),
      consecutiveGatewayErrors: upTo(4) - 1,
      intervalMs: [70, 100, 1_000][upTo(3) - 1]!,
      baseEjectionMs: upTo(500),
      maxEjectionMs: 1_500,
      maxEjectionRatio: random.next(),
    });
    const count = upTo(6);
    const model = new Sweeping(policy, count);
    const states = Array.from({ length: count }, (_, n) => new EndpointState(fakeEndpoint(`10.0.0.${n}:80`)));
    const detector = new OutlierDetector(policy, 0, random);
    const failing = random.next();
    let now = 0;
    for (let event = 0; event < EVENTS; event++) {
      now += Math.floor(random.next() * 120);
      model.advance(now);
      const index = upTo(count) - 1;
      const status = random.next() < failing ? [500, 502, 503][upTo(3) - 1]! : 200;
      model.answer(index, status, now);
      const attempt = { endpoint: states[index]!, status, meant: status, sent: true, error: undefined } as Attempt;
      if (detector.record(attempt, status >= 500 ? "failure" : "success", states, now)) ejections += 1;
      const differs = states.some(({ outlierUntil }, n) => outlierUntil > now !== model.hosts[n]!.ejectedAt >= 0);
      if (differs) expect.fail(`seed ${seed}, event ${event}: ${JSON.stringify([model.hosts, states, policy])}`);
    }
  }
  expect(ejections).toBeGreaterThan(RUNS);
});
