/** Files that somebody else renews: an authority of the chaos, which writes a new leaf for every process each second. */

import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock, systemRandom } from "@inmesh/core";
import { AuthorityFolder, FolderAuthority } from "@inmesh/identity/ca";
import { spiffeId } from "@inmesh/model";
import type { Supply } from "./supply.js";

const TRUST_DOMAIN = "cluster.local";
const EVERY_MS = 1_000;

export class FileSupply implements Supply {
  readonly name = "files, written anew every second";
  readonly ttlMs: number;
  readonly folder: AuthorityFolder;
  readonly #root: string;
  readonly #authority: FolderAuthority;
  readonly #services = new Set<string>();
  #writing: Promise<void> | undefined;
  #over = false;
  #issued = 0;
  #cut = false;

  private constructor(root: string, folder: AuthorityFolder, authority: FolderAuthority, ttlMs: number) {
    this.#root = root;
    this.folder = folder;
    this.#authority = authority;
    this.ttlMs = ttlMs;
  }

  static async open(ttlMs: number): Promise<FileSupply> {
    const root = mkdtempSync(join(tmpdir(), "inmesh-supply-"));
    const options = { directory: join(root, "ca"), clock: systemClock, random: systemRandom };
    const authority = await FolderAuthority.open({ ...options, make: { trustDomain: TRUST_DOMAIN } });
    const supply = new FileSupply(root, new AuthorityFolder(options), authority, ttlMs);
    await supply.back();
    return supply;
  }

  async environment(service: string): Promise<Readonly<Record<string, string>>> {
    mkdirSync(join(this.#root, service), { recursive: true });
    await this.#write(service);
    this.#services.add(service);
    return { INMESH_IDENTITY: `files:${join(this.#root, service)}` };
  }

  async away(): Promise<void> {
    this.#over = true;
    await this.#writing;
    await this.#writeAll();
  }

  async back(): Promise<void> {
    this.#over = false;
    this.#writing = this.#writeOn();
  }

  async issued(): Promise<number> {
    return this.#issued;
  }

  /** What a writer leaves on a full disk: an empty file. */
  async fullDisk(during: () => Promise<void>): Promise<string> {
    this.#cut = true;
    await during();
    this.#cut = false;
    return "private keys of no length, in place of the ones before";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#writing;
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #writeOn(): Promise<void> {
    while (!this.#over) {
      await this.#writeAll();
      await delay(EVERY_MS);
    }
  }

  async #writeAll(): Promise<void> {
    for (const service of this.#services) await this.#write(service);
  }

  async #write(service: string): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const id = spiffeId(TRUST_DOMAIN, "shop", service);
    const { certificateChain, bundles } = await this.#authority.signKey(publicKey, id, this.ttlMs);
    this.#put(service, "tls.key", this.#cut ? "" : String(privateKey.export({ type: "pkcs8", format: "pem" })));
    this.#put(service, "tls.crt", certificateChain);
    this.#put(service, "ca.crt", bundles.get(TRUST_DOMAIN)?.join("") ?? "");
    this.#issued += 1;
  }

  #put(service: string, file: string, text: string): void {
    const draft = join(this.#root, `${service}-${file}`);
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, join(this.#root, service, file));
  }
}
