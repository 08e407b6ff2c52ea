import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// One run of the whole matrix: the processes it starts are built code, as applications are.
export default mergeConfig(base, {
  test: {
    globalSetup: ["../../.ci/build.mjs"],
    testTimeout: 120_000,
    hookTimeout: 300_000, // the whole run: 100 s on two idle CPUs
    outputFile: { json: "node_modules/.cache/matrix-results.json" }, // part of `npm run matrix` only
  },
});
