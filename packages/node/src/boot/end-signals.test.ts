import { expect, it } from "vitest";
import { endSignals } from "./end-signals.js";

const BOTH = ["SIGTERM", "SIGINT"];
const alone = { drainTimeoutMs: 10_000, pm2: undefined, worker: false, terminal: false };

it.each([
  ["a process of its own", {}, { signals: ["SIGTERM"], limitMs: 10_000 }],
  ["a process at a terminal", { terminal: true }, { signals: ["SIGTERM"], limitMs: 10_000 }],
  ["a worker of a cluster", { worker: true }, { signals: BOTH, limitMs: 10_000 }],
  ["a worker at a terminal", { worker: true, terminal: true }, { signals: ["SIGTERM"], limitMs: 10_000 }],
  ["PM2", { pm2: { killTimeoutMs: 1_600 } }, { signals: BOTH, limitMs: 1_280 }],
  ["PM2 that is patient", { pm2: { killTimeoutMs: 60_000 }, worker: true }, { signals: BOTH, limitMs: 10_000 }],
  ["pm2-runtime at a terminal", { pm2: { killTimeoutMs: 1_000 }, terminal: true }, { signals: BOTH, limitMs: 800 }],
])("%s", (_, ending, expected) => {
  expect(endSignals({ ...alone, ...ending })).toEqual(expected);
});
