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
    const meshed = ["--import", REGISTER];
    // With an identity the process has a certificate before its code begins to register it: the folder's authority is there.
    const variants = [
      { flags: [], identity: "off" },
      { flags: [], identity: "off" },
      { flags: meshed, identity: "off" },
      { flags: meshed, identity: "ca" },
    ];
    const ms = variants.map((): number[] => []);
    const rssMb = variants.map((): number[] => []);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, { flags, identity }] of variants.entries()) {
        const start = performance.now();
        const { stdout, status, stderr } = spawnSync(process.execPath, [...flags, app], {
          cwd: folder,
          encoding: "utf8",
          env: {
            ...process.env,
            ...{ INMESH_SERVICE: "bench", INMESH_CONFIG: folder, INMESH_IDENTITY: identity, NODE_OPTIONS: "" },
          },
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
      rows: [
        row("bare", 0),
        row("A/A (bare again)", 1),
        row("--import @inmesh/node/register, no identity", 2),
        row("the same with an identity", 3),
      ],
      notes: ["goal: <= +80 ms, <= +15 MB; with an identity <= +60 ms more"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
