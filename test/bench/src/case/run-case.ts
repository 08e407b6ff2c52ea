/** Entry of a measuring process: runs the named case in paired slices and sends its rows to the parent. */

import { type PairedRow, paired } from "../lib/paired.js";
import { startUpstream } from "../lib/upstream.js";
import { CLIENTS, loadCase } from "./cases.js";

const OPTIONS = { rounds: 200, slice: 400, warmUp: 15_000 };
/** Of client libraries, whose requests cost several times as much. */
const SHORTER = { rounds: 100, slice: 150, warmUp: 4_000 };

const [name = ""] = process.argv.slice(2);
const found = await loadCase(name);
const options = (CLIENTS as readonly string[]).includes(name) ? SHORTER : OPTIONS;
const upstream = await startUpstream(found.endpoints);
const { baseline, candidate, close } = await found.start(upstream);
const rows: readonly PairedRow[] = await paired(baseline, [{ ...candidate, name: found.name }], options);
await close();
upstream.stop();
process.send?.(rows);
process.disconnect();
