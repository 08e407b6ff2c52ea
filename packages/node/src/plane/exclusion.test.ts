import { expect, it } from "vitest";
import { compileExclusion } from "./exclusion.js";

it.each([
  ["api.example.com", "api.example.com", 443, true],
  ["API.Example.com", "api.example.com", 80, true],
  ["api.example.com", "x.api.example.com", 80, false],
  ["*.example.com", "a.b.example.com", 80, true],
  ["*.example.com", "example.com", 80, false],
  ["*", "anything", 1, true],
  ["api:8080", "api", 8080, true],
  ["api:8080", "api", 80, false],
  [":9200", "whatever", 9200, true],
  [":9200", "whatever", 9201, false],
  ["[::1]:80", "::1", 80, true],
  ["[::1]", "::1", 8080, true],
  ["::1", "::1", 8080, true],
  ["10.0.0.1", "10.0.0.1", 80, true],
])("%s leaves alone %s:%d: %s", (rule, host, port, expected) => {
  expect(compileExclusion([rule])(host, port)).toBe(expected);
});
