/** The folder of an authority on disk: reads what its record names, and adds pairs of keys and certificates to it. */

import { join } from "node:path";
import type { Clock, Random } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import {
  createHost,
  fileErrorCode,
  type HeldLock,
  type Host,
  ignoreMissing,
  LOCK,
  lockFolder,
} from "@inmesh/core/internal";
import { type Certificate, certificatePem, parseChain } from "../x509/certificate.js";
import { privateKeyPem, readPrivateKey } from "../x509/signature.js";
import {
  type AuthorityFiles,
  authorityFiles,
  cannotRead,
  cannotWrite,
  demandPrivate,
  OTHERS_WRITE,
  PRIVATE_FOLDER_MODE,
  readBounded,
  readPrivate,
  writePrivate,
} from "./authority-files.js";
import { AuthorityProblem } from "./authority-problem.js";
import { type AuthorityRecord, formatRecord, parseRecord, type RootRecord } from "./authority-record.js";
import { IssueLog } from "./issue-log.js";
import type { KeyAndCertificate } from "./make-authority.js";

export interface AuthorityFolderOptions {
  /** `.ca` in the folder of a registry, or another place. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  /** @default Node's */
  readonly files?: AuthorityFiles;
  /** @default this machine */
  readonly host?: Host;
}

export interface LoadedRoot extends RootRecord {
  readonly certificate: Certificate;
}

/** All that the record names. */
export interface LoadedAuthority {
  readonly record: AuthorityRecord;
  readonly roots: readonly LoadedRoot[];
  readonly intermediate: KeyAndCertificate;
  /** Of the record's file when it was read. */
  readonly signature: string;
}

const RECORD = "ca.json";
/** Long enough that no two of them meet. In hex digits. */
const NAME_DIGITS = 16;

export class AuthorityFolder {
  readonly directory: string;
  readonly files: AuthorityFiles;
  readonly clock: Clock;
  readonly log: IssueLog;
  readonly #random: Random;
  readonly #host: Host;

  constructor({ directory, clock, random, files = authorityFiles, host = createHost() }: AuthorityFolderOptions) {
    this.directory = directory;
    this.files = files;
    this.clock = clock;
    this.log = new IssueLog(files, directory);
    this.#random = random;
    this.#host = host;
  }

  /** Equal twice: nothing has changed between. Empty without an authority. */
  async signature(): Promise<string> {
    const path = this.#path(RECORD);
    try {
      return (await this.files.stat(path)).signature;
    } catch (error) {
      if (fileErrorCode(error) === "ENOENT") return "";
      throw cannotRead(path, error);
    }
  }

  /** @returns undefined when there is none yet @throws {AuthorityProblem} for one that cannot be used */
  async load(): Promise<LoadedAuthority | undefined> {
    // A rotation may take a key away between the record and the files that it names: then the record is another one.
    for (let tries = 1; ; tries++) {
      const signature = await this.signature();
      if (signature === "") return undefined;
      try {
        return await this.#load(signature);
      } catch (error) {
        if (tries < MOST_TRIES && (await this.signature()) !== signature) continue;
        throw error;
      }
    }
  }

  /** Alone among all processes. @throws {AuthorityProblem} when it cannot be had */
  async locked<Result>(act: (lock: HeldLock) => Promise<Result>): Promise<Result> {
    let lock: HeldLock;
    const { directory, files, clock } = this;
    try {
      lock = await lockFolder({ directory, files, clock, random: this.#random, host: this.#host });
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (cause !== undefined) throw cannotWrite(directory, cause);
      throw new AuthorityProblem(messageOf(error), "Then try again.");
    }
    try {
      return await act(lock);
    } finally {
      await lock.release().catch(() => {});
    }
  }

  /** The folder itself, for this user alone, and out of every repository. */
  async make(): Promise<void> {
    const { directory, files } = this;
    await this.#makeDirectory(directory).catch((error: unknown) => {
      throw cannotWrite(directory, error);
    });
    await demandPrivate(files, directory, OTHERS_WRITE);
    const text = "# Private keys of the mesh. Not for a repository, an image or a backup that others can read.\n*\n";
    await files.create(join(directory, ".gitignore"), text, 0o600).catch((error: unknown) => {
      if (fileErrorCode(error) !== "EEXIST") throw cannotWrite(directory, error);
    });
  }

