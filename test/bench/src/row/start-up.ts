/** What `--import @inmesh/node/register` adds to a process that makes no call, and to one that answers: time, and RSS. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spread } from "../lib/stats.js";
import { type Report, show } from "../lib/table.js";

const ROUNDS = 25;
const REGISTER = import.meta.resolve("@inmesh/node/register");
const PROGRAMS = {
  "app.mjs": `import http from "node:http";
http.createServer();
process.stdout.write(JSON.stringify({ rss: process.memoryUsage().rss }));
`,
  "server.mjs": `import http from "node:http";
const server = http.createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1", () => {
  http.get({ host: "127.0.0.1", port: server.address().port }, (answer) => answer.resume().on("end", () => {
    const { user, system } = process.cpuUsage();
    const said = { rss: process.memoryUsage().rss, ms: performance.now(), cpuMs: (user + system) / 1_000 };
    process.stdout.write(JSON.stringify(said), () => process.exit());
  }));
});
`,
} as const;

type List = number[][];

interface Said {
  readonly rss: number;
  /** Of the process's life. Absent: the whole of it counts. */
  readonly ms?: number;
  readonly cpuMs?: number;
}

export async function startUp(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
  try {
    for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
    const meshed = ["--import", REGISTER];
    // With an identity the process has a certificate before its code begins to register it: the folder's authority is there.
    const variants = [
      { app: "app.mjs", flags: [], identity: "off" },
      { app: "app.mjs", flags: [], identity: "off" },
      { app: "app.mjs", flags: meshed, identity: "off" },
      { app: "app.mjs", flags: meshed, identity: "ca" },
      { app: "server.mjs", flags: [], identity: "off" },
      { app: "server.mjs", flags: [], identity: "off" },
      { app: "server.mjs", flags: meshed, identity: "off" },
      { app: "server.mjs", flags: meshed, identity: "ca" },
    ];
    const [ms, cpuMs, rssMb] = [0, 1, 2].map(() => variants.map((): number[] => [])) as [List, List, List];
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, { app, flags, identity }] of variants.entries()) {
        const start = performance.now();
        const { stdout, status, stderr } = spawnSync(process.execPath, [...flags, join(folder, app)], {
          cwd: folder,
          encoding: "utf8",
          env: {
            ...process.env,
            ...{ INMESH_SERVICE: "bench", INMESH_CONFIG: folder, INMESH_IDENTITY: identity, NODE_OPTIONS: "" },
          },
        });
        if (status !== 0) throw new Error(`the app ended with ${status}: ${stderr}`);
        const said: Said = JSON.parse(stdout);
        // One list per variant.
        ms[index]!.push(said.ms ?? performance.now() - start);
        cpuMs[index]!.push(said.cpuMs ?? Number.NaN);
        rssMb[index]!.push(said.rss / 2 ** 20);
      }
    }
    const row = (what: string, index: number, bare: number) => {
      const added = (list: List) => spread(list[index]!.map((value, round) => value - list[bare]![round]!));
      const cpu = Number.isNaN(cpuMs[index]![0]!) ? {} : { "added CPU ms": show(added(cpuMs), 0) };
      return {
        what,
        ms: show(spread(ms[index]!), 0),
        "added ms": show(added(ms), 0),
        ...cpu,
        "RSS MB": show(spread(rssMb[index]!), 1),
        "added MB": show(added(rssMb), 1),
      };
    };
    return {
      bench: "start-up of --import before the first call, and until a server's first answer",
      rows: [
        row("bare", 0, 0),
        row("A/A (bare again)", 1, 0),
        row("--import @inmesh/node/register, no identity", 2, 0),
        row("the same with an identity", 3, 0),
        row("a server's first answer, bare", 4, 4),
        row("A/A (bare again)", 5, 4),
        row("--import, no identity", 6, 4),
        row("--import with an identity", 7, 4),
      ],
      notes: ["goal: <= +80 ms, <= +15 MB; with an identity <= +60 ms more"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
