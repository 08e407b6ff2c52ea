/** Version of this package; all packages of inmesh share one. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PACKAGE } from "./own-files.js";

const manifest: unknown = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

export const VERSION: string =
  typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : "unknown";
