/**
 * The engine over a null transport: everything between the adapter and the wire, with a route table of 100 rules, a
 * header match, 20 endpoints, least request, the default retry policy. And what is always on behind it: metrics of both dialects,
 * the ledger and the flight recorder.
 */

import { type Attempt, Call, Engine, type Exchange, SnapshotStore } from "@inmesh/core";
import { type LoopResult, loop } from "../lib/loop.js";
import { meshMetrics } from "../lib/mesh-metrics.js";
import { manyRoutes, resources, snapshot, workloads } from "../lib/policy.js";
import type { Report } from "../lib/table.js";

const HEADERS = ["accept", "application/json", "user-agent", "bench", "x-user", "ann"];

export async function pipeline(): Promise<Report> {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(manyRoutes(100)), workloads("reviews", 20)));
  const passThrough = loop(() => nothing.send(undefined as never));
  const request = (): Call => {
    const call = new Call(nullExchange, "GET", "http", "reviews", 80, "reviews", "/api/v1/resource42/7", HEADERS);
    engine.start(call);
    return call;
  };
  const whole = loop(request);
  engine.sinks.add(engine.recorder);
  engine.sinks.add(meshMetrics());
  const told = loop(request);
  engine.close();
  return {
    bench: "pipeline over a null transport",
    rows: [
      row("pass-through", passThrough),
      row("engine: route, pick, attempt, ledger", whole),
      row("and metrics, flight recorder", told),
    ],
    notes: ["goals: <= 2,500 ns and <= 2,560 bytes per request; metrics, ledger and recorder <= 1,500 ns of it"],
  };
}

function row(what: string, { medianNs, bestNs, bytes }: LoopResult): Report["rows"][number] {
  return { what, "median ns": medianNs.toFixed(0), "best ns": bestNs.toFixed(0), bytes: bytes?.toFixed(0) ?? "-" };
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
