import { mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

// What takes minutes: a control plane that is away for longer.
export default mergeConfig(base, {
  test: {
    include: ["src/istiod/policy.test.ts", "src/istiod/routes.test.ts"],
    env: { XDS_MATRIX: "1" },
    testTimeout: 300_000,
  },
});
