/**
 * Rules by what whoever they match must have: a thousand cost what ten do. Each rule stands in one table, the one in which it
 * shares its place with the fewest others; those that narrow by nothing are asked one by one.
 */

import type { AccessRequest } from "../../snapshot/security.js";
import { getOrMake } from "../get-or-make.js";
import type { AccessTest, Clause, Fact, Narrowing } from "./clause.js";
import { PrefixTree } from "./prefix-tree.js";

/** So many are as quickly asked as looked up. */
const FEW = 4;

interface Indexed<Rule> {
  readonly rule: Rule;
  readonly test: AccessTest;
  readonly order: number;
}

interface Table<Rule> {
  readonly fact: Fact;
  readonly exact: Map<string, Indexed<Rule>[]>;
  /** Undefined while no prefix is in it. */
  prefixes: PrefixTree<Indexed<Rule>> | undefined;
}

export class RuleIndex<Rule> {
  readonly size: number;
  readonly #always: Indexed<Rule>[] = [];
  readonly #tables: readonly Table<Rule>[];

  /** @param rules in order */
  constructor(rules: readonly (readonly [Rule, Clause])[]) {
    this.size = rules.length;
    const shares = rules.length > FEW ? countShares(rules) : new Map<string, number>();
    const tables = new Map<string, Table<Rule>>();
    for (const [order, [rule, { test, narrowings }]] of rules.entries()) {
      const indexed = { rule, test, order };
      const best = rules.length > FEW ? bestOf(narrowings, shares) : undefined;
      if (best === undefined) this.#always.push(indexed);
      else put(tables, best, indexed);
    }
    this.#tables = [...tables.values()];
  }

  /** The first in order that matches. */
  first(request: AccessRequest): Rule | undefined {
    let found: Indexed<Rule> | undefined;
    for (const indexed of this.#always) {
      if (!indexed.test(request)) continue;
      found = indexed;
      break;
    }
    for (const table of this.#tables) {
      visit(table, request, (candidates) => {
        for (const indexed of candidates) {
          if ((found === undefined || indexed.order < found.order) && indexed.test(request)) found = indexed;
        }
      });
    }
    return found?.rule;
  }

  /** Every one that matches, in order. */
  all(request: AccessRequest): readonly Rule[] {
    const found = new Set(this.#always.filter(({ test }) => test(request)));
    for (const table of this.#tables) {
      visit(table, request, (candidates) => {
        for (const indexed of candidates) if (indexed.test(request)) found.add(indexed);
      });
    }
    return [...found].sort((a, b) => a.order - b.order).map(({ rule }) => rule);
  }
}

function visit<Rule>(
  { fact, exact, prefixes }: Table<Rule>,
  request: AccessRequest,
  each: (candidates: readonly Indexed<Rule>[]) => void,
): void {
  const value = fact.read(request);
  if (value === undefined) return;
  for (const one of typeof value === "string" ? [value] : value) {
    const candidates = exact.get(one);
    if (candidates !== undefined) each(candidates);
    prefixes?.visit(one, each);
  }
}

function put<Rule>(tables: Map<string, Table<Rule>>, { fact, exact, prefixes }: Narrowing, rule: Indexed<Rule>): void {
  const table = getOrMake(tables, fact.name, (): Table<Rule> => ({ fact, exact: new Map(), prefixes: undefined }));
  for (const key of new Set(exact)) getOrMake(table.exact, key, () => []).push(rule);
  for (const prefix of new Set(prefixes)) {
    table.prefixes ??= new PrefixTree();
    table.prefixes.add(prefix, rule);
  }
}

/** How many rules would stand at a place. */
function countShares<Rule>(rules: readonly (readonly [Rule, Clause])[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const [, { narrowings }] of rules) {
    for (const place of new Set(narrowings.flatMap(placesOf))) shares.set(place, (shares.get(place) ?? 0) + 1);
  }
  return shares;
}

function placesOf({ fact, exact, prefixes }: Narrowing): string[] {
  return [...exact.map((key) => `${fact.name}=${key}`), ...prefixes.map((prefix) => `${fact.name}^${prefix}`)];
}

function bestOf(narrowings: readonly Narrowing[], shares: ReadonlyMap<string, number>): Narrowing | undefined {
  let best: Narrowing | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const narrowing of narrowings) {
    const most = Math.max(0, ...placesOf(narrowing).map((place) => shares.get(place) ?? 0));
    if (most < least) [best, least] = [narrowing, most];
  }
  return best;
}
