/**
 * First route in order that matches, without asking them all.
 *
 * Exact paths and prefixes hang on a radix tree over the characters of the path, so a walk along the path meets only
 * routes whose path condition holds; case-insensitive ones have a second tree over folded characters. A regex hangs where
 * the characters end that all its matches begin with. Other routes are left over and asked in order. Whoever is met with a lower position than the best so
 * far is tested in full, so the answer is a linear scan's. Nothing is allocated per lookup.
 */

import type { MatchRequest, Route } from "../snapshot/route.js";
import { foldCode, foldedStartsWith, type PathTest, pathEnd } from "./path-test.js";

/** A route as the index sees it. No match: it takes every request. */
export interface IndexedRoute {
  readonly route: Route;
  readonly match: IndexedMatch | undefined;
}

export interface IndexedMatch {
  readonly path: PathTest;
  matches(request: MatchRequest): boolean;
  matchesRest(request: MatchRequest): boolean;
}

/** Below this a tree costs more than it saves. */
const SCAN_LIMIT = 4;

export function createRouteFinder(routes: readonly IndexedRoute[]): (request: MatchRequest) => Route | undefined {
  if (routes.length <= SCAN_LIMIT) return (request) => scan(routes, request);
  const index = new RouteIndex(routes);
  return (request) => index.find(request);
}

function scan(routes: readonly IndexedRoute[], request: MatchRequest): Route | undefined {
  for (let position = 0; position < routes.length; position++) {
    const { match, route } = routes[position]!; // in range
    if (match === undefined || match.matches(request)) return route;
  }
  return undefined;
}

class PathNode {
  /** Characters between the parent and this node; folded in a case-insensitive tree. */
  label: string;
  /** By the first character of the child's label. */
  children: Map<number, PathNode> | undefined = undefined;
  /** Positions of the routes whose prefix ends here, ascending. */
  prefixes: number[] | undefined = undefined;
  /** Positions of the routes whose exact path ends here, ascending. */
  exacts: number[] | undefined = undefined;

  constructor(label: string) {
    this.label = label;
  }

  add(kind: "exact" | "prefix", position: number): void {
    if (kind === "exact") this.exacts = [...(this.exacts ?? []), position];
    else this.prefixes = [...(this.prefixes ?? []), position];
  }
}

export class RouteIndex {
  readonly #routes: readonly IndexedRoute[];
  readonly #tree = new PathNode("");
  #foldedTree: PathNode | undefined = undefined;
  readonly #leftOver: number[] = [];

  constructor(routes: readonly IndexedRoute[]) {
    this.#routes = routes;
    for (const [position, { match }] of routes.entries()) {
      const path = match?.path;
      if (path === undefined || path.kind === "any" || (path.kind === "regex" && path.prefix === "")) {
        this.#leftOver.push(position);
        if (match === undefined) break; // takes everything: nothing behind it is ever reached
        continue;
      }
      if (path.kind === "regex") {
        insert(this.#tree, path.prefix).add("prefix", position);
        continue;
      }
      if (path.kind === "elements") {
        // Two places, of which a path meets one: standing at either proves the condition.
        insert(this.#tree, path.text).add("exact", position);
        insert(this.#tree, `${path.text}/`).add("prefix", position);
        continue;
      }
      if (path.ignoreCase) this.#foldedTree ??= new PathNode("");
      const node = insert((path.ignoreCase ? this.#foldedTree : undefined) ?? this.#tree, path.text);
      node.add(path.kind, position);
    }
  }

  find(request: MatchRequest): Route | undefined {
    const { path } = request;
    const end = pathEnd(path);
    let best = this.#walk(this.#tree, path, end, false, request, this.#routes.length);
    if (this.#foldedTree !== undefined) best = this.#walk(this.#foldedTree, path, end, true, request, best);
    const leftOver = this.#leftOver;
    for (let index = 0; index < leftOver.length; index++) {
      const position = leftOver[index]!; // in range, as is every position below
      if (position >= best) break;
      const { match } = this.#routes[position]!;
      if (match === undefined || match.matches(request)) {
        best = position;
        break;
      }
    }
    return this.#routes[best]?.route;
  }

  #walk(root: PathNode, path: string, end: number, folded: boolean, request: MatchRequest, best: number): number {
    let node = root;
    let offset = 0;
    for (;;) {
      if (node.prefixes !== undefined) best = this.#first(node.prefixes, request, best);
      if (offset === end) return node.exacts === undefined ? best : this.#first(node.exacts, request, best);
      if (node.children === undefined) return best;
      const code = path.charCodeAt(offset);
      const child = node.children.get(folded ? foldCode(code) : code);
      if (child === undefined) return best;
      const { label } = child;
      if (offset + label.length > end) return best;
      if (!(folded ? foldedStartsWith(path, label, offset) : path.startsWith(label, offset))) return best;
      offset += label.length;
      node = child;
    }
  }

  #first(positions: readonly number[], request: MatchRequest, best: number): number {
    for (let index = 0; index < positions.length; index++) {
      const position = positions[index]!;
      if (position >= best) return best;
      const match = this.#routes[position]!.match!; // only routes with a match hang on a tree
      // Standing here proves the path condition, but of a regex only its beginning.
      if (match.path.kind === "regex" ? match.matches(request) : match.matchesRest(request)) return position;
    }
    return best;
  }
}

function insert(root: PathNode, text: string): PathNode {
  let node = root;
  let rest = text;
  while (rest !== "") {
    node.children ??= new Map();
    const code = rest.charCodeAt(0);
    const child = node.children.get(code);
    if (child === undefined) {
      const leaf = new PathNode(rest);
      node.children.set(code, leaf);
      return leaf;
    }
    let shared = 1;
    while (shared < child.label.length && shared < rest.length && child.label[shared] === rest[shared]) shared += 1;
    rest = rest.slice(shared);
    if (shared === child.label.length) {
      node = child;
      continue;
    }
    const middle = new PathNode(child.label.slice(0, shared));
    child.label = child.label.slice(shared);
    middle.children = new Map([[child.label.charCodeAt(0), child]]);
    node.children.set(code, middle);
    node = middle;
  }
  return node;
}
