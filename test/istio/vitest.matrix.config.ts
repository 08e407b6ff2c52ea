import base from "../../vitest.config.js";

const { test, ...rest } = base;

/** Every recorded set, of which `npm test` takes a part. */
export default {
  ...rest,
  test: { ...test, include: ["src/through-istiod.test.ts"], env: { INMESH_MATRIX: "1" }, testTimeout: 300_000 },
};
