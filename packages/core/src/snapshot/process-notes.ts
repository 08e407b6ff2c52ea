/**
 * Where processes of this user and machine are, while their registry keeps no leases: a file for each, so that the commands of an
 * operator find their admin endpoints. Nobody is called because of them.
 */

import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists } from "./host.js";
import type { Lease, LeaseHandle, LeaseSpec, Registrar } from "./source.js";

/** In the directory of states, beside those of each registry. */
const FOLDER = "processes";
const ENDING = ".json";
/** A note of a process that is gone is left to readers for so long: in another container its number says nothing. In ms. */
const FORGOTTEN_MS = 86_400_000;
const MOST_BYTES = 65_536;

export interface ProcessNotesOptions {
  /** The one that holds the states of this user: parent of `stateDirectory`. */
  readonly directory: string;
  /** For display, without anything secret. */
  readonly registry: string;
  /** Ms since 1970. */
  readonly wallTime: () => number;
}

interface Note extends LeaseSpec {
  readonly registry: string;
}

/** Fails in silence: a disk that takes nothing makes a process no worse, it is asked by its address. */
export class ProcessNotes implements Registrar {
  readonly #options: ProcessNotesOptions;

  constructor(options: ProcessNotesOptions) {
    this.#options = options;
  }

  async register(lease: LeaseSpec): Promise<LeaseHandle> {
    const { directory, registry } = this.#options;
    const folder = join(directory, FOLDER);
    const path = join(folder, `${lease.pid}-${lease.instance}${ENDING}`);
    let note: Note = { ...lease, registry };
    const write = async (): Promise<void> => {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await writeFile(`${path}.tmp`, JSON.stringify(note), { mode: 0o600 });
        await rename(`${path}.tmp`, path); // so that nobody reads half of it
      } catch {}
    };
    await write();
    await this.#sweep(folder);
    return {
      update: async (change) => {
        note = { ...note, ...change };
        await write();
      },
      remove: () => rm(path, { force: true }).catch(() => {}),
    };
  }

  /** Of processes that ended without a word. */
  async #sweep(folder: string): Promise<void> {
    const now = this.#options.wallTime();
    for (const name of await readdir(folder).catch(() => [])) {
      const pid = Number.parseInt(name, 10);
      if (!name.endsWith(ENDING) || isAlive(pid)) continue;
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && now - found.mtimeMs > FORGOTTEN_MS) await rm(path, { force: true }).catch(() => {});
    }
  }
}

/** Of processes that are alive and whose registry is meant. Never rejects. */
export async function readProcessNotes(
  directory: string,
  isMeant: (registry: string) => boolean,
): Promise<readonly Lease[]> {
  const folder = join(directory, FOLDER);
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(ENDING)).sort();
  const notes = await Promise.all(
    names.map(async (name): Promise<readonly Lease[]> => {
      try {
        const text = await readFile(join(folder, name), "utf8");
        const note = text.length > MOST_BYTES ? undefined : (JSON.parse(text) as Partial<Note>);
        return note !== undefined && isNote(note) && isMeant(note.registry) && isAlive(note.pid) ? [leaseOf(note)] : [];
      } catch {
        return []; // gone, or of somebody else
      }
    }),
  );
  return notes.flat();
}

function isNote(note: Partial<Note>): note is Note {
  const { registry, namespace, service, instance, pid, ports, labels } = note;
  const texts = [registry, namespace, service, instance].every((text) => typeof text === "string");
  return texts && Number.isInteger(pid) && Array.isArray(ports) && typeof labels === "object" && labels !== null;
}

function leaseOf({ registry: _, ...lease }: Note): Lease {
  return { ...lease, name: `${lease.namespace}.${lease.service}.${lease.instance}` };
}

function isAlive(pid: number | undefined): boolean {
  return pid !== undefined && pid > 0 && exists(pid);
}
