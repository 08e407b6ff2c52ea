/** Run for each file of tests: a hook in a module that they share would be the first one's alone. */

import { afterAll } from "vitest";
import { undoAll } from "./run.js";

afterAll(undoAll);
