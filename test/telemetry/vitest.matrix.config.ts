import { matrixOf } from "../../vitest.config.js";
import workspace from "./vitest.config.js";

export default matrixOf(workspace);
