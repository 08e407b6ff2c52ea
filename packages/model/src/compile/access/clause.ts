/** Part of a rule: a test, and what every request that passes it has, by which an index finds the rule. */

import type { AccessRequest } from "../../snapshot/security.js";
import { fitsAny, type Pattern, parsePattern } from "./pattern.js";

export type AccessTest = (request: AccessRequest) => boolean;

/** Something of a request that rules ask about. One object for each name, so that rules about the same meet in one table. */
export interface Fact {
  readonly name: string;
  /** Undefined: the request has none. */
  read(request: AccessRequest): string | readonly string[] | undefined;
}

/** Whoever passes has one of these values, or one that begins with one of the prefixes. */
export interface Narrowing {
  readonly fact: Fact;
  readonly exact: readonly string[];
  readonly prefixes: readonly string[];
}

export interface Clause {
  readonly test: AccessTest;
  readonly narrowings: readonly Narrowing[];
}

export const ANYTHING: Clause = { test: () => true, narrowings: [] };
export const NOTHING: AccessTest = () => false;

export function patternsClause(fact: Fact, values: readonly string[]): Clause {
  const patterns = values.map(parsePattern);
  const [only] = patterns;
  const exact = patterns.length === 1 && only?.kind === "exact" ? only.text : undefined;
  const test: AccessTest =
    exact === undefined
      ? (request) => fitsAny(patterns, fact.read(request))
      : (request) => {
          const value = fact.read(request);
          return value === exact || (typeof value === "object" && value.includes(exact));
        };
  return { test, narrowings: narrowingOf(fact, patterns) };
}

/** None where one of the patterns could fit anything. */
export function narrowingOf(fact: Fact, patterns: readonly Pattern[]): readonly Narrowing[] {
  const exact: string[] = [];
  const prefixes: string[] = [];
  for (const pattern of patterns) {
    if (pattern.kind === "exact") exact.push(pattern.text);
    else if (pattern.kind === "prefix" && pattern.text !== "") prefixes.push(pattern.text);
    else return [];
  }
  return [{ fact, exact, prefixes }];
}

/** All of them. */
export function allOf(clauses: readonly Clause[]): Clause {
  const [first, second] = clauses;
  if (first === undefined) return ANYTHING;
  if (second === undefined) return first;
  const tests = clauses.map(({ test }) => test);
  return {
    test: (request) => {
      for (const test of tests) if (!test(request)) return false;
      return true;
    },
    narrowings: clauses.flatMap(({ narrowings }) => narrowings),
  };
}

/** One of them, of which there is at least one. It narrows by what all of them narrow by. */
export function anyOf(clauses: readonly Clause[]): Clause {
  const [first, ...others] = clauses;
  if (first === undefined || others.length === 0) return first ?? { test: NOTHING, narrowings: [] };
  const tests = clauses.map(({ test }) => test);
  const narrowings = first.narrowings.flatMap((narrowing) => {
    const same = others.map((other) => other.narrowings.find(({ fact }) => fact.name === narrowing.fact.name));
    if (same.some((each) => each === undefined)) return [];
    const all = [narrowing, ...same.flatMap((each) => each ?? [])];
    return [
      {
        fact: narrowing.fact,
        exact: all.flatMap(({ exact }) => exact),
        prefixes: all.flatMap(({ prefixes }) => prefixes),
      },
    ];
  });
  return {
    test: (request) => {
      for (const test of tests) if (test(request)) return true;
      return false;
    },
    narrowings,
  };
}

export function not({ test }: Clause): Clause {
  return { test: (request) => !test(request), narrowings: [] };
}
