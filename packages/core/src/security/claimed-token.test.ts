import type { JwtRule } from "@inmesh/model";
import { expect, it } from "vitest";
import { claimedToken } from "./claimed-token.js";

const rule = (part: Partial<JwtRule>): JwtRule =>
  ({ issuer: "a", audiences: [], required: false, spaceDelimited: [], ...part }) as JwtRule;

it.each<[string, Partial<JwtRule>[], Record<string, unknown> | undefined, number | undefined]>([
  ["no rule and no token", [], undefined, undefined],
  ["no rule and any token", [], { iss: "x" }, undefined],
  ["a rule and no token", [{}], undefined, undefined],
  ["a required rule and no token", [{}, { issuer: "b", required: true }], undefined, 401],
  ["a required rule and another's token", [{}, { issuer: "b", required: true }], { iss: "a" }, 401],
  ["a required rule and its token", [{ required: true }], { iss: "a" }, undefined],
  ["an unknown issuer", [{}], { iss: "b" }, 401],
  ["a rule of any issuer", [{ issuer: "" }], { iss: "b" }, undefined],
  ["another audience", [{ audiences: ["x"] }], { iss: "a", aud: "y" }, 403],
  ["no audience", [{ audiences: ["x"] }], { iss: "a" }, 403],
  ["one of its audiences", [{ audiences: ["https://x/"] }], { iss: "a", aud: ["y", "x"] }, undefined],
])("%s", (_, rules, claims, status) => {
  const found = claimedToken(rules.map(rule), claims);
  expect("status" in found ? found.status : undefined).toBe(status);
  if (status === undefined) expect(found).toEqual({ claims });
});

it("makes lists of claims that are written with spaces", () => {
  const found = claimedToken([rule({ spaceDelimited: ["roles"] })], { iss: "a", roles: "x  y", other: "x y" });
  expect(found).toEqual({ claims: { iss: "a", roles: ["x", "y"], other: "x y" } });
});
