/** What the keys do. */

import { existsSync } from "node:fs";
import type { Clock, Timer } from "@inmesh/core";
import type { Mode } from "@inmesh/model";
import { systemReason } from "../exit.js";
import type { EventLog } from "./event-log.js";
import type { Edge } from "./figures.js";
import type { Instance } from "./instance.js";
import type { MeshWatch } from "./mesh-watch.js";
import {
  deleteDocument,
  FAULT_FILE,
  type Fault,
  faultDocument,
  MODE_FILE,
  modeDocument,
  writeDocument,
} from "./policy-switch.js";
import type { Reaper } from "./reaper.js";
import { requestStory } from "./request-story.js";
import type { Supervisor } from "./supervisor.js";

export interface KeyActionsOptions {
  readonly config: string;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly supervisor: Supervisor;
  readonly watch: MeshWatch;
  /** Told of our files, which must not outlive us. */
  readonly reaper: Pick<Reaper, "watchPath" | "forgetPath">;
}

/** A killed replica stays away this long, in ms: long enough to see the others take over. */
const BACK_AFTER_MS = 3_000;
const FAULT_MS = 10_000;
const FAULT_PERCENT = 30;
const FAULT_STATUS = 503;

export class KeyActions {
  readonly #options: KeyActionsOptions;
  #faultTimer: Timer | undefined;
  #fault: Fault | undefined;
  /** Whether `o` was pressed: what processes tell of the mode may be of our own document, which is gone by now. */
  #switched = false;
  /** The document as it was written last, as JSON. */
  #faultWritten = "";

  constructor(options: KeyActionsOptions) {
    this.#options = options;
  }

  /** What `f` is doing now; empty when nothing. */
  get fault(): string {
    const fault = this.#fault;
    return fault === undefined ? "" : `fault: ${fault.service} ${fault.percent}% ${fault.status}`;
  }

  kill(): void {
    const { supervisor, watch, events } = this.#options;
    const listens = ({ spec }: Instance) =>
      watch.leases.some(({ service, ports }) => service === spec.service && ports.length > 0);
    const victim = chooseVictim(
      supervisor.instances.filter((instance) => !instance.endWanted && listens(instance)),
      watch.edges,
    );
    if (victim === undefined) return events.add("answer", "nothing to kill: no service listens yet");
    events.add("fault", `kill -9 ${victim.pid} (${victim.id}); it comes back in ${BACK_AFTER_MS / 1_000} s`);
    void supervisor.kill(victim, BACK_AFTER_MS);
  }

  /** @param current the mode that the processes told last: a second behind */
  switchPolicy(current: Mode): void {
    const { config, watch, events, reaper } = this.#options;
    this.#attempt(() => {
      if (existsSync(pathOf(config, MODE_FILE))) {
        deleteDocument(config, MODE_FILE);
        return events.add("policy", "policy on again");
      }
      if (current === "off" && !this.#switched) {
        return events.add("answer", "policy is off by a MeshMode in your folder, which dev leaves alone");
      }
      if (current === "observe") {
        events.add(
          "answer",
          "a MeshMode of yours, or the process itself, says observe; where that is narrower it stays",
        );
      }
      reaper.watchPath(pathOf(config, MODE_FILE));
      this.#switched = true;
      writeDocument(config, MODE_FILE, modeDocument("off", watch.documents));
      events.add("policy", "policy off: no routing rules, retries or faults; names and endpoints stay");
    });
  }

  switchFault(): void {
    const { config, clock, watch, events, reaper } = this.#options;
    if (this.#fault !== undefined) return this.endFault();
    const edge = busiest(watch.edges.filter(({ to }) => watch.leases.some(({ service }) => service === to)));
    if (edge === undefined) return events.add("answer", "no fault injected: no calls between services were seen yet");
    const namespace = watch.leases.find(({ service }) => service === edge.to)?.namespace ?? "default";
    const fault = { service: edge.to, namespace, percent: FAULT_PERCENT, status: FAULT_STATUS };
    this.#attempt(() => {
      reaper.watchPath(pathOf(config, FAULT_FILE));
      this.#writeFault(fault);
      this.#fault = fault;
      const text = `fault: ${FAULT_PERCENT} % of the calls to ${edge.to} get ${FAULT_STATUS}`;
      events.add("fault", `${text} for ${FAULT_MS / 1_000} s; f ends it earlier`);
      this.#faultTimer = clock.after(FAULT_MS, () => this.endFault());
    });
  }

  /** Policy changed, or was seen only now: what disturbs its rules stands in for them, so it has to have the same ones. */
  followPolicy(): void {
    const fault = this.#fault;
    if (fault !== undefined) this.#attempt(() => this.#writeFault(fault));
  }

  endFault(): void {
    const { config, events } = this.#options;
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#faultTimer?.cancel();
    this.#attempt(() => {
      deleteDocument(config, FAULT_FILE);
      events.add("fault", "fault ended");
    });
  }

  async lastRequest(): Promise<void> {
    const { watch, events, clock } = this.#options;
    const last = await watch.lastRequest();
    if (last === undefined) return events.add("answer", "no call was seen yet");
    const agoMs = clock.now() - last.endedAt;
    events.add(
      "answer",
      `${agoMs < 1_000 ? "" : `${Math.round(agoMs / 1_000)} s ago: `}${requestStory(last.from, last.request)}`,
    );
  }

  /** Takes our documents out of the folder. */
  close(): void {
    const { config, reaper } = this.#options;
    this.#faultTimer?.cancel();
    this.#fault = undefined;
    for (const file of [FAULT_FILE, MODE_FILE]) {
      deleteDocument(config, file);
      reaper.forgetPath(pathOf(config, file));
    }
  }

  #writeFault(fault: Fault): void {
    const { config, watch } = this.#options;
    const document = faultDocument(fault, watch.documents);
    const text = JSON.stringify(document);
    if (this.#fault !== undefined && text === this.#faultWritten) return;
    writeDocument(config, FAULT_FILE, document);
    this.#faultWritten = text;
  }

  #attempt(act: () => void): void {
    const { config, events } = this.#options;
    try {
      act();
    } catch (error) {
      events.add("error", `cannot write into ${config}: ${systemReason(error) ?? String(error)}`);
    }
  }
}

/** The oldest replica of the service that has most of them; of equals, of the one that is called most. */
export function chooseVictim(instances: readonly Instance[], edges: readonly Edge[]): Instance | undefined {
  const services = groupByService(instances);
  const called = (service: string) =>
    edges.filter(({ to }) => to === service).reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
  const [chosen] = [...services].sort(
    ([a, ofA], [b, ofB]) =>
      Math.min(ofB.length, 2) - Math.min(ofA.length, 2) || called(b) - called(a) || ofB.length - ofA.length,
  );
  return chosen?.[1][0];
}

function busiest(edges: readonly Edge[]): Edge | undefined {
  return edges
    .filter(({ requestsPerSecond }) => requestsPerSecond > 0)
    .sort((a, b) => b.requestsPerSecond - a.requestsPerSecond)[0];
}

function groupByService(instances: readonly Instance[]): Map<string, Instance[]> {
  const services = new Map<string, Instance[]>();
  for (const instance of instances) {
    const known = services.get(instance.spec.service);
    if (known === undefined) services.set(instance.spec.service, [instance]);
    else known.push(instance);
  }
  return services;
}

function pathOf(config: string, file: string): string {
  return `${config}/${file}`;
}
