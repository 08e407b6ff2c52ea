/**
 * The authority of a folder, as a process of the mesh uses it: it reads the keys and signs for itself. Whoever may read
 * them is trusted to name himself. Others change the folder meanwhile; what is signed goes by what it holds then.
 */

import type { KeyObject } from "node:crypto";
import { messageOf } from "@inmesh/core";
import { AuthorityFolder, type AuthorityFolderOptions, type LoadedAuthority } from "./authority-folder.js";
import { AuthorityProblem } from "./authority-problem.js";
import {
  type AuthorityMaterial,
  CertificateAuthority,
  DAY_MS,
  type IssuedCertificate,
} from "./certificate-authority.js";
import { initAuthority, isTrusted, noAuthority, rotateIntermediate } from "./rotation.js";

export interface FolderAuthorityOptions extends AuthorityFolderOptions {
  /** Makes one of this trust domain where there is none. @default not made */
  readonly make?: { readonly trustDomain: string; readonly maxTtlMs?: number };
  /** Told of what somebody should look at, once each. */
  readonly onWarning?: (message: string) => void;
}

/** A new intermediate is made when the old one has less left than this. In ms. */
export const INTERMEDIATE_MARGIN_MS = 60 * DAY_MS;
/** Warned of when the root has less left than this: whoever holds it elsewhere needs time. In ms. */
const ROOT_MARGIN_MS = 365 * DAY_MS;
/** Where nobody tells of changes. In ms. */
const LOOK_MS = 5_000;

export class FolderAuthority {
  readonly #folder: AuthorityFolder;
  readonly #clock: AuthorityFolderOptions["clock"];
  readonly #onWarning: (message: string) => void;
  readonly #warned = new Set<string>();
  #loaded: LoadedAuthority;
  #authority: CertificateAuthority;
  #refreshing: Promise<void> | undefined;

  private constructor(folder: AuthorityFolder, loaded: LoadedAuthority, options: FolderAuthorityOptions) {
    this.#folder = folder;
    this.#clock = options.clock;
    this.#onWarning = options.onWarning ?? (() => {});
    this.#loaded = loaded;
    this.#authority = this.#authorityOf(loaded);
  }

  /** @throws {AuthorityProblem} */
  static async open(options: FolderAuthorityOptions): Promise<FolderAuthority> {
    const folder = new AuthorityFolder(options);
    const { make } = options;
    let loaded = await folder.load();
    if (loaded === undefined && make !== undefined) {
      const { trustDomain, maxTtlMs } = make;
      await initAuthority(folder, { trustDomains: [trustDomain], ...(maxTtlMs !== undefined && { maxTtlMs }) });
      loaded = await folder.load();
    }
    if (loaded === undefined) throw noAuthority(folder.directory);
    return new FolderAuthority(folder, loaded, options);
  }

  /** In words fit to be shown. */
  get description(): string {
    return `the CA in ${this.#folder.directory}`;
  }

  get trustDomains(): readonly string[] {
    return this.#loaded.record.trustDomains;
  }

  /** Roots in PEM by trust domain, as they were at the last look. */
  get bundles(): ReadonlyMap<string, readonly string[]> {
    return this.#authority.bundles;
  }

  /** @throws {AuthorityProblem | SvidProblem} */
  async sign(csr: string, spiffeId: string, ttlMs?: number): Promise<IssuedCertificate> {
    await this.refresh();
    return this.#noted(this.#authority.sign(csr, spiffeId, ttlMs));
  }

  /** As `sign`, for a key of this process itself. @param key its public half */
  async signKey(key: KeyObject, spiffeId: string, ttlMs?: number): Promise<IssuedCertificate> {
    await this.refresh();
    return this.#noted(this.#authority.signKey(key, spiffeId, ttlMs));
  }

  /**
   * Looks at the folder, and makes a new intermediate in time. What cannot be read leaves what was read before in force.
   * @returns whether it has changed
   */
  async refresh(): Promise<boolean> {
    const before = this.#authority;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
    return this.#authority !== before;
  }

