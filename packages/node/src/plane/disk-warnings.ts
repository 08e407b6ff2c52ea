/**
 * One warning for one trouble: on a read-only disk neither the lease nor the state can be written, which the registry
 * and the state file would each tell in words of their own (docs/guides/serverless.md).
 */

import type { Problem } from "@inmesh/model";

/** As much of a Problem as is said. */
export type DiskWarning = Pick<Problem, "code" | "message">;

export interface DiskWarningsOptions {
  readonly write: (message: string) => void;
  /** For display. */
  readonly registry: () => string;
  readonly state: () => StateFolder | undefined;
}

/** As much of a StateFile as is asked. */
export interface StateFolder {
  readonly directory: string;
  /** @returns why a save would fail now */
  obstacle(): Promise<string | undefined>;
}

const NO_LEASE = "IM0704";
const NO_STATE = "IM0707";

export class DiskWarnings {
  readonly #options: DiskWarningsOptions;
  /** Of the state: said alone, or together with the lease. */
  #stateSaid = false;
  /** Whether both were said together. */
  #together: Promise<boolean> | undefined;

  constructor(options: DiskWarningsOptions) {
    this.#options = options;
  }

  /** Takes what the registry and the state file tell. Resolves once it was said. */
  async take({ code, message }: DiskWarning): Promise<void> {
    if (code === NO_STATE) {
      if (await this.#together) return;
      if (!this.#stateSaid) this.#options.write(message);
      this.#stateSaid = true;
      return;
    }
    const folder = code === NO_LEASE && !this.#stateSaid ? this.#options.state() : undefined;
    if (folder !== undefined) this.#together ??= this.#sayTogether(folder);
    if (folder === undefined || !(await this.#together)) this.#options.write(message);
  }

  async #sayTogether(folder: StateFolder): Promise<boolean> {
    const { write, registry } = this.#options;
    const obstacle = await folder.obstacle();
    if (obstacle === undefined) return false;
    write(
      `nothing can be written, neither the lease of this process to ${registry()} nor its state to ${folder.directory} (${obstacle}). Policy is read and followed, calls and servers work; but others do not find this process, and a start while the registry is away has no policy. Set INMESH_STATE_DIR to a folder that this user may write, and make .workloads in the registry writable, or say INMESH_LEASE=never (inmesh help ${NO_LEASE}, ${NO_STATE})`,
    );
    return true;
  }
}
