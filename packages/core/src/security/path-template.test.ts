import { expect, it } from "vitest";
import { mergedTemplates, pathTemplate } from "./path-template.js";

it.each([
  ["/api/reviews/42", "/api/reviews/{*}"],
  ["/u/3f2504e0-4f89-11d3-9a0c-0305e82c3301/x", "/u/{*}/x"],
  ["/blob/9f86d081884c7d65", "/blob/{*}"],
  ["/key/AbC1dEf2GhI3jKl4", "/key/{*}"],
  ["/words-stay/version2", "/words-stay/version2"],
  ["/", "/"],
  ["/dir/", "/dir/"],
  ["/a*b/{c}", "/{*}/{*}"], // letters that a template gives another meaning
  ["*", "/{**}"],
])("%s is %s", (path, template) => {
  expect(pathTemplate(path)).toBe(template);
});

it("takes a place with many values for a parameter, and one with few for words", () => {
  const names = Array.from({ length: 13 }, (_, index) => `/users/name${String.fromCharCode(97 + index)}/cart`);
  expect(mergedTemplates([...names, "/users", "/health"])).toEqual(["/health", "/users", "/users/{*}/cart"]);
  expect(mergedTemplates(["/a/x", "/a/y"])).toEqual(["/a/x", "/a/y"]);
});

it("says once what a template says already", () => {
  expect(mergedTemplates(["/orders/{*}", "/orders/new"])).toEqual(["/orders/{*}"]);
});
