/**
 * `node --import @inmesh/node/register server.js`: puts the process into the mesh before the application's first line.
 * The only module of inmesh that does something when it is loaded.
 */

import Module from "node:module";
import { nodeTooOld } from "./boot/node-version.js";
import { isLauncher } from "./boot/program.js";
import { createLog } from "./log.js";

// The variable is the switch that must always work: nothing more is loaded then. NODE_OPTIONS brings us into npm and its
// like as well, where not even loading ourselves is worth its time.
if (process.env["INMESH_MODE"] !== "off" && !isLauncher(process.argv[1])) register();

function register(): void {
  const tooOld = nodeTooOld(process.version, loadsEsm());
  if (tooOld !== undefined) return createLog("warn").error(tooOld);
  const require = Module.createRequire(import.meta.url);
  const { boot } = require("#boot") as typeof import("./boot/boot.js");
  boot();
}

/** `process.features.require_module`, which the types of Node 20 do not know yet. */
function loadsEsm(): boolean {
  return (process.features as { readonly require_module?: boolean }).require_module === true;
}
