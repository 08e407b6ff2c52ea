import { inFull } from "../../vitest.config.js";
import workspace from "./vitest.config.js";

/** What takes minutes: a control plane that is away for longer, one that never rests, and every route. */
export default inFull(workspace, [
  "src/istiod/policy.test.ts",
  "src/istiod/profiles.test.ts",
  "src/istiod/routes.test.ts",
  "src/client/hard-times.test.ts",
]);
