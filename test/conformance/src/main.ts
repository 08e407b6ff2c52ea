/** The matrix, or a part of it, printed: `node dist/main.js [server,…] [family,…]`. */

import type { FamilyName } from "./client/families.js";
import { printMatrix } from "./matrix-page.js";
import { runMatrix } from "./run-matrix.js";
import type { ServerName } from "./server/server-kind.js";

const [servers, families] = process.argv.slice(2).map((list) => list.split(","));
const run = await runMatrix({
  ...(servers && { servers: servers as ServerName[] }),
  ...(families && { families: families as FamilyName[] }),
});
console.log(printMatrix(run));
if (run.troubles.length > 0 || run.cells.some(({ outcome }) => outcome === "fail")) process.exitCode = 1;
