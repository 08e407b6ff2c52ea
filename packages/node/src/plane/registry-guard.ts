/**
 * The registry's word as a mesh takes it: a service does not become unknown with its last instance, a mass of instances
 * that a server's registry loses at once is not given up at once, and the log says when the registry is away.
 */

import type { Clock, PipelineStatus, Source } from "@inmesh/core";
import { AbsenceLog, durationText, ProtectedSource, RememberedServices } from "@inmesh/core/internal";
import type { Log } from "../log.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import type { OpenRegistry } from "./open-registry.js";

export interface RegistryGuardOptions {
  readonly registry: Pick<OpenRegistry, "url" | "source" | "state" | "server" | "farewells">;
  readonly settings: Pick<MeshSettings, "protectionMs" | "protectionPercent" | "protectionLeast">;
  readonly clock: Clock;
  readonly log: Pick<Log, "warn" | "info">;
  /** For the event log, whatever the level of the other. */
  readonly onEvent: (message: string) => void;
  readonly pipeline: () => PipelineStatus | undefined;
}

export class RegistryGuard {
  /** To be read in place of the registry's own. */
  readonly source: Source;
  readonly #protected: ProtectedSource | undefined;
  readonly #absence: AbsenceLog | undefined;

  constructor({ registry, settings, clock, log, onEvent, pipeline }: RegistryGuardOptions) {
    const { source, server, farewells, state, url } = registry;
    const say = (write: (message: string) => void) => (message: string) => {
      write(message);
      onEvent(message);
    };
    const [warn, info] = [say(log.warn), say(log.info)];
    // Of a folder or of memory every reader sees for itself who is there: nobody in between can forget them.
    this.#protected =
      server === undefined
        ? undefined
        : new ProtectedSource({
            ...{ source, clock },
            windowMs: settings.protectionMs,
            percent: settings.protectionPercent,
            least: settings.protectionLeast,
            farewells: farewells === true,
            onHeld: (message, level) => (level === "info" ? info(message) : warn(message)),
          });
    this.source = new RememberedServices({ source: this.#protected ?? source, clock });
    this.#absence =
      state &&
      new AbsenceLog({
        ...{ clock, warn, info },
        direct: server === undefined,
        status: () => source.status,
        registry: () => url,
        meanwhile: () => meanwhile(pipeline(), clock),
      });
  }

  /** Nobody listens at `address:port`, as a call found out. */
  closed(endpoint: string): void {
    this.#protected?.refused(endpoint);
  }

  close(): void {
    this.#absence?.close();
  }
}

function meanwhile(status: PipelineStatus | undefined, clock: Clock): string {
  const { version = 0, fromState = false, stateSavedAt } = status ?? {};
  if (version === 0) return "Nothing is in force yet, and calls wait: no state was kept from an earlier run";
  if (!fromState || stateSavedAt === undefined) return "What it said last stays in force";
  return `The state saved ${durationText(Math.max(0, clock.wallTime() - stateSavedAt))} ago is in force`;
}
