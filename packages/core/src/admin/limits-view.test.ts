import { afterEach, beforeAll, expect, it } from "vitest";
import { BREAKER } from "../breaker/breaker-policy.test.helper.js";
import { loadOpossum } from "../breaker/opossum-switch.js";
import { settle } from "../runtime/fake-clock.js";
import { answers } from "../testing/behaviour.js";
import { type TestEngine, testEngine } from "../testing/test-engine.js";
import { clustersView } from "./traffic-view.js";

beforeAll(loadOpossum);

let mesh: TestEngine;
afterEach(() => mesh.engine.close());

const view = () => clustersView(mesh.engine).clusters[0]!; // one was called

it("shows what is in use of what, and how often there was none left", () => {
  const limits = { maxConnections: 9, maxPendingRequests: 8, maxRequests: 2, maxRetries: 7 };
  const most = (of: typeof limits) => {
    mesh = testEngine({ clusters: { a: { endpoints: ["e:1"], policy: { limits: of } } } });
    mesh.network.script("*", { kind: "queue" });
  };
  most({ ...limits, maxConnections: 0 });
  for (let each = 0; each < 3; each++) mesh.send("a");
  expect(view().limits).toEqual({
    requests: { inUse: 2, most: 2, overflows: 1 },
    pending: { inUse: 0, most: 8, overflows: 0 },
    connections: { inUse: 0, most: 0, overflows: 0 },
    retries: { inUse: 0, most: 7, overflows: 0 },
  });
  expect(view()).not.toHaveProperty("breakers");
});

it("shows the state of each breaker, what opened it, and until when", async () => {
  mesh = testEngine({
    clusters: { a: { endpoints: ["e:1"], policy: { breaker: { ...BREAKER, scope: "endpoint" } } } },
  });
  mesh.network.script("*", answers(503));
  for (let each = 0; each < 4; each++) {
    mesh.send("a");
    await mesh.clock.advance(1);
    await settle();
  }
  await mesh.clock.advance(2_000);
  mesh.send("a");
  const name = 'endpoint e:1 of "a"';
  const cause = "100% of 4 attempts in 10000 ms failed, more than 50%";
  expect(view().breakers).toEqual([
    {
      ...{ resource: "CircuitBreaker/default/a", name, endpoint: "e:1", state: "open", sinceMs: 2_000, forMs: 3_000 },
      ...{ cause, openings: 1, refused: 1, requests: 0, failures: 0, slow: 0 },
      text: `open for ${name} since 2 s: ${cause}; next probe in 3 s`,
    },
  ]);
});
