/**
 * One writer of a folder at a time, across processes. Each contender makes a file with a name of its own and then looks
 * around: only who is alone goes on, so two never both do. Of several, the first by name stays and looks again while the
 * others withdraw and try later; all withdrawing would let many who start at once keep each other out for seconds. The
 * file of a process that died can be removed by anybody at any time, since no living process will ever use that name.
 */

import { join } from "node:path";
import { MeshError } from "../errors.js";
import { type Clock, sleep } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Host } from "../snapshot/host.js";
import { errorCode, type FileSystem, ignoreMissing } from "./files.js";

export interface FolderLockOptions {
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
}

export interface HeldLock {
  /** @throws {MeshError} CONFIG_UNAVAILABLE when others took this process for dead meanwhile */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** Start of the name of a lock file. */
export const LOCK = ".inmesh-lock-";

/** In ms: longest wait for the lock. */
const PATIENCE_MS = 15_000;
/** In ms: an apply takes a few. A holder that shows no sign for this long is stopped, or dead on another machine. */
const ABANDONED_MS = 10_000;
/** In ms: whoever stays takes a new name after this long, before others take him for abandoned. */
const STAY_MS = 3_000;
/** In ms, up to. */
const RETRY_MS = 40;
/** In ms, up to: how soon whoever stays looks again. */
const LOOK_MS = 10;

/** @throws {MeshError} CONFIG_UNAVAILABLE when the folder cannot be written or others hold the lock for too long */
export async function lockFolder({ directory, files, clock, random, host }: FolderLockOptions): Promise<HeldLock> {
  const began = clock.now();
  const firstSeen = new Map<string, number>();
  const said = JSON.stringify({ host: host.id, pid: process.pid, started: host.startOf(process.pid) ?? "" });
  for (;;) {
    const name = `${LOCK}${process.pid}-${random.int(0x3fffffff).toString(36)}`;
    const path = join(directory, name);
    await files.create(path, said, 0o600).catch((error: unknown) => {
      throw new MeshError("CONFIG_UNAVAILABLE", `${directory} cannot be written: ${errorCode(error)}`, {
        cause: error,
      });
    });
    const release = () => files.remove(path).catch(ignoreMissing);
    const made = clock.now();
    try {
      for (;;) {
        const names = (await files.names(directory)).filter((other) => other.startsWith(LOCK));
        const live: string[] = [];
        for (const other of names) if (other !== name && (await isLive(other))) live.push(other);
        const mine = names.includes(name); // somebody may have taken this process for dead
        if (live.length === 0 && mine) return { check: () => check(path), release };
        if (clock.now() - began > PATIENCE_MS) {
          const holder = join(directory, live[0] ?? "");
          throw new MeshError(
            "CONFIG_UNAVAILABLE",
            `another process is changing ${directory}; if none is, remove ${holder}`,
          );
        }
        if (!mine || clock.now() - made > STAY_MS || live.some((other) => other < name)) break;
        await sleep(clock, 1 + LOOK_MS * random.next());
      }
    } catch (error) {
      await release();
      throw error;
    }
    await release();
    await sleep(clock, 1 + RETRY_MS * random.next());
  }

  async function isLive(other: string): Promise<boolean> {
    const path = join(directory, other);
    const seen = firstSeen.get(other) ?? clock.now();
    firstSeen.set(other, seen);
    const text = await files.read(path).catch(() => undefined);
    if (text === undefined) return false; // released just now
    if (clock.now() - seen < ABANDONED_MS && !isDead(text, host)) return true;
    await files.remove(path).catch(ignoreMissing);
    return false;
  }

  async function check(path: string): Promise<void> {
    await files.stat(path).catch((error: unknown) => {
      throw new MeshError("CONFIG_UNAVAILABLE", `the lock on ${directory} was lost, nothing more is written`, {
        cause: error,
      });
    });
  }
}

/** Only a process of this machine can be known to be dead. A text that is not complete yet says nothing. */
function isDead(text: string, host: Host): boolean {
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said !== "object" || said === null) return false;
    const { host: id, pid, started } = said as Record<string, unknown>;
    if (id !== host.id || typeof pid !== "number" || pid < 1) return false;
    if (!host.exists(pid)) return true;
    const startOfPid = host.startOf(pid);
    return started !== "" && startOfPid !== undefined && startOfPid !== started;
  } catch {
    return false;
  }
}
