/**
 * Changes to the authority of a folder, each under its lock and in force with one rename. A root changes in two steps,
 * so that nobody meets a leaf whose root it does not know: first all trust the new one beside the old one, then the new
 * one signs; the old one stays trusted until the last leaf below it is gone.
 */

import { createPublicKey, type KeyObject } from "node:crypto";
import type { HeldLock } from "@inmesh/core/internal";
import type { Certificate } from "../x509/certificate.js";
import type { AuthorityFolder, LoadedAuthority, LoadedRoot } from "./authority-folder.js";
import { AuthorityProblem } from "./authority-problem.js";
import type { RootRecord } from "./authority-record.js";
import { DEFAULT_TTL_MS, HOUR_MS } from "./certificate-authority.js";
import type { IssueEntry } from "./issue-log.js";
import { type KeyAndCertificate, makeIntermediate, makeRoot } from "./make-authority.js";

/** How long every process has had a new root before it signs. In ms. They read it within seconds. */
export const OVERLAP_MS = 300_000;
/** A process that has not noticed yet signs with the old intermediate for a while; clocks differ. In ms. */
const MARGIN_MS = HOUR_MS;

export interface InitOptions {
  /** The own one first. */
  readonly trustDomains: readonly string[];
  /** @default 24 hours */
  readonly maxTtlMs?: number;
  /** An existing one. @default a new one */
  readonly root?: KeyAndCertificate;
  /** Is given the root before anything is in force; its key is then not kept in the folder. */
  readonly keepRoot?: (root: KeyAndCertificate) => Promise<void>;
}

/** @returns false when there is one already: it stays as it is @throws {AuthorityProblem} */
export async function initAuthority(folder: AuthorityFolder, options: InitOptions): Promise<boolean> {
  await folder.make();
  return folder.locked(async (lock) => {
    if ((await folder.signature()) !== "") return false;
    const { trustDomains, maxTtlMs = DEFAULT_TTL_MS, keepRoot } = options;
    const [own = ""] = trustDomains;
    const now = folder.clock.wallTime();
    const root = options.root ?? makeRoot(own, now);
    const intermediate = makeIntermediate(own, root, now);
    await keepRoot?.(root);
    const rootName = await folder.addPair("root", root, keepRoot === undefined ? root.key : undefined);
    const name = await folder.addPair("intermediate", intermediate, intermediate.key);
    const roots: RootRecord[] = [{ name: rootName, state: "active", addedAt: now }];
    await folder.write({ version: 1, trustDomains, maxTtlMs, intermediate: name, roots }, lock);
    await tell(folder, "made", root.certificate, own);
    return true;
  });
}

export interface RotateOptions {
  /** Of the root, where it is kept elsewhere. */
  readonly rootKey?: KeyObject;
  /** Only when the intermediate is still this one, by fingerprint: somebody else may have been faster. */
  readonly instead?: string;
}

/** A new intermediate; leaves of the old one hold on. @returns undefined when `instead` was no longer in use */
export async function rotateIntermediate(
  folder: AuthorityFolder,
  options: RotateOptions = {},
): Promise<Certificate | undefined> {
  return change(folder, async ({ record, roots, intermediate }, lock) => {
    if (options.instead !== undefined && intermediate.certificate.fingerprint !== options.instead) return undefined;
    const made = await newIntermediate(folder, active(roots), record.trustDomains[0] ?? "", options.rootKey);
    const name = await folder.addPair("intermediate", made, made.key);
    await folder.write({ ...record, intermediate: name, roots: trusted(record.roots, folder) }, lock);
    await tell(folder, "intermediate", made.certificate, name);
    return made.certificate;
  });
}

/** The first step: a new root that all trust and that signs nothing yet. */
export async function addRoot(
  folder: AuthorityFolder,
  { keepRoot, root }: Pick<InitOptions, "keepRoot" | "root"> = {},
): Promise<Certificate> {
  return change(folder, async ({ record, roots }, lock) => {
    if (roots.some(({ state }) => state === "next"))
      throw new AuthorityProblem(
        "a new root is trusted already and signs nothing yet",
        "Run inmesh ca rotate --root to let it sign.",
      );
    const now = folder.clock.wallTime();
    const made = root ?? makeRoot(record.trustDomains[0] ?? "", now);
    if (roots.some(({ certificate }) => certificate.fingerprint === made.certificate.fingerprint))
      throw new AuthorityProblem("this root is trusted already", "Nothing was changed.");
    await keepRoot?.(made);
    const name = await folder.addPair("root", made, keepRoot === undefined ? made.key : undefined);
    const next: RootRecord = { name, state: "next", addedAt: now };
    await folder.write({ ...record, roots: [...trusted(record.roots, folder), next] }, lock);
    await tell(folder, "root-added", made.certificate, name);
    return made.certificate;
  });
}

export interface UseRootOptions {
  /** Of the new root, where it is kept elsewhere. */
  readonly rootKey?: KeyObject;
  /** Before everybody has had the time to read it. @default false */
  readonly force?: boolean;
}

