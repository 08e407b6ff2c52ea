/** Writes the leases of this process and renews them. Serving goes on when it cannot: a lease is tried again and again. */

import { join } from "node:path";
import type { Problem } from "@inmesh/model";
import { backoffMs } from "../runtime/backoff.js";
import type { Clock, Timer } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Host } from "../snapshot/host.js";
import { leaseName } from "../snapshot/lease-name.js";
import { registryProblem } from "../snapshot/registry-problem.js";
import type { LeaseHandle, LeaseSpec, Registrar } from "../snapshot/source.js";
import { errorCode, type FileSystem, writeAtomically } from "./files.js";
import { formatLease, leaseFile, stampOf } from "./lease-file.js";

export interface FolderRegistrarOptions {
  /** The folder of leases, made when its parent exists. */
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
  /** Told once when writing begins to fail, and again only after it had worked in between. */
  readonly onWarning: (warning: Problem) => void;
}

/** Renewals per lifetime: two may be lost. */
const RENEWALS_PER_TTL = 3;
const RETRY = { baseMs: 250, maxMs: 10_000 };

export class FolderRegistrar implements Registrar {
  readonly #options: FolderRegistrarOptions;
  readonly #held = new Map<string, HeldLease>();
  #failing: Problem | undefined;

  constructor(options: FolderRegistrarOptions) {
    this.#options = options;
  }

  /** Why leases cannot be written at the moment, or undefined. */
  get problem(): Problem | undefined {
    return this.#failing;
  }

  /** @throws {MeshError} CONFIG_INVALID for a name that is no DNS label, or taken by this process already */
  async register(spec: LeaseSpec): Promise<LeaseHandle> {
    const name = leaseName(spec);
    await this.#held.get(name)?.remove(); // the same instance registered again: the newer knows better
    const lease = new HeldLease(spec, this.#options, (error) => this.#report(name, error));
    this.#held.set(name, lease);
    await lease.write();
    return {
      get failures() {
        return lease.failures;
      },
      update: (change) => lease.update(change),
      remove: () => {
        if (this.#held.get(name) === lease) this.#held.delete(name);
        return lease.remove();
      },
    };
  }

  /** Writes again at once what someone removed, or what could not be written while the folder was away. */
  check(present: ReadonlySet<string>): void {
    for (const lease of this.#held.values()) if (!present.has(lease.file)) lease.restore();
  }

  /** For the process's last moment: removes what it can without waiting. */
  removeAllSync(): void {
    for (const lease of this.#held.values()) lease.removeSync();
  }

  async close(): Promise<void> {
    const leases = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(leases.map((lease) => lease.remove()));
  }

  #report(name: string, error: unknown): void {
    if (error === undefined) this.#failing = undefined;
    else if (this.#failing === undefined) {
      const { directory, onWarning } = this.#options;
      const message = `lease ${name} cannot be written to ${directory}: ${errorCode(error)}. Others do not find this process until it can; it is tried again until then.`;
      this.#failing = registryProblem("IM0704", "warning", message, { file: leaseFile(name) });
      onWarning(this.#failing);
    }
  }
}

class HeldLease {
  readonly file: string;
  readonly #options: FolderRegistrarOptions;
  readonly #onWritten: (error: unknown) => void;
  readonly #path: string;
  #spec: LeaseSpec;
  /** Starts anywhere: a successor of the same name must not look like a renewal. */
  #sequence: number;
  /** What the file says, as far as we know. */
  #written: LeaseSpec | undefined;
  /** So far. */
  failures = 0;
  /** In a row. */
  #failures = 0;
  #timer: Timer | undefined;
  #removed = false;
  /** Writes and removals, one after the other: a late write must not bring back a removed lease. */
  #last: Promise<void> = Promise.resolve();

  constructor(spec: LeaseSpec, options: FolderRegistrarOptions, onWritten: (error: unknown) => void) {
    this.#spec = spec;
    this.#options = options;
    this.#onWritten = onWritten;
    this.file = leaseFile(leaseName(spec));
    this.#path = join(options.directory, this.file);
    this.#sequence = options.random.int(1_000);
  }

  /** Resolves after one try; a failed one is repeated later. */
  write(): Promise<void> {
    this.#last = this.#last.then(() => this.#write());
    return this.#last;
  }

  update(change: Partial<LeaseSpec>): Promise<void> {
    const { namespace, service, instance } = this.#spec;
    this.#spec = { ...this.#spec, ...change, namespace, service, instance }; // its name is its identity
    return this.write();
  }

  restore(): void {
    // Before the first success a try is under way or its retry is timed; a folder that came back is worth one now.
    if (this.#removed || this.#timer === undefined) return;
    this.#written = undefined;
    void this.write();
  }

  remove(): Promise<void> {
    if (!this.#removed) {
      this.#removed = true;
      this.#timer?.cancel();
      this.#last = this.#last.then(async () => {
        // What cannot be removed expires.
        await this.#options.files.remove(this.#path).catch(() => {});
        this.#timer?.cancel();
      });
    }
    return this.#last;
  }

  removeSync(): void {
    const { files, host } = this.#options;
    if (this.#removed) return;
    this.#removed = true;
    try {
      const text = files.readSync(this.#path);
      // A successor of the same name may have registered already.
      const ours = text.includes(`pid: "${this.#spec.pid}"`) && text.includes(JSON.stringify(host.id));
      if (ours) files.removeSync(this.#path);
    } catch {
      // It expires.
    }
  }

  async #write(): Promise<void> {
    if (this.#removed) return;
    this.#timer?.cancel();
    const { clock, random } = this.#options;
    let waitMs = this.#spec.ttlMs / RENEWALS_PER_TTL;
    try {
      if (this.#written !== this.#spec || !(await this.#renewed())) await this.#writeText();
      this.#failures = 0;
      this.#onWritten(undefined);
    } catch (error) {
      this.#written = undefined;
      this.#failures += 1;
      this.failures += 1;
      waitMs = Math.min(waitMs, backoffMs(RETRY, this.#failures, random));
      this.#onWritten(error);
    }
    this.#timer = clock.after(waitMs, () => void this.write());
    if (this.#removed) this.#timer.cancel();
  }

  /** False when the file is not there any more. */
  async #renewed(): Promise<boolean> {
    const { files, clock } = this.#options;
    try {
      await files.touch(this.#path, stampOf(this.#sequence, clock.wallTime()));
      return true;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  async #writeText(): Promise<void> {
    const { files, directory, clock, host } = this.#options;
    const spec = this.#spec;
    await prepare(files, directory);
    this.#sequence += 1;
    const text = formatLease(spec, this.#sequence, { host: host.id, started: host.startOf(spec.pid) ?? "" });
    const changedAt = stampOf(this.#sequence, clock.wallTime());
    await writeAtomically(files, this.#path, text, { mode: 0o600, changedAt });
    this.#written = spec;
  }
}

/** The folder of leases names every process of the mesh, and its admin address: for this user's eyes only. */
async function prepare(files: FileSystem, directory: string): Promise<void> {
  try {
    await files.makeDirectory(directory, 0o700);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    // Made by hand or by another umask. Only its owner can change that; a reader's job is elsewhere.
    if (((await files.mode(directory).catch(() => 0)) & 0o077) !== 0)
      await files.changeMode(directory, 0o700).catch(() => {});
  }
}
