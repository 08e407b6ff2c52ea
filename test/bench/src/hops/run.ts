/**
 * The client's process: the same request to the same handler bare, through inmesh in both processes, and through an Envoy
 * beside each. In every round each way runs one slice, in random order (performance.md §10); what all processes of a way
 * used of the CPU is compared inside the round.
 */

import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createMesh } from "@inmesh/node";
import { Agent, type Dispatcher } from "undici";
import { HEADERS, PATH, WIDTH } from "../case/request-case.js";
import { startEnvoy } from "../lib/envoy.js";
import { concurrently, shuffled } from "../lib/paired.js";
import { forkPinned, MEASURED_CPU, OTHER_CPU } from "../lib/pinned.js";
import { cpuUs, rssMb } from "../lib/process-cpu.js";
import { LOADS, type Load, send } from "./load.js";
import type { HopsServer } from "./server.js";

const ROUNDS = 40;
const WARM_UP = 15_000;
/** Before the CPU is read: what a slice set going has ended, and the reader's own time is on its account. In ms. */
const SETTLE_MS = 5;

/** One way from the client's code to the server's. */
interface Way {
  readonly name: string;
  readonly ask: () => Promise<unknown>;
}

/** What one way did under one load; a figure per round. */
export interface WayResult {
  readonly name: string;
  /** CPU per request of the client, the server and the Envoys, in us. */
  readonly cpuUs: readonly (readonly [client: number, server: number, envoys: number])[];
  /** Of all requests of all rounds. */
  readonly tookUs: readonly number[];
}

export interface HopsResult {
  readonly loads: readonly { readonly name: string; readonly ways: readonly WayResult[] }[];
  readonly envoysMb: number;
}

const [binary = ""] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
/** Registries of two meshes: one in plaintext, as the Envoys are, and one as by default, over TLS on both sides. */
const [plain, secured] = [join(folder, "plain"), join(folder, "secured")];
for (const config of [plain, secured]) mkdirSync(config);
const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
try {
  const result = await measure();
  await new Promise((resolve) => process.send?.(result, resolve)); // all of it is on its way before this ends
} finally {
  for (const stop of stops.reverse()) await stop();
  process.disconnect();
}

async function measure(): Promise<HopsResult> {
  const server = forkPinned(fileURLToPath(new URL("./server.js", import.meta.url)), [plain, secured], OTHER_CPU, []);
  stops.push(() => server.kill("SIGKILL"));
  const [{ pid, port }] = (await once(server, "message")) as [HopsServer];
  // As on two machines with a CPU each: a sidecar shares that of its service.
  const inbound = await startEnvoy({ binary, folder, name: "inbound", upstream: port, cpu: OTHER_CPU });
  stops.push(inbound.stop);
  const outbound = await startEnvoy({ binary, folder, name: "outbound", upstream: inbound.port, cpu: MEASURED_CPU });
  stops.push(outbound.stop);
  const agent = new Agent({ connections: WIDTH });
  const mesh = await createMesh({ service: "web", config: plain, identity: "off" });
  const securedMesh = await createMesh({ service: "web", config: secured });
  stops.push(
    () => agent.close(),
    () => mesh.close(),
    () => securedMesh.close(),
  );
  const bare = asking(agent, `http://127.0.0.1:${port}`);
  const ways: readonly Way[] = [
    { name: "bare undici and node:http", ask: bare },
    { name: "A/A (bare again)", ask: bare },
    { name: "inmesh in both processes", ask: asking(mesh.dispatcher, "http://reviews") },
    { name: "an Envoy beside each", ask: asking(agent, `http://127.0.0.1:${outbound.port}`) },
    { name: "inmesh in both, over mTLS", ask: asking(securedMesh.dispatcher, "http://reviews") },
  ];
  for (const { ask } of ways) await until(ask); // a registry tells of a new server within a fraction of a second
  for (const { ask } of ways) await concurrently(WARM_UP, WIDTH, ask);
  const pids = [process.pid, pid, inbound.pid, outbound.pid];
  const loads = [];
  for (const load of LOADS) loads.push({ name: load.name, ways: await rounds(load, ways, pids) });
  return { loads, envoysMb: rssMb(inbound.pid) + rssMb(outbound.pid) };
}

async function rounds(load: Load, ways: readonly Way[], pids: readonly number[]): Promise<WayResult[]> {
  const results = ways.map(({ name }) => ({
    name,
    cpuUs: [] as [number, number, number][],
    tookUs: [] as number[],
  }));
  const collect = (globalThis as { gc?: (options: { type: "minor" }) => void }).gc;
  const requests = load.width * load.volleys;
  for (let round = 0; round < ROUNDS; round++) {
    for (const index of shuffled(ways.length)) {
      collect?.({ type: "minor" }); // what others left behind is not this one's to clear away
      await sleep(SETTLE_MS);
      const before = cpuUs(pids);
      const took = await send(load, ways[index]!.ask); // a permutation of the indices
      await sleep(SETTLE_MS);
      const used = cpuUs(pids).map((after, process) => (after - before[process]!) / requests); // same length
      const { cpuUs: perRound, tookUs } = results[index]!;
      perRound.push([used[0]!, used[1]!, used[2]! + used[3]!]); // as many as `pids`
      tookUs.push(...took);
    }
  }
  return results;
}

function asking(dispatcher: Dispatcher, origin: string): () => Promise<void> {
  const options = { origin, path: PATH, method: "GET" as const, headers: HEADERS };
  return async () => {
    const { statusCode, body } = await dispatcher.request(options);
    if (statusCode !== 200) throw new Error(`${origin} answered ${statusCode}: ${await body.text()}`);
    await body.arrayBuffer();
  };
}

async function until(ask: () => Promise<unknown>): Promise<void> {
  for (const deadline = performance.now() + 10_000; ; await sleep(20)) {
    try {
      return void (await ask());
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}
