/** Entry of a measuring process: runs the named case in paired slices and sends its rows to the parent. */

import { type PairedRow, paired } from "../lib/paired.js";
import { startUpstream } from "../lib/upstream.js";
import { loadCase } from "./cases.js";

const OPTIONS = { rounds: 200, slice: 400, warmUp: 15_000 };

const [name = ""] = process.argv.slice(2);
const found = await loadCase(name);
const upstream = await startUpstream();
const { baseline, candidate, close } = await found.start(upstream);
const rows: readonly PairedRow[] = await paired(baseline, [{ ...candidate, name: found.name }], OPTIONS);
await close();
upstream.stop();
process.send?.(rows);
process.disconnect();
