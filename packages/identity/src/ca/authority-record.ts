/** `ca.json`: which of the files in an authority's folder count, and as what. It is replaced whole; all else is never changed. */

import { AuthorityProblem } from "./authority-problem.js";

/**
 * `next`: trusted, signs nothing yet. `active`: signs intermediates. `retired`: trusted until the last leaf below it is gone.
 */
export type RootState = "next" | "active" | "retired";

export interface RootRecord {
  /** Of its files, without their ends: `root-1b20c3d4`. */
  readonly name: string;
  readonly state: RootState;
  /** Wall time, ms since 1970. */
  readonly addedAt: number;
  /** Of a retired one: no longer trusted from then on. */
  readonly until?: number;
}

export interface AuthorityRecord {
  readonly version: 1;
  readonly trustDomains: readonly string[];
  readonly maxTtlMs: number;
  /** Of its files, without their ends. */
  readonly intermediate: string;
  /** Exactly one of them is active, at most one is next. */
  readonly roots: readonly RootRecord[];
}

const NAME = /^(?:root|intermediate)-[0-9a-f]{8,64}$/;
const DOMAIN = /^[a-z0-9._-]{1,255}$/;
const STATES: readonly string[] = ["next", "active", "retired"] satisfies RootState[];

/** @param path for errors @throws {AuthorityProblem} */
export function parseRecord(text: string, path: string): AuthorityRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken(path, "is no JSON");
  }
  if (!isObject(value)) throw broken(path, "is no object");
  const { version, trustDomains, maxTtlMs, intermediate, roots } = value;
  if (version !== 1) {
    throw new AuthorityProblem(
      `${path} is of version ${String(version)}, this is inmesh that knows version 1`,
      "Update inmesh.",
    );
  }
  const fits =
    Array.isArray(trustDomains) &&
    trustDomains.length > 0 &&
    trustDomains.every((domain) => typeof domain === "string" && DOMAIN.test(domain)) &&
    isTime(maxTtlMs) &&
    maxTtlMs > 0 &&
    isName(intermediate) &&
    Array.isArray(roots) &&
    roots.every(isRoot);
  if (!fits) throw broken(path, "does not say what is expected");
  const count = (state: RootState) => roots.filter((root) => root.state === state).length;
  if (count("active") !== 1 || count("next") > 1) throw broken(path, "names no single active root");
  return { version, trustDomains, maxTtlMs, intermediate, roots };
}

export function formatRecord(record: AuthorityRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

function broken(path: string, what: string): AuthorityProblem {
  return new AuthorityProblem(
    `${path} ${what}`,
    "Put it back from a copy. Without one, remove the folder of the CA: the next process makes a new one, and every process must then be started again.",
  );
}

function isRoot(value: unknown): value is RootRecord {
  if (!isObject(value)) return false;
  const { name, state, addedAt, until } = value;
  const dated = state === "retired" ? isTime(until) : until === undefined;
  return isName(name) && typeof state === "string" && STATES.includes(state) && isTime(addedAt) && dated;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
