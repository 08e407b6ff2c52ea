import { expect, it } from "vitest";
import { celFault, compileCel } from "./compile.js";
import type { CelAttributes, CelValue } from "./expression.js";

const VALUES: Readonly<Record<string, CelValue>> = {
  "request.path": "/api/v1beta3/x?y=1",
  "request.url_path": "/api/v1beta3/x",
  "request.method": "GET",
  "request.duration": 120,
  "response.code": 503,
  "response.flags": 2,
  "connection.mtls": true,
};
const HEADERS: Readonly<Record<string, string>> = { "x-user": "anna", host: "reviews" };

const attributes: CelAttributes = {
  attribute: (path) => VALUES[path],
  entry: (path, key) => (path === "request.headers" ? HEADERS[key] : undefined),
};

it.each<[string, CelValue]>([
  ["response.code >= 400", true],
  ["response.code >= 400 && response.code < 500", false],
  ["!(response.code == 200 || response.code == 503)", false],
  ["connection.mtls && request.url_path.contains('v1beta3')", true],
  ["request.headers['X-User'] == 'anna'", true],
  ["request.headers.host", "reviews"],
  ["'x-user' in request.headers", true],
  ["'x-no' in request.headers", false],
  ["has(request.useragent)", false],
  ["!has(request.useragent) || request.useragent.startsWith('kube')", true],
  ["response.code in [502, 503, 504]", true],
  ["request.path.matches('v1(alpha|beta)[0-9]')", true],
  ['request.url_path.endsWith("/x")', true],
  ["duration >= 100", true],
  ["request.duration > duration('0.5s')", false],
  ["size(request.method) == 3 && request.method.size() == 3", true],
  ["string(response.code) + '|' + request.method", "503|GET"],
  ["response.code == 200 ? 'good' : 'bad'", "bad"],
  ["int('12') + 2 * 3 - 1", 17],
  ["-1 < 0", true],
  ["1 + 2 == 3 && true", true],
  ["'a\\n\\u0041' == \"a\\nA\"", true],
  ["r'\\d' == '\\\\d'", true],
  ["// note\n true", true],
  // What is not there decides nothing, unless the other side does.
  ["request.useragent == 'x'", undefined],
  ["request.useragent == 'x' && false", false],
  ["request.useragent == 'x' || true", true],
  ["request.useragent == 'x' || false", undefined],
  ["response.code > 'a'", undefined],
  ["!response.code", undefined],
  ["response.code == '503'", false],
])("%s", (source, value) => {
  expect(compileCel(source).evaluate(attributes)).toBe(value);
});

it.each([
  ":path",
  "**",
  "a b",
  "response.code >=",
  "(response.code",
  "'open",
  "in",
  "f(",
  "[1,",
  "a.",
  "a.'b'",
  "1..2",
  "#",
])("%s is no CEL", (source) => {
  expect(celFault(source)?.kind).toBe("syntax");
});

it.each([
  ["request.paht == '/'", "did you mean request.path?"],
  ["metadata.filter['x'] == 1", "only headers have keys"],
  ["response.code / 2 == 1", '"/" is not evaluated'],
  ["[1, 2].exists(x, x > 1)", "exists()"],
  ["request.headers == 1", "request.headers['x-user']"],
  ["request.path.matches('(')", "RE2"],
  ["request.path.matches(request.host)", "written out"],
  ["has(response.code == 1)", "has()"],
  ["{'a': 1}", "maps"],
  ["Foo{a: 1}", "messages"],
  ["constructor", "no attribute"],
  ["request.path.constructor()", "constructor()"],
  ["!".repeat(60) + "true", "too deeply"],
  ["(".repeat(60) + "true" + ")".repeat(60), "too deeply"],
  [Array(600).fill("true").join("||"), "too many parts"],
  ["'" + "x".repeat(5_000) + "'", "longer than"],
])("%s is more than is evaluated", (source, message) => {
  const fault = celFault(source);
  expect(fault?.kind).toBe("unsupported");
  expect(fault?.message).toContain(message);
});
