import { expect, it } from "vitest";
import { nodeTooOld } from "./node-version.js";

it.each(["v20.19.0", "v20.20.2", "v22.12.0", "v26.10.0"])("runs on %s", (version) => {
  expect(nodeTooOld(version, true)).toBeUndefined();
});

it.each([
  ["v16.20.2", true],
  ["v18.19.0", false],
  ["v20.18.3", true],
  ["v21.7.3", false],
  ["v22.5.0", false],
])("tells in one line that %s is too old", (version, loadsEsm) => {
  expect(nodeTooOld(version, loadsEsm)).toBe(
    `Node ${version} is too old, 20.19, 22.12 or newer is needed. This process runs without the mesh`,
  );
});

it("tells which flag is in the way", () => {
  expect(nodeTooOld("v24.1.0", false)).toMatch(/--no-experimental-require-module/);
});
