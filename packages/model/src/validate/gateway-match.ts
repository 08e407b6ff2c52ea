/** Rules of one match of an HTTPRoute; those of headers are a GRPCRoute's, too. policy-semantics §5.2. */

import type { GatewayMatchSpec } from "../kind/gateway-http-route.js";
import type { GatewayValueMatchSpec } from "../kind/gateway-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { isHeaderName } from "./header-syntax.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";
import { regexFault } from "./string-match.js";

const MAX_CONDITIONS = 16;
const MAX_NAME_LENGTH = 256;
const MAX_PATH_LENGTH = 1024;
const MAX_HEADER_LENGTH = 4096;
const MAX_QUERY_LENGTH = 1024;

const PATH_CHARACTERS = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;

export function checkGatewayMatch(match: GatewayMatchSpec, path: Path, report: Report): void {
  if (match.path !== undefined) {
    const { type = "PathPrefix", value = "/" } = match.path;
    const at = [...path, "path", "value"];
    report.check(at, type === "RegularExpression" ? regexFault(value) : pathFault(value));
  }
  checkHeaderMatches(match.headers ?? [], [...path, "headers"], report);
  checkValues(match.queryParams ?? [], MAX_QUERY_LENGTH, [...path, "queryParams"], report);
}

export function checkHeaderMatches(headers: readonly GatewayValueMatchSpec[], path: Path, report: Report): void {
  checkValues(headers, MAX_HEADER_LENGTH, path, report);
}

/** What cannot be in a path that was normalised would never match. */
function pathFault(value: string): string | undefined {
  if (!value.startsWith("/")) return `found ${quote(value)}, expected a path that begins with "/". Correct it.`;
  if (value.length > MAX_PATH_LENGTH) return `the path is longer than ${MAX_PATH_LENGTH}. Shorten it.`;
  const part = ["//", "/./", "/../", "%2f", "%2F", "#"].find((each) => value.includes(each));
  const end = ["/..", "/."].find((each) => value.endsWith(each));
  const wrong = part ?? end;
  if (wrong !== undefined) return `the path ${quote(value)} has ${quote(wrong)} in it. Write it normalised.`;
  if (!PATH_CHARACTERS.test(value)) return `the path ${quote(value)} has characters that must be written as %XX.`;
  return undefined;
}

function checkValues(values: readonly GatewayValueMatchSpec[], most: number, path: Path, report: Report): void {
  checkCount(values, MAX_CONDITIONS, path, report);
  const names = new Set<string>();
  for (const [index, { type = "Exact", name = "", value = "" }] of values.entries()) {
    const at = [...path, index];
    if (!isHeaderName(name) || name.length > MAX_NAME_LENGTH) {
      report.error(name === "" ? at : [...at, "name"], `found ${quote(name)}, expected a name. Correct it.`);
    } else if (names.has(name)) {
      report.error([...at, "name"], `${quote(name)} is there twice. Remove one, or write two matches.`);
    }
    names.add(name);
    if (value === "") report.error(at, `the value of ${quote(name)} is empty. Write one.`);
    else if (value.length > most) report.error([...at, "value"], `the value is longer than ${most}. Shorten it.`);
    else if (type === "RegularExpression") report.check([...at, "value"], regexFault(value));
  }
}