/** The second step: the new root signs, the old one is trusted until the last leaf below it is gone. */
export async function useNextRoot(
  folder: AuthorityFolder,
  { rootKey, force = false }: UseRootOptions = {},
): Promise<{ readonly root: Certificate; readonly oldUntil: number }> {
  return change(folder, async ({ record, roots }, lock) => {
    const next = roots.find(({ state }) => state === "next");
    if (next === undefined)
      throw new AuthorityProblem("no new root waits to sign", "Run inmesh ca rotate --root to add one.");
    const now = folder.clock.wallTime();
    const waits = next.addedAt + OVERLAP_MS - now;
    if (!force && waits > 0)
      throw new AuthorityProblem(
        `the new root is trusted since ${new Date(next.addedAt).toISOString()} only`,
        `Run this again in ${Math.ceil(waits / 1_000)} s: until then a process may not know it and refuse what it signs.`,
      );
    const made = await newIntermediate(folder, next, record.trustDomains[0] ?? "", rootKey);
    const name = await folder.addPair("intermediate", made, made.key);
    const oldUntil = now + record.maxTtlMs + MARGIN_MS;
    const changed = trusted(record.roots, folder).map((root): RootRecord => {
      const { name: rootName, state, addedAt } = root;
      if (state === "next") return { name: rootName, state: "active", addedAt };
      return state === "active" ? { name: rootName, state: "retired", addedAt, until: oldUntil } : root;
    });
    await folder.write({ ...record, intermediate: name, roots: changed }, lock);
    await tell(folder, "root-used", next.certificate, next.name);
    return { root: next.certificate, oldUntil };
  });
}

/** From now on workloads of this trust domain are named, too. @returns false when they were before */
export async function addTrustDomain(folder: AuthorityFolder, trustDomain: string): Promise<boolean> {
  return change(folder, async ({ record }, lock) => {
    if (record.trustDomains.includes(trustDomain)) return false;
    await folder.write({ ...record, trustDomains: [...record.trustDomains, trustDomain] }, lock);
    return true;
  });
}

/** Roots that hold at this time. */
export function isTrusted({ until = Number.POSITIVE_INFINITY }: RootRecord, wallTime: number): boolean {
  return wallTime < until;
}

export function noAuthority(directory: string): AuthorityProblem {
  return new AuthorityProblem(
    `there is no CA in ${directory}`,
    "Make one: inmesh ca init, or start a process of the mesh.",
  );
}

async function change<Result>(
  folder: AuthorityFolder,
  act: (loaded: LoadedAuthority, lock: HeldLock) => Promise<Result>,
): Promise<Result> {
  if ((await folder.signature()) === "") throw noAuthority(folder.directory);
  return folder.locked(async (lock) => {
    const loaded = await folder.load();
    if (loaded === undefined) throw noAuthority(folder.directory);
    return act(loaded, lock);
  });
}

function trusted(roots: readonly RootRecord[], { clock }: AuthorityFolder): readonly RootRecord[] {
  return roots.filter((root) => isTrusted(root, clock.wallTime()));
}

function active(roots: readonly LoadedRoot[]): LoadedRoot {
  return roots.find(({ state }) => state === "active") as LoadedRoot; // the record has exactly one
}

async function newIntermediate(
  folder: AuthorityFolder,
  root: LoadedRoot,
  trustDomain: string,
  given: KeyObject | undefined,
): Promise<KeyAndCertificate> {
  const now = folder.clock.wallTime();
  const { certificate, name } = root;
  const key = given ?? (await folder.rootKey(root))?.key;
  if (key === undefined)
    throw new AuthorityProblem(
      `the key of ${name} is not in ${folder.directory}`,
      "It was kept elsewhere when the root was made: give it with --root-key FILE.",
    );
  if (!createPublicKey(key).equals(certificate.publicKey))
    throw new AuthorityProblem(
      `the key does not belong to ${name}`,
      `The certificate that it must fit is ${name}.pem in ${folder.directory}.`,
    );
  const at = (time: number) => new Date(time).toISOString();
  if (now < certificate.notBefore)
    throw new AuthorityProblem(
      `the root is not valid before ${at(certificate.notBefore)}, and the clock here says ${at(now)}`,
      "Set the clock right.",
    );
  if (now >= certificate.notAfter)
    throw new AuthorityProblem(
      `the root expired at ${at(certificate.notAfter)}`,
      "Make a new CA: remove this folder, run inmesh ca init and start every process again.",
    );
  return makeIntermediate(trustDomain, { key, certificate }, now);
}

/** A log that cannot be written stops no rotation. */
async function tell(
  folder: AuthorityFolder,
  event: IssueEntry["event"],
  certificate: Certificate,
  id: string,
): Promise<void> {
  const { serial, notAfter } = certificate;
  const at = new Date(folder.clock.wallTime()).toISOString();
  await folder.log
    .add({ at, event, serial, id, notAfter: new Date(notAfter).toISOString(), pid: process.pid })
    .catch(() => {});
}
