/** Where the certificates of all processes come from, and what may befall it. */

import { type AuthorityFolder, addRoot, rotateIntermediate, useNextRoot } from "@inmesh/identity/ca";

export interface Supply extends AsyncDisposable {
  readonly name: string;
  /** What a leaf lives, in ms. It is renewed at half of that. */
  readonly ttlMs: number;
  readonly folder: AuthorityFolder;
  /** Variables of a process, before it starts. @param service its name */
  environment(service: string): Promise<Readonly<Record<string, string>>>;
  /** Nothing is issued any more. The last leaves are fresh when this resolves. */
  away(): Promise<void>;
  back(): Promise<void>;
  /** While `during` runs nothing that this writes reaches the disk. Undefined: it cannot be done here. @returns what was refused, in words */
  fullDisk?(during: () => Promise<void>): Promise<string>;
  /** Leaves issued so far. */
  issued(): Promise<number>;
}

export async function rotateLeaves({ folder }: Supply): Promise<void> {
  await rotateIntermediate(folder);
}

/** So long all trust both before the new one signs, in ms: looks are 5 s apart where no watch tells. */
export const OVERLAP_MS = 6_000;

export async function announceRoot({ folder }: Supply): Promise<void> {
  await addRoot(folder);
}

export async function useRoot({ folder }: Supply): Promise<void> {
  await useNextRoot(folder, { force: true });
}
