import base from "./vitest.config.js";

const { test, ...rest } = base;

/** What takes minutes: a control plane that is away for longer, one that never rests, and every route. */
export default {
  ...rest,
  test: {
    ...test,
    include: [
      "src/istiod/policy.test.ts",
      "src/istiod/profiles.test.ts",
      "src/istiod/routes.test.ts",
      "src/client/hard-times.test.ts",
    ],
    env: { INMESH_MATRIX: "1" },
    testTimeout: 300_000,
  },
};
