/**
 * The engine over a null transport: everything between the adapter and the wire, with a route table of 100 rules, a
 * header match, 20 endpoints, least request, the default retry policy. And the same through the undici dispatcher.
 */

import { type Attempt, Call, Engine, type Exchange, SnapshotStore } from "@inmesh/core";
import { loop } from "../lib/loop.js";
import { manyRoutes, resources, snapshot, workloads } from "../lib/policy.js";
import type { Report } from "../lib/table.js";

const HEADERS = ["accept", "application/json", "user-agent", "bench", "x-user", "ann"];

export async function pipeline(): Promise<Report> {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(manyRoutes(100)), workloads("reviews", 20)));
  const passThrough = loop(() => nothing.send(undefined as never));
  const whole = loop(() => {
    const call = new Call(nullExchange, "GET", "http", "reviews", 80, "reviews", "/api/v1/resource42/7", HEADERS);
    engine.start(call);
    return call;
  });
  engine.close();
  return {
    bench: "pipeline over a null transport",
    rows: [
      {
        what: "pass-through",
        "median ns": passThrough.medianNs.toFixed(0),
        "best ns": passThrough.bestNs.toFixed(0),
        bytes: passThrough.bytes?.toFixed(0) ?? "-",
      },
      {
        what: "engine: route, pick, attempt, record",
        "median ns": whole.medianNs.toFixed(0),
        "best ns": whole.bestNs.toFixed(0),
        bytes: whole.bytes?.toFixed(0) ?? "-",
      },
    ],
    notes: ["goal: <= 2,500 ns and <= 2,560 bytes per request"],
  };
}

const noHeader = (): undefined => undefined;
const noAbort = (): void => {};

/** Answers 200 at once. */
export const nullExchange: Exchange = {
  send(attempt: Attempt) {
    attempt.started(true, noAbort);
    attempt.head(200, noHeader);
    attempt.complete();
  },
  canReplay: () => true,
  passThrough() {},
  reply() {},
  fail(error) {
    throw error;
  },
};

const nothing = { send: (_attempt: Attempt): void => {} };
