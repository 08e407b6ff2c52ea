import { defineConfig } from "vitest/config";
import base from "../../vitest.config.js";

/** Replaces p-retry, so it needs modules of its own. */
const MOCKS = ["src/filter/retry.test.ts"];
const { test, ...rest } = base;

export default defineConfig({
  ...base,
  test: {
    ...test,
    projects: [
      { ...rest, test: { ...test, name: "core", exclude: [...(test?.exclude ?? []), ...MOCKS] } },
      { ...rest, test: { ...test, name: "mocks", isolate: true, include: MOCKS } },
    ],
  },
});
