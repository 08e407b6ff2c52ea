/** Everything by which a process is seen, behind one door: each part is a file of this folder, opened and closed here. */

import type { DataPlane } from "../plane/data-plane.js";

export class Telemetry {
  readonly #parts: TelemetryPart[] = [];

  /** In the order in which they are flushed and closed. */
  add(part: TelemetryPart): void {
    this.#parts.push(part);
  }

  /** What is under way is written; the last step of a drain (pitfalls O7). Never rejects. */
  async flush(timeoutMs: number): Promise<void> {
    await Promise.allSettled(this.#parts.map((part) => part.flush?.(timeoutMs)));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#parts.map((part) => part.close()));
  }
}

export interface TelemetryPart {
  flush?(timeoutMs: number): Promise<void>;
  close(): Promise<void> | void;
}

export type OpenPart = (plane: DataPlane) => TelemetryPart | Promise<TelemetryPart>;
