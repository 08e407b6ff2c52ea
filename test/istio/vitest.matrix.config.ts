import workspace, { inFull } from "../../vitest.config.js";

/** Every recorded set. */
export default inFull(workspace, ["src/through-istiod.test.ts"]);
