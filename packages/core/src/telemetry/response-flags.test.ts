import { describe, expect, it } from "vitest";
import { FLAG, flagsText } from "./response-flags.js";

describe("flagsText", () => {
  it("writes Envoy's letters, and a dash for none", () => {
    expect([flagsText(0), flagsText(FLAG.UF | FLAG.URX), flagsText(FLAG.DC)]).toEqual(["-", "UF,URX", "DC"]);
  });
});
