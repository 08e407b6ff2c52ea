/** undici by an import that bundlers follow: for whoever has the explicit API, and with it undici, in any case. */

import * as undici from "undici";
import type { Undici } from "../client/undici-module.js";

export function importUndici(): Undici {
  return undici;
}
