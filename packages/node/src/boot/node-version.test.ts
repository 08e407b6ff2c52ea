import { expect, it } from "vitest";
import { nodeTooOld } from "./node-version.js";

it.each(["v20.19.0", "v20.20.2", "v22.0.0", "v26.10.0"])("runs on %s", (version) => {
  expect(nodeTooOld(version)).toBeUndefined();
});

it.each(["v16.20.2", "v18.19.0", "v20.18.3"])("tells in one line that %s is too old", (version) => {
  expect(nodeTooOld(version)).toMatch(
    new RegExp(`^Node ${version} is too old, 20\\.19 or newer is needed.*without the mesh$`),
  );
});
