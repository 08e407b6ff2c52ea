/** Of each test file. Modules are loaded once for many files here, and a hook that one of them sets holds for the first file only. */

import { afterEach } from "vitest";
import { endChildren } from "./child.js";

afterEach(endChildren);