  /** Calls `onChange` when `sign` would give another chain or other roots. @returns ends it */
  watch(onChange: () => void): () => void {
    let seen = this.#authority;
    let looking: Promise<void> | undefined;
    let again = false;
    let ended = false;
    const look = (): void => {
      if (looking !== undefined) {
        again = true;
        return;
      }
      looking = this.refresh()
        .then(() => {
          if (this.#authority === seen || ended) return; // whoever signed may have looked first
          seen = this.#authority;
          onChange();
        })
        .catch(() => {})
        .finally(() => {
          looking = undefined;
          if (again && !ended) {
            again = false;
            look();
          }
        });
    };
    const timer = this.#clock.every(LOOK_MS, look);
    const watching = this.#watchFolder(look);
    return () => {
      ended = true;
      timer.cancel();
      watching?.close();
    };
  }

  #watchFolder(look: () => void) {
    const { files, directory } = this.#folder;
    try {
      return files.watch(
        directory,
        ({ name }) => {
          if (name === null || name === "ca.json") look();
        },
        () => {},
      );
    } catch {
      return undefined; // no watches left: the timer looks
    }
  }

  async #refresh(): Promise<void> {
    const before = this.#authority;
    await this.#reload();
    await this.#renew();
    // A retired root goes with the time, too.
    const unchanged = this.#authority === before;
    if (unchanged && this.#trustedRoots(this.#loaded).length !== before.material.roots.length)
      this.#authority = this.#authorityOf(this.#loaded);
  }

  async #reload(): Promise<void> {
    try {
      if ((await this.#folder.signature()) === this.#loaded.signature) return;
      const loaded = await this.#folder.load();
      if (loaded === undefined) throw noAuthority(this.#folder.directory);
      this.#authority = this.#authorityOf(loaded);
      this.#loaded = loaded;
    } catch (error) {
      this.#warn(`the CA as it was read before stays in use: ${messageOf(error)}`);
    }
  }

  async #renew(): Promise<void> {
    const { roots, intermediate } = this.#loaded;
    const { notAfter, fingerprint } = intermediate.certificate;
    const now = this.#clock.wallTime();
    const root = roots.find(({ state }) => state === "active");
    if (root !== undefined && root.certificate.notAfter - now < ROOT_MARGIN_MS)
      this.#warn(`the root of the CA expires at ${at(root.certificate.notAfter)}: run inmesh ca rotate --root`);
    // An intermediate ends with its root, and a new one would, too.
    const ends = root !== undefined && root.certificate.notAfter <= notAfter;
    if (ends || notAfter - now >= INTERMEDIATE_MARGIN_MS) return;
    try {
      await rotateIntermediate(this.#folder, { instead: fingerprint });
      await this.#reload();
    } catch (error) {
      this.#warn(`the intermediate of the CA expires at ${at(notAfter)} and is not renewed: ${messageOf(error)}`);
    }
  }

  async #noted(issued: IssuedCertificate): Promise<IssuedCertificate> {
    const { log } = this.#folder;
    const { serial, spiffeId: id, notAfter } = issued;
    try {
      const entry = {
        at: at(this.#clock.wallTime()),
        event: "issued",
        serial,
        id,
        notAfter: at(notAfter),
        pid: process.pid,
      } as const;
      await log.add(entry);
      if (await log.isFull()) await this.#folder.locked(() => log.turn());
    } catch (error) {
      // Whoever waits for it should not stand still for a line in a log.
      this.#warn(`the CA's log of what it issued cannot be written: ${messageOf(error)}`);
    }
    return issued;
  }

  #authorityOf(loaded: LoadedAuthority): CertificateAuthority {
    const { record, intermediate, roots } = loaded;
    const active = roots.find(({ state }) => state === "active")?.certificate;
    const { certificate, key } = intermediate;
    if (
      active === undefined ||
      !certificate.x509.checkIssued(active.x509) ||
      !certificate.x509.verify(active.publicKey)
    )
      throw new AuthorityProblem(
        `${record.intermediate}.pem in ${this.#folder.directory} is not signed by the active root`,
        "Run inmesh ca rotate.",
      );
    const { trustDomains, maxTtlMs } = record;
    const material: AuthorityMaterial = {
      trustDomains,
      maxTtlMs,
      key,
      chain: [certificate],
      roots: this.#trustedRoots(loaded),
    };
    return new CertificateAuthority(material, () => this.#clock.wallTime());
  }

  #trustedRoots({ roots }: LoadedAuthority) {
    const now = this.#clock.wallTime();
    return roots.filter((root) => isTrusted(root, now)).map(({ certificate }) => certificate);
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    if (this.#warned.size >= MOST_WARNINGS) this.#warned.clear();
    this.#warned.add(message);
    this.#onWarning(message);
  }
}

const MOST_WARNINGS = 100;

function at(wallTime: number): string {
  return new Date(wallTime).toISOString();
}
