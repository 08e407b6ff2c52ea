/**
 * `node --import @inmesh/node/register server.js`: puts the process into the mesh before the application's first line.
 * The only module of inmesh that does something when it is loaded.
 */

import { boot } from "./boot/boot.js";

boot();
