/** What `--import @inmesh/node/register` adds to a process that makes no call: time until the app's code is done, and RSS. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const ROUNDS = 25;
const REGISTER = import.meta.resolve("@inmesh/node/register");
const APP = `import http from "node:http";
http.createServer();
process.stdout.write(String(process.memoryUsage().rss));
`;

export async function startUp(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
  try {
    const app = join(folder, "app.mjs");
    writeFileSync(app, APP);
    const variants = [[], [], ["--import", REGISTER]] as const;
    const ms = variants.map((): number[] => []);
    const rssMb = variants.map((): number[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, flags] of variants.entries()) {
        const start = performance.now();
        const { stdout, status, stderr } = spawnSync(process.execPath, [...flags, app], {
          cwd: folder,
          encoding: "utf8",
          env: { ...process.env, INMESH_SERVICE: "bench", INMESH_CONFIG: folder, NODE_OPTIONS: "" },
        });
        if (status !== 0) throw new Error(`the app ended with ${status}: ${stderr}`);
        ms[index]!.push(performance.now() - start); // one list per variant
        rssMb[index]!.push(Number(stdout) / 2 ** 20);
      }
    }
    const row = (what: string, index: number) => ({
      what,
      ms: show(spread(ms[index]!), 0),
      "added ms": show(spread(ms[index]!.map((value, round) => value - ms[0]![round]!)), 0),
      "RSS MB": show(spread(rssMb[index]!), 1),
      "added MB": show(spread(rssMb[index]!.map((value, round) => value - rssMb[0]![round]!)), 1),
    });
    return {
      bench: "start-up of --import before the first call",
      rows: [row("bare", 0), row("A/A (bare again)", 1), row("--import @inmesh/node/register", 2)],
      notes: ["goal: <= +80 ms, <= +15 MB"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
