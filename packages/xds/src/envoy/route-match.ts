/** RouteMatch: path, headers, query parameters. Ways of the path that nobody knows are faults (gRFC A28). */

import type { Match, MatchRequest } from "@inmesh/model";
import {
  foldCase,
  headerValue,
  type IndexedMatch,
  literalPrefix,
  matchesPath,
  type PathTest,
  pathEnd,
  queryValue,
} from "@inmesh/model/internal";
import { type Findings, known } from "./refusal.js";
import { type Fields, fraction, type RuntimeFraction } from "./schema.js";
import { compileStringMatcher, type RegexMatcher, regexTest, type StringMatcher } from "./string-matcher.js";

export type HeaderMatcher = Fields<{
  name: string;
  exact_match: string;
  safe_regex_match: RegexMatcher;
  range_match: Fields<{ start: number; end: number }>;
  present_match: boolean;
  prefix_match: string;
  suffix_match: string;
  contains_match: string;
  string_match: StringMatcher;
  invert_match: boolean;
  treat_missing_header_as_empty: boolean;
}>;

export type QueryMatcher = Fields<{ name: string; string_match: StringMatcher; present_match: boolean }>;

export type RouteMatch = Fields<{
  prefix: string;
  path: string;
  safe_regex: RegexMatcher;
  connect_matcher: object;
  path_separated_prefix: string;
  path_match_policy: object;
  case_sensitive: boolean;
  runtime_fraction: RuntimeFraction;
  headers: readonly HeaderMatcher[];
  query_parameters: readonly QueryMatcher[];
  grpc: object;
  tls_context: object;
  dynamic_metadata: readonly object[];
}>;

const PATHS = ["prefix", "path", "safe_regex", "path_separated_prefix", "connect_matcher", "path_match_policy"];
const READ = known(...PATHS, "case_sensitive", "runtime_fraction", "headers", "query_parameters", "grpc");

interface Condition {
  holds(request: MatchRequest): boolean;
  readonly text: string;
}

/** @returns undefined for a route that no request can match here: its kind of path is for other protocols */
export function compileRouteMatch(match: RouteMatch, findings: Findings, where: string): CompiledMatch | undefined {
  findings.unread(match, READ, `${where}.match`);
  const path = pathTest(match, findings, where);
  const conditions: Condition[] = [
    ...(match.headers ?? []).map((header) => headerCondition(header, findings, `${where}.match.headers`)),
    ...(match.query_parameters ?? []).map((query) =>
      queryCondition(query, findings, `${where}.match.query_parameters`),
    ),
  ];
  if (match.grpc !== undefined) conditions.push(GRPC_ONLY);
  const share = match.runtime_fraction?.default_value;
  if (share !== undefined && fraction(share) < 1) {
    if (fraction(share) > 0) findings.notHonoured(`${where}.match.runtime_fraction`);
    conditions.push(NEVER); // one for a share of the requests is for none: whoever tries it out has not begun, or waits
  }
  if (match.tls_context !== undefined || match.dynamic_metadata !== undefined) conditions.push(NEVER);
  return path === undefined ? undefined : new CompiledMatch(path, conditions);
}

/** Whether it takes whatever comes. */
export function isEverything({ path, conditions }: CompiledMatch): boolean {
  return conditions.length === 0 && (path.kind === "any" || (path.kind === "prefix" && path.text.length <= 1));
}

export class CompiledMatch implements Match, IndexedMatch {
  readonly path: PathTest;
  readonly conditions: readonly Condition[];
  readonly text: string;

  constructor(path: PathTest, conditions: readonly Condition[]) {
    this.path = path;
    this.conditions = conditions;
    this.text = [pathText(path), ...conditions.map(({ text }) => text)].filter((text) => text !== "").join(", ");
  }

  matches(request: MatchRequest): boolean {
    return matchesPath(this.path, request.path) && this.matchesRest(request);
  }

  matchesRest(request: MatchRequest): boolean {
    const { conditions } = this;
    for (let index = 0; index < conditions.length; index++) if (!conditions[index]!.holds(request)) return false; // in range
    return true;
  }

  whyNot(request: MatchRequest): string | undefined {
    if (!matchesPath(this.path, request.path)) {
      return `path is ${JSON.stringify(request.path.slice(0, pathEnd(request.path)))}, wanted: ${pathText(this.path)}`;
    }
    const failed = this.conditions.find((condition) => !condition.holds(request));
    return failed && `wanted: ${failed.text}`;
  }
}

