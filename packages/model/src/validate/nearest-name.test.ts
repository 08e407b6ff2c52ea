import { describe, expect, it } from "vitest";
import { nearestName } from "./nearest-name.js";

const FIELDS = ["match", "route", "timeout", "retries", "perTryTimeout", "retryOn", "weight"];

describe("nearestName", () => {
  it.each([
    ["timeot", "timeout"],
    ["tiemout", "timeout"],
    ["Timeout", "timeout"],
    ["retry_on", "retryOn"],
    ["per-try-timeout", "perTryTimeout"],
    ["wieght", "weight"],
    ["routes", "route"],
    ["foo", undefined],
    ["x", undefined],
    ["x".repeat(1e6), undefined],
  ])("takes %.20j for %s", (name, meant) => {
    expect(nearestName(name, FIELDS)).toBe(meant);
  });
});
