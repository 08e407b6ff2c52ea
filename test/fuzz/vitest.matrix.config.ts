import workspace, { inFull } from "../../vitest.config.js";

/** Every case, not the first fifth of them. */
export default inFull(workspace, ["src/fuzz.test.ts"]);
