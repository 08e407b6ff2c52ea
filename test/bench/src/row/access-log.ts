/** What the access log's JSON line costs a call: the engine over a null transport, with and without it. */

import { Call, Engine, type OutcomeRecord, SnapshotStore } from "@inmesh/core";
import { jsonLines } from "@inmesh/telemetry/access-log";
import { loop } from "../lib/loop.js";
import { manyRoutes, resources, snapshot, workloads } from "../lib/policy.js";
import type { Report } from "../lib/table.js";
import { nullExchange } from "./pipeline.js";

const HEADERS = [
  ...["accept", "application/json", "user-agent", "bench", "x-user", "ann"],
  ...["x-request-id", "6f0c5c2e-0f0b-4b3a-9c80-2f9d54b6a3b1"],
  ...["traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
];
const lineOf = jsonLines({ service: "web.default", workload: "web-1f2e3d", query: false });

export async function accessLog(): Promise<Report> {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  store.publish(snapshot(resources(manyRoutes(100)), workloads("reviews", 20)));
  const call = (): void => {
    engine.start(new Call(nullExchange, "GET", "http", "reviews", 80, "reviews", "/api/v1/resource42/7", HEADERS));
  };
  let line = "";
  const sink = {
    ended: (record: OutcomeRecord): void => {
      line = lineOf(record);
    },
  };
  const silent = {
    ended: ({ method }: OutcomeRecord): void => {
      line = method;
    },
  };
  const remove = engine.sinks.add(silent);
  const without = loop(call);
  remove();
  engine.sinks.add(sink);
  const within = loop(call);
  engine.close();
  const row = (what: string, ns: number): Record<string, string> => ({ what, "median ns": ns.toFixed(0) });
  return {
    bench: "access log",
    rows: [
      row("engine, told to a sink that does nothing", without.medianNs),
      row("the same, a JSON line made", within.medianNs),
      row("the line", within.medianNs - without.medianNs),
    ],
    notes: ["goal: a line <= 2,000 ns", `${line.length} characters: ${line.trim()}`],
  };
}