  /** @param key undefined: it is kept elsewhere @returns the name for the record */
  async addPair(
    kind: "root" | "intermediate",
    { certificate }: { certificate: Certificate },
    key?: KeyAndCertificate["key"],
  ): Promise<string> {
    const name = `${kind}-${certificate.fingerprint.slice(0, NAME_DIGITS)}`;
    if (key !== undefined) await writePrivate(this.files, this.#path(`${name}.key`), privateKeyPem(key));
    await writePrivate(this.files, this.#path(`${name}.pem`), certificatePem(certificate));
    return name;
  }

  /** What counts from now on. @param lock of this folder */
  async write(record: AuthorityRecord, lock: HeldLock): Promise<void> {
    await lock.check();
    await writePrivate(this.files, this.#path(RECORD), formatRecord(record));
    await this.#tidy(record).catch(() => {}); // what is left over harms nobody
  }

  /** @returns undefined when its key is kept elsewhere */
  async rootKey({ name, certificate }: LoadedRoot): Promise<KeyAndCertificate | undefined> {
    const pem = await readPrivate(this.files, this.#path(`${name}.key`)).catch(ignoreMissing);
    return typeof pem === "string" ? { key: readPrivateKey(pem), certificate } : undefined;
  }

  async #load(signature: string): Promise<LoadedAuthority> {
    const { directory, files } = this;
    await demandPrivate(files, directory, OTHERS_WRITE);
    const path = this.#path(RECORD);
    const record = parseRecord(await readPrivate(files, path), path);
    // All at once waited for: one that nobody waits for yet when another is missing would end the process.
    const [certificate, ...roots] = await Promise.all([
      this.#certificate(record.intermediate),
      ...record.roots.map(async (root) => ({ ...root, certificate: await this.#certificate(root.name) })),
    ]);
    const keyPath = this.#path(`${record.intermediate}.key`);
    const pem = await readPrivate(files, keyPath).catch((error: unknown) => {
      throw fileErrorCode(error) === "ENOENT" ? missing(keyPath) : error;
    });
    return {
      record,
      roots,
      intermediate: { certificate, key: readPrivateKey(pem) },
      signature,
    };
  }

  async #certificate(name: string): Promise<Certificate> {
    const path = this.#path(`${name}.pem`);
    const pem = await readBounded(this.files, path).catch((error: unknown) => {
      throw fileErrorCode(error) === "ENOENT" ? missing(path) : error;
    });
    const [certificate, ...more] = parseChain(pem, path);
    if (certificate === undefined || more.length > 0)
      throw new AuthorityProblem(`${path} holds ${more.length + 1} certificates`, "It is not what the CA wrote.");
    return certificate;
  }

  /** Files that a crash or a rotation left, and keys that sign no more. */
  async #tidy({ intermediate, roots }: AuthorityRecord): Promise<void> {
    const kept = new Set([`${intermediate}.pem`, `${intermediate}.key`]);
    for (const { name, state } of roots) kept.add(`${name}.pem`).add(state === "retired" ? "" : `${name}.key`);
    for (const name of await this.files.names(this.directory)) {
      const ours = /^(?:root|intermediate)-[0-9a-f]+\.(?:pem|key)$/.test(name) || name.endsWith(".inmesh-new");
      if (ours && !kept.has(name) && !name.startsWith(LOCK)) await this.files.remove(this.#path(name));
    }
  }

  /** Folders above it, too. */
  async #makeDirectory(path: string): Promise<void> {
    try {
      await this.files.makeDirectory(path, PRIVATE_FOLDER_MODE);
    } catch (error) {
      const code = fileErrorCode(error);
      if (code === "EEXIST") return;
      const above = join(path, "..");
      if (code !== "ENOENT" || above === path) throw error;
      await this.#makeDirectory(above);
      await this.#makeDirectory(path);
    }
  }

  #path(name: string): string {
    return join(this.directory, name);
  }
}

const MOST_TRIES = 5;

function missing(path: string): AuthorityProblem {
  return new AuthorityProblem(
    `${path} is missing, which ca.json names`,
    "Put it back from a copy, or run inmesh ca rotate.",
  );
}
