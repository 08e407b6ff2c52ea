import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Child processes run the built packages, as an application does; one upstream serves all files of the suite.
export default mergeConfig(base, {
  test: { globalSetup: ["../../packages/node/test/build.ts", "./src/upstream.ts"], testTimeout: 40_000 },
});