function pathTest(match: RouteMatch, findings: Findings, where: string): PathTest | undefined {
  const { prefix, path, safe_regex, path_separated_prefix, case_sensitive = true } = match;
  const ignoreCase = !case_sensitive;
  const written = (text: string): string => (ignoreCase ? foldCase(text) : text);
  if (prefix !== undefined) return { kind: "prefix", text: written(prefix), ignoreCase };
  if (path !== undefined) return { kind: "exact", text: written(path), ignoreCase };
  if (safe_regex !== undefined) {
    const regex = safe_regex.regex ?? "";
    const test = regexTest(regex, findings, `${where}.match.safe_regex`);
    return { kind: "regex", text: regex, test, prefix: literalPrefix(regex) };
  }
  if (path_separated_prefix !== undefined) {
    if (ignoreCase) findings.notHonoured(`${where}.match.case_sensitive beside path_separated_prefix`);
    return { kind: "elements", text: path_separated_prefix };
  }
  if (match.connect_matcher !== undefined || match.path_match_policy !== undefined) {
    findings.notHonoured(
      `${where}.match.${match.connect_matcher === undefined ? "path_match_policy" : "connect_matcher"}`,
    );
    return undefined;
  }
  findings.fault(`${where} has no path specifier that is known here`);
  return undefined;
}

function pathText(path: PathTest): string {
  switch (path.kind) {
    case "any":
      return "";
    case "elements":
      return `path elements ${JSON.stringify(path.text)}`;
    case "regex":
      return `path regex ${JSON.stringify(path.text)}`;
    default:
      return `path ${path.kind} ${JSON.stringify(path.text)}${path.ignoreCase ? " in any case" : ""}`;
  }
}

const NEVER: Condition = { holds: () => false, text: "nothing that a request of this process can have" };
const GRPC_ONLY: Condition = {
  holds(request) {
    const type = request.header("content-type");
    return typeof type === "string" && type.startsWith("application/grpc");
  },
  text: "a gRPC request",
};

/** Each line of a repeated header for itself, as Envoy 1.40 does. */
export function headerCondition(matcher: HeaderMatcher, findings: Findings, where: string): Condition {
  const name = (matcher.name ?? "").toLowerCase();
  const invert = matcher.invert_match === true;
  const { present_match } = matcher;
  if (present_match !== undefined) {
    const wanted = present_match !== invert;
    return {
      holds: (request) => (headerValue(request, name) !== undefined) === wanted,
      text: wanted ? `header ${name} present` : `no header ${name}`,
    };
  }
  const value = valueTest(matcher, findings, where);
  const emptyWhereMissing = matcher.treat_missing_header_as_empty === true;
  return {
    holds(request) {
      const found = headerValue(request, name) ?? (emptyWhereMissing ? "" : undefined);
      if (found === undefined) return false;
      return (typeof found === "string" ? value.test(found) : found.some(value.test)) !== invert;
    },
    text: `header ${name} ${invert ? "not " : ""}${value.text}`,
  };
}

function valueTest(
  matcher: HeaderMatcher,
  findings: Findings,
  where: string,
): { test: (value: string) => boolean; text: string } {
  const { exact_match, prefix_match, suffix_match, contains_match, safe_regex_match, range_match, string_match } =
    matcher;
  if (range_match !== undefined) {
    const { start = 0, end = 0 } = range_match;
    if (start > end) findings.fault(`${where} has a range from ${start} to ${end}`);
    const test = (value: string): boolean => /^[+-]?\d+$/.test(value) && Number(value) >= start && Number(value) < end;
    return { test, text: `from ${start} up to ${end}` };
  }
  const old: StringMatcher = {
    exact: exact_match,
    prefix: prefix_match,
    suffix: suffix_match,
    contains: contains_match,
    safe_regex: safe_regex_match,
  };
  const said = string_match ?? (Object.values(old).some((each) => each !== undefined) ? old : undefined);
  if (said !== undefined) return compileStringMatcher(said, findings, where);
  // Nothing but a name: that it is there (Envoy).
  if (Object.keys(matcher).every((key) => key === "name" || key === "invert_match"))
    return { test: () => true, text: "present" };
  findings.fault(`${where} matches the header ${matcher.name} in no way that is known here`);
  return { test: () => false, text: "nothing" };
}

/** The first value of the name, undecoded. */
function queryCondition(
  { name = "", string_match, present_match }: QueryMatcher,
  findings: Findings,
  where: string,
): Condition {
  const value = string_match && compileStringMatcher(string_match, findings, where);
  return {
    holds(request) {
      const found = queryValue(request.path, name);
      if (value === undefined) return (found !== undefined) === (present_match ?? true);
      return found !== undefined && value.test(found);
    },
    text: `query ${name} ${value?.text ?? (present_match === false ? "absent" : "present")}`,
  };
}
