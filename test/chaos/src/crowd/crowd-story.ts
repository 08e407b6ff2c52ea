/**
 * Everybody comes back at once: many callers of a service whose processes are replaced one after the other, all of it over mTLS
 * under STRICT. A handshake takes milliseconds, so what is looked at is how late the servers' event loops come meanwhile.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { STRICT } from "../identity/identity-story.js";
import type { FromCrowd, Lateness } from "../messages.js";
import { LatenessWatch } from "../program/lateness.js";
import { type Crowd, type ServerLateness, Stage } from "../stage.js";

export interface CrowdForm {
  readonly callers: number;
  /** Which the callers are spread over: a process of its own for each of 200 is more than most machines have memory for. */
  readonly processes: number;
}

export interface CrowdStory {
  readonly form: CrowdForm;
  readonly sent: number;
  readonly failures: ReadonlyMap<string, number>;
  /** Of each new server, from its first connection until the one that it replaces is gone and everybody is back. */
  readonly after: readonly ServerLateness[];
  /** Of a process that does nothing, all the while: what the machine makes late. */
  readonly machine: Lateness;
  /** What does not hold. */
  readonly broken: readonly string[];
}

const BACKENDS = 3;
const EVERY_MS = 1_000;
/** Everybody has called at least once by then. */
const BACK_MS = 3_000;
const MOST_P99_MS = 50;
/** On a machine that makes a process late which does nothing, only its own work is held against a server. */
const QUIET_P99_MS = 10;
/** Identities come from the registry's own folder. Nothing but the defaults besides. */
const ENVIRONMENT = { INMESH_IDENTITY: "ca" };

export async function crowdStory(form: CrowdForm, say: (event: string) => void = () => {}): Promise<CrowdStory> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-crowd-"));
  const registry = join(folder, "mesh");
  mkdirSync(registry);
  writeFileSync(join(registry, "policy.yaml"), STRICT);
  const watch = new LatenessWatch();
  try {
    const environment = async () => ENVIRONMENT;
    await using stage = await Stage.open({ backends: BACKENDS, policy: "", registry, environment });
    const crowds = await startCrowds(stage, form);
    say(`${form.callers} callers in ${form.processes} processes are connected`);
    watch.take();
    const after: ServerLateness[] = [];
    for (const [index, old] of [...stage.backends].entries()) {
      const replaced = await stage.startBackend(old.number);
      stage.backends[index] = replaced;
      old.process.signal("SIGTERM");
      await old.process.ended;
      await delay(BACK_MS);
      after.push(await stage.latenessOf(replaced));
      say(`server ${index + 1} is replaced: ${shown(after.at(-1)!)}`); // pushed just now
    }
    const ended = await Promise.all(crowds.map(finish));
    return judged(form, ended, after, watch.take());
  } finally {
    watch.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startCrowds(stage: Stage, { callers, processes }: CrowdForm): Promise<readonly Crowd[]> {
  const each = { CHAOS_CALLERS: String(callers / processes), CHAOS_EVERY_MS: String(EVERY_MS) };
  const crowds: Crowd[] = [];
  for (let started = 0; started < processes; started++) {
    crowds.push(await stage.startCrowd(`crowd-${started + 1}`, each));
  }
  return crowds;
}

type Ended = Extract<FromCrowd, { type: "ended" }>;

async function finish(crowd: Crowd): Promise<Ended> {
  const heard = crowd.hear((message): message is Ended => message.type === "ended");
  crowd.send({ type: "finish" });
  return await heard;
}

function judged(
  form: CrowdForm,
  ended: readonly Ended[],
  after: readonly ServerLateness[],
  machine: Lateness,
): CrowdStory {
  const failures = new Map<string, number>();
  for (const [reason, count] of ended.flatMap((each) => Object.entries(each.failures))) {
    failures.set(reason, (failures.get(reason) ?? 0) + count);
  }
  const sent = ended.reduce((total, each) => total + each.sent, 0);
  const isQuiet = machine.p99Ms <= QUIET_P99_MS;
  const broken = after.flatMap((lateness, index) =>
    (isQuiet ? lateness.p99Ms : lateness.ownP99Ms) <= MOST_P99_MS
      ? []
      : [`the loop of server ${index + 1}: ${shown(lateness)}`],
  );
  for (const [reason, count] of failures) broken.push(`${count} of ${sent} calls failed: ${reason}`);
  // Three calls, each to one of three servers: nearly all have come, and who has not never had anything there.
  for (const { connections } of after) {
    if (connections < form.callers / 2) broken.push(`${connections} of ${form.callers} callers came to a new server`);
  }
  return { form, sent, failures, after, machine, broken };
}

export function printCrowdStory({ form, sent, after, machine, broken }: CrowdStory): string {
  return [
    `${form.callers} callers in ${form.processes} processes, ${BACKENDS} servers replaced: ${sent} calls`,
    `  event loop of a process that does nothing: ${shown(machine)}`,
    ...after.map(
      (lateness, index) =>
        `  event loop of the new server ${index + 1}, ${lateness.connections} connections: ${shown(lateness)}`,
    ),
    ...(broken.length === 0 ? ["holds"] : broken.map((each) => `DOES NOT HOLD: ${each}`)),
  ].join("\n");
}

function shown({ p99Ms, maxMs, ownP99Ms, ownMaxMs }: Lateness): string {
  const of = (p99: number, most: number): string => `p99 ${p99.toFixed(1)} ms, ${most.toFixed(0)} ms at most`;
  return `${of(p99Ms, maxMs)} (by its own work ${of(ownP99Ms, ownMaxMs)})`;
}
