/**
 * The bookshop under load for a long time: every process is sampled after garbage collections, policy changes, replicas
 * are replaced, shoppers walk away. At the end everything drains and has to go by itself.
 */

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Counts, Sample } from "./messages.js";
import { bookshop, SoakedProcess } from "./soaked-process.js";

export interface SoakOptions {
  readonly minutes: number;
  readonly perSecond: number;
  /** Bytes that one service keeps of each request, to see that the judge sees it. */
  readonly leakBytes: number;
  readonly onProgress: (text: string) => void;
}

export interface SampledProcess {
  readonly name: string;
  readonly samples: readonly (Sample & { /** Minutes since the load began. */ readonly at: number })[];
  /** What still kept it when it had drained. */
  readonly active: readonly string[];
  /** Until it was gone by itself, in ms; undefined when it had to be ended. */
  readonly exitMs: number | undefined;
}

export interface SoakResult {
  readonly processes: readonly SampledProcess[];
  readonly counts: Counts;
  /** Replicas replaced, and changes of policy, meanwhile. */
  readonly replaced: number;
  readonly changes: number;
  /** Lines on stderr, ends that were no ends. */
  readonly troubles: readonly string[];
}

const MESH = fileURLToPath(new URL("../../../examples/bookshop/mesh", import.meta.url));
/** Samples of a run, however long: enough for a line through them. */
const SAMPLES = 90;
/** A sample stops its process for the time of a few collections, in ms. */
const SAMPLE_AT_MOST_EVERY_MS = 2_000;
const CHANGE_EVERY_MS = 10_000;
const REPLACE_EVERY_MS = 15_000;
/** A drained process is gone within this time, in ms. */
const EXIT_MS = 10_000;

export async function soak({ minutes, perSecond, leakBytes, onProgress }: SoakOptions): Promise<SoakResult> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-soak-"));
  const all: SoakedProcess[] = [];
  const troubles: string[] = [];
  const start = (name: string, file: string, more: Record<string, string> = {}, args: string[] = []): SoakedProcess => {
    const service = name.split("-")[0]!; // a split has a first part
    const env = { ...environment(folder), INMESH_SERVICE: service, PORT: "0", ...more };
    const started = new SoakedProcess({ name, file, args, env });
    all.push(started);
    return started;
  };
  const reviews = (name: string, version: string): SoakedProcess =>
    start(name, bookshop("reviews"), { REVIEWS_VERSION: version, INMESH_LABELS: `version=${version}` });
  try {
    mkdirSync(join(folder, "mesh"));
    const policies = readdirSync(MESH).filter((file) => file.endsWith(".yaml")); // processes leave folders beside them
    for (const file of policies) copyFileSync(join(MESH, file), join(folder, "mesh", file));
    const leak = leakBytes > 0 ? { SOAK_LEAK_BYTES: String(leakBytes) } : {};
    const watched = [
      start("web-1", bookshop("web")),
      start("web-2", bookshop("web")),
      start("details", bookshop("details"), leak),
      start("ratings", bookshop("ratings")),
      start("stock-1", bookshop("stock")),
      start("stock-2", bookshop("stock")),
      reviews("reviews-v1", "v1"),
      reviews("reviews-v2", "v2"),
    ];
    let spare = reviews("reviews-spare", "v1");
    await Promise.all([...watched, spare].map((each) => each.listening()));
    const shopper = start("shopper", fileURLToPath(new URL("./shopper.js", import.meta.url)), {}, [String(perSecond)]);
    watched.push(shopper);

    const startedAt = performance.now();
    const endsAt = startedAt + minutes * 60_000;
    const taken = new Map(watched.map(({ name }) => [name, [] as SampledProcess["samples"][number][]]));
    let changes = 0;
    let replaced = 0;
    const every = async (ms: number, work: () => void | Promise<void>): Promise<void> => {
      for (let next = performance.now() + ms; next < endsAt; next += ms) {
        await delay(Math.max(0, next - performance.now()));
        await work();
      }
    };
    await Promise.all([
      every(Math.max(SAMPLE_AT_MOST_EVERY_MS, (minutes * 60_000) / SAMPLES), async () => {
        for (const each of watched) {
          const sample = await each.sample();
          taken.get(each.name)?.push({ ...sample, at: (performance.now() - startedAt) / 60_000 });
        }
        onProgress(`${((performance.now() - startedAt) / 60_000).toFixed(1)} of ${minutes} min`);
      }),
      every(CHANGE_EVERY_MS, () => writeFileSync(join(folder, "mesh", "reviews.yaml"), policy(++changes))),
      every(REPLACE_EVERY_MS, async () => {
        const old = spare;
        spare = reviews("reviews-spare", "v1");
        await spare.listening();
        old.kill("SIGTERM");
        const { signal } = await old.ended;
        if (signal !== "SIGTERM") troubles.push(`${old.name} did not end by SIGTERM`);
        replaced += 1;
      }),
    ]);

    const counts = await shopper.stop();
    const processes: SampledProcess[] = [];
    // Callers first: nobody is called any more when it goes.
    for (const name of ["shopper", "web", "reviews", "details", "ratings", "stock"]) {
      const going = watched.filter((each) => each.name.startsWith(name));
      processes.push(...(await Promise.all(going.map((each) => end(each, taken.get(each.name) ?? [])))));
    }
    for (const { name, errors } of all) if (errors !== "") troubles.push(`${name}: ${errors.trim()}`);
    return { processes, counts, replaced, changes, troubles };
  } finally {
    for (const each of all) if (each.running) each.kill("SIGKILL");
    await Promise.all(all.map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function end(each: SoakedProcess, samples: SampledProcess["samples"]): Promise<SampledProcess> {
  const active = each.name === "shopper" ? [] : await each.drain(); // a shopper serves nobody, and ends with its last call
  const drainedAt = performance.now();
  const late = delay(EXIT_MS, undefined, { ref: false });
  const ended = await Promise.race([each.ended, late]);
  return {
    name: each.name,
    samples,
    active,
    exitMs: ended?.code === 0 ? Math.round(performance.now() - drainedAt) : undefined,
  };
}

/** Weights that change: every change is compiled and published in each process. */
function policy(change: number): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
    - name: change-${change % 5}
      timeout: 10s
      retries: { attempts: 2, retryOn: "reset,connect-failure" }
      route:
        - { destination: { host: reviews, subset: v1 }, weight: ${50 + 10 * (change % 5)} }
        - { destination: { host: reviews, subset: v2 }, weight: ${50 - 10 * (change % 5)} }
`;
}

function environment(folder: string): Record<string, string> {
  return {
    HOME: folder,
    XDG_CACHE_HOME: join(folder, "cache"),
    INMESH_CONFIG: join(folder, "mesh"),
    INMESH_NAMESPACE: "shop",
  };
}
