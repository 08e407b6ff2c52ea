/**
 * Opens the access log when the process or policy asks for one, and takes it out of the way of calls when nobody does. What
 * writes it is loaded then: most processes have none.
 */

import { type OutcomeRecord, systemRandom } from "@inmesh/core";
import type { Snapshot, TelemetryPolicy } from "@inmesh/model";
import { logsAsked } from "@inmesh/telemetry";
import type { AccessLog, AccessLogReading } from "@inmesh/telemetry/access-log";
import type { DataPlane } from "../plane/data-plane.js";
import type { TelemetryPart } from "./telemetry.js";

/** Outcomes that wait for what writes them; later ones are lost, and that is said. */
const MOST_WAITING = 1_000;

export class AccessLogPart implements TelemetryPart {
  readonly #plane: DataPlane;
  #log: AccessLog | undefined;
  #opening: Promise<void> | undefined;
  #remove: (() => void) | undefined;
  #closed = false;
  readonly #unsubscribe: () => void;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    this.#unsubscribe = plane.store.subscribe((snapshot) => this.#judge(snapshot));
    this.#judge(plane.store.current);
  }

  /** Where lines go and went; empty where nobody asks for any. */
  read(): readonly AccessLogReading[] {
    return this.#log?.read() ?? [];
  }

  async flush(timeoutMs: number): Promise<void> {
    await this.#opening;
    await this.#log?.flush(timeoutMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe();
    this.#remove?.();
    await this.#opening;
    await this.#log?.close();
  }

  #judge(snapshot: Snapshot | undefined): void {
    const { accessLog } = this.#plane.settings;
    const wanted = accessLog !== "off" && (accessLog !== undefined || asks(snapshot?.telemetry));
    if (this.#closed) return;
    if (wanted && this.#log === undefined) {
      this.#opening ??= this.#openLate().catch((error: unknown) => {
        this.#opening = undefined;
        this.#plane.log.scope("access-log").error(`there is no access log: ${String(error)}`);
      });
    } else if (wanted)
      this.#remove ??= this.#plane.engine.sinks.add(this.#log!); // it is there
    else {
      this.#remove?.();
      this.#remove = undefined;
    }
  }

  /** What happens while it is loaded waits for it, so that it is whole from the moment the mesh is ready. */
  async #openLate(): Promise<void> {
    const { sinks } = this.#plane.engine;
    const waiting: OutcomeRecord[] = [];
    let lost = 0;
    const stop = sinks.add({
      ended: (record) => {
        if (waiting.length < MOST_WAITING) waiting.push(record.keep());
        else lost += 1;
      },
    });
    try {
      await this.#open();
    } finally {
      stop();
    }
    if (this.#remove !== undefined) for (const record of waiting) this.#log?.ended(record);
    if (lost > 0) this.#plane.log.scope("access-log").warn(`${lost} lines were lost while the access log was loaded`);
  }

  async #open(): Promise<void> {
    const { AccessLog: Log } = await import("@inmesh/telemetry/access-log");
    if (this.#closed) return;
    const { settings, clock, store, engine, events, log, instance } = this.#plane;
    const { accessLog } = settings;
    this.#log = new Log(accessLog, {
      ...{ clock, random: systemRandom },
      policy: () => store.current?.telemetry,
      service: `${settings.service}.${settings.namespace}`,
      workload: instance,
      stdout: () => process.stdout,
      stderr: () => process.stderr,
      openLogs: async () => {
        if (!logsAsked(process.env)) return undefined;
        const { openLogs } = await import("@inmesh/telemetry/logs");
        const { service, namespace, labels } = settings;
        const warn = (message: string): void => log.scope("access-log").warn(message);
        return openLogs({
          ...{ env: process.env, service, namespace, instance, warn },
          version: labels["version"] ?? "",
        });
      },
      onNotice: (message) => {
        events.add("access-log", message);
        log.scope("access-log").warn(message);
      },
    });
    this.#remove = engine.sinks.add(this.#log);
    this.#judge(store.current);
  }
}

function asks(policy: TelemetryPolicy | undefined): boolean {
  return policy !== undefined && policy.client.accessLogs.length + policy.server.accessLogs.length > 0;
}
