/** On a simulated server: jobs arrive by chance, so many are worked on at a time, the others wait their turn. */

import { expect, it } from "vitest";
import { type Random, seededRandom } from "../runtime/random.js";
import { GradientLimit } from "./gradient-limit.js";

interface Phase {
  readonly untilMs: number;
  /** Requests per s. */
  readonly rate: number;
  /** Worked on at a time, for `workMs` each on average. */
  readonly workers: number;
  readonly workMs: number;
}

interface Slice {
  readonly limit: number;
  readonly served: number;
  readonly refused: number;
  readonly medianMs: number;
}

function simulate(limit: GradientLimit, phases: readonly Phase[], sliceMs: number, random: Random): Slice[] {
  const slices: Slice[] = [];
  const queue: { readonly at: number; readonly epoch: number }[] = [];
  const running: { readonly endsAt: number; readonly at: number; readonly epoch: number }[] = [];
  let latencies: number[] = [];
  let refused = 0;
  let now = 0;
  let nextAt = 0;
  let phase = phases[0]!;
  const exponential = (mean: number) => -mean * Math.log(1 - random.next());
  const start = (job: { at: number; epoch: number }) =>
    running.push({ ...job, endsAt: now + phase.workMs * (0.5 + random.next()) });
  const end = phases.at(-1)!.untilMs;
  while (now < end) {
    const done = running.reduce((a, b) => (a.endsAt <= b.endsAt ? a : b), { endsAt: Infinity, at: 0, epoch: 0 });
    now = Math.min(nextAt, done.endsAt);
    while (now >= (slices.length + 1) * sliceMs) {
      latencies.sort((a, b) => a - b);
      const medianMs = latencies[latencies.length >> 1] ?? 0;
      slices.push({ limit: limit.limit, served: latencies.length, refused, medianMs });
      latencies = [];
      refused = 0;
    }
    phase = phases.find(({ untilMs }) => now < untilMs) ?? phase;
    if (now === done.endsAt) {
      running.splice(running.indexOf(done), 1);
      latencies.push(now - done.at);
      limit.sample(now - done.at, done.epoch, now);
      const next = queue.shift();
      if (next !== undefined) start(next);
      continue;
    }
    nextAt = now + exponential(1_000 / phase.rate);
    const inFlight = running.length + queue.length;
    if (inFlight >= Math.floor(limit.limit)) {
      limit.turnedAway(now);
      refused += 1;
      continue;
    }
    const job = { at: now, epoch: limit.begin(inFlight + 1) };
    if (running.length < phase.workers) start(job);
    else queue.push(job);
  }
  return slices;
}

const BOUNDS = { minConcurrency: 5, maxConcurrency: 1_000 };
const SEEDS = [1, 2];
const mean = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

it.each(SEEDS)("finds the limit under twice the load a server can bear, and leaves it busy (seed %i)", (seed) => {
  const random = seededRandom(seed);
  // 20 at a time for 50 ms: 400 per s at best.
  const phases = [{ untilMs: 60_000, rate: 800, workers: 20, workMs: 50 }];
  const late = simulate(new GradientLimit(BOUNDS, 0, random), phases, 10_000, random).slice(2);
  expect(mean(late.map(({ limit }) => limit))).toBeGreaterThan(20);
  expect(mean(late.map(({ limit }) => limit))).toBeLessThan(50);
  expect(mean(late.map(({ served }) => served / 10))).toBeGreaterThan(0.93 * 400);
  for (const { medianMs } of late) expect(medianMs).toBeLessThan(125); // waiting for their turn, without a limit: minutes
});

it.each(SEEDS)("turns nobody away whom the server can bear (seed %i)", (seed) => {
  const random = seededRandom(seed);
  // Chance alone brings 20 at a time seldom more than 32.
  const phases = [{ untilMs: 60_000, rate: 400, workers: 100, workMs: 50 }];
  const slices = simulate(new GradientLimit(BOUNDS, 0, random), phases, 10_000, random);
  expect(mean(slices.slice(1).map(({ refused }) => refused))).toBeLessThan(4); // of 4,000
});

it.each(SEEDS)("recovers: a server that gets slower without a queue is soon believed (seed %i)", (seed) => {
  const random = seededRandom(seed);
  const phases = [
    { untilMs: 30_000, rate: 400, workers: 200, workMs: 50 },
    { untilMs: 60_000, rate: 400, workers: 200, workMs: 200 },
  ];
  const slices = simulate(new GradientLimit(BOUNDS, 0, random), phases, 1_000, random);
  const after = slices.slice(30);
  expect(mean(after.slice(5).map(({ served }) => served))).toBeGreaterThan(0.98 * 400);
});

it.each(SEEDS)("recovers: after an overload everybody is served again (seed %i)", (seed) => {
  const random = seededRandom(seed);
  const phases = [
    { untilMs: 20_000, rate: 200, workers: 20, workMs: 50 },
    { untilMs: 40_000, rate: 4_000, workers: 20, workMs: 50 },
    { untilMs: 60_000, rate: 200, workers: 20, workMs: 50 },
  ];
  const slices = simulate(new GradientLimit(BOUNDS, 0, random), phases, 1_000, random);
  expect(mean(slices.slice(25, 40).map(({ served }) => served))).toBeGreaterThan(0.9 * 400);
  expect(mean(slices.slice(45).map(({ refused }) => refused))).toBeLessThan(2);
  expect(mean(slices.slice(45).map(({ medianMs }) => medianMs))).toBeLessThan(80);
});

it.each(SEEDS)("follows a server that loses three quarters of what it can bear (seed %i)", (seed) => {
  const random = seededRandom(seed);
  const phases = [
    { untilMs: 30_000, rate: 300, workers: 20, workMs: 50 },
    { untilMs: 60_000, rate: 300, workers: 5, workMs: 50 },
  ];
  const late = simulate(new GradientLimit(BOUNDS, 0, random), phases, 1_000, random).slice(40);
  expect(mean(late.map(({ served }) => served))).toBeGreaterThan(0.9 * 100);
  expect(mean(late.map(({ medianMs }) => medianMs))).toBeLessThan(200);
});

it("does not grow by what nobody needs", () => {
  const limit = new GradientLimit(BOUNDS, 0, seededRandom(1));
  for (let index = 0; index < 1_000; index++) limit.sample(10, limit.begin(9), index * 10);
  expect(limit.limit).toBe(20);
  for (let index = 0; index < 1_000; index++) limit.sample(10, limit.begin(12), 10_000 + index * 10);
  expect(limit.limit).toBeGreaterThan(20);
  expect(limit.limit).toBeLessThan(30);
});

it("keeps within its bounds, also when they change", () => {
  const limit = new GradientLimit({ minConcurrency: 2, maxConcurrency: 10 }, 0, seededRandom(1));
  expect(limit.limit).toBe(10); // 20 is where it would begin
  const answer = (ms: number, from: number) => {
    for (let index = 0; index < 200; index++) limit.sample(ms, limit.begin(10), from + index * 10);
  };
  answer(10, 0);
  expect(limit.limit).toBe(10);
  answer(1_000, 2_000);
  expect(limit.limit).toBeLessThan(5);
  expect(limit.limit).toBeGreaterThanOrEqual(2);
  limit.bounds = { minConcurrency: 6, maxConcurrency: 10 };
  expect(limit.limit).toBe(6);
});
