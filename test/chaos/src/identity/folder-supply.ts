/** The authority in the registry's own folder, whose leaves live for so short that they are renewed every second or two. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, systemClock, systemRandom } from "@inmesh/core";
import { AuthorityFolder, initAuthority, rotateIntermediate } from "@inmesh/identity/ca";
import type { Supply } from "./supply.js";

const DISK_BYTES = 1_048_576;

export class FolderSupply implements Supply {
  readonly name: string;
  readonly ttlMs: number;
  readonly folder: AuthorityFolder;
  readonly fullDisk?: (during: () => Promise<void>) => Promise<string>;
  readonly #directory: string;
  readonly #mounted: boolean;

  private constructor(directory: string, folder: AuthorityFolder, ttlMs: number, mounted: boolean) {
    this.name = `the folder's CA, leaves of ${ttlMs / 1_000} s`;
    this.#directory = directory;
    this.folder = folder;
    this.ttlMs = ttlMs;
    this.#mounted = mounted;
    if (mounted) this.fullDisk = (during) => this.#fill(during);
  }

  /** @param registry its folder, which is there */
  static async open(registry: string, ttlMs: number): Promise<FolderSupply> {
    const directory = join(registry, ".ca");
    mkdirSync(directory, { mode: 0o700 });
    // A disk of its own, that can be full without anybody else's being it.
    const disk = ["-t", "tmpfs", "-o", `size=${DISK_BYTES},mode=700`, "tmpfs", directory];
    const mounted = process.platform === "linux" && spawnSync("mount", disk).status === 0;
    if (!mounted) console.error("SKIPPED, not tested: a full disk under the CA: this user cannot mount one");
    const folder = new AuthorityFolder({ directory, clock: systemClock, random: systemRandom });
    await initAuthority(folder, { trustDomains: ["cluster.local"], maxTtlMs: ttlMs });
    return new FolderSupply(directory, folder, ttlMs, mounted);
  }

  async environment(): Promise<Readonly<Record<string, string>>> {
    return { INMESH_IDENTITY: "ca" };
  }

  /** The folder cannot be read: a file stands in the place of its record. */
  async away(): Promise<void> {
    renameSync(join(this.#directory, "ca.json"), join(this.#directory, "ca.json.away"));
    mkdirSync(join(this.#directory, "ca.json"));
  }

  async back(): Promise<void> {
    rmSync(join(this.#directory, "ca.json"), { recursive: true });
    renameSync(join(this.#directory, "ca.json.away"), join(this.#directory, "ca.json"));
  }

  async issued(): Promise<number> {
    return readFileSync(join(this.#directory, "issued.jsonl"), "utf8").split('"event":"issued"').length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#mounted) spawnSync("umount", ["-l", this.#directory]);
  }

  async #fill(during: () => Promise<void>): Promise<string> {
    const ballast = join(this.#directory, "ballast");
    let refused = "";
    try {
      writeFileSync(ballast, Buffer.alloc(DISK_BYTES));
    } catch {
      // As far as it goes.
    }
    try {
      await rotateIntermediate(this.folder);
    } catch (error) {
      refused = messageOf(error);
    }
    await during();
    rmSync(ballast);
    if (refused === "") throw new Error("a new intermediate was written onto a disk that is full");
    return refused;
  }
}
