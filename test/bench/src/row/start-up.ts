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
const { user, system } = process.cpuUsage();
process.stdout.write(JSON.stringify({ rss: process.memoryUsage().rss, cpuMs: (user + system) / 1_000 }));
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

interface Said {
  readonly rss: number;
  readonly cpuMs: number;
  /** Of the process's life. Absent: the whole of it counts. */
  readonly ms?: number;
}

/** Of each run, in order. */
interface Figures {
  readonly ms: number[];
  readonly cpuMs: number[];
  readonly rssMb: number[];
}

interface Variant extends Figures {
  readonly what: string;
  readonly app: keyof typeof PROGRAMS;
  readonly flags: readonly string[];
  readonly identity: "off" | "ca";
}

/** With an identity the process has a certificate before its code begins to register it: the folder's authority is there. */
function variants(): readonly Variant[] {
  const meshed = ["--import", REGISTER];
  const of = (
    app: Variant["app"],
    what: string,
    flags: readonly string[] = [],
    identity: Variant["identity"] = "off",
  ) => ({
    ...{ app, what, flags, identity },
    ...{ ms: [], cpuMs: [], rssMb: [] },
  });
  return [
    of("app.mjs", "bare"),
    of("app.mjs", "A/A (bare again)"),
    of("app.mjs", "--import @inmesh/node/register, no identity", meshed),
    of("app.mjs", "the same with an identity", meshed, "ca"),
    of("server.mjs", "a server's first answer, bare"),
    of("server.mjs", "A/A (bare again)"),
    of("server.mjs", "--import, no identity", meshed),
    of("server.mjs", "--import with an identity", meshed, "ca"),
  ];
}

export async function startUp(): Promise<Report> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-bench-"));
  try {
    for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
    const all = variants();
    for (let round = 0; round < ROUNDS; round++) {
      for (const { app, flags, identity, ms, cpuMs, rssMb } of all) {
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
        ms.push(said.ms ?? performance.now() - start);
        cpuMs.push(said.cpuMs);
        rssMb.push(said.rss / 2 ** 20);
      }
    }
    const rows = all.map((variant) => {
      const bare = all.find(({ app }) => app === variant.app)!; // the first of them
      const added = (of: keyof Figures) => spread(variant[of].map((value, round) => value - bare[of][round]!)); // as many
      return {
        what: variant.what,
        ms: show(spread(variant.ms), 0),
        "added ms": show(added("ms"), 0),
        "added CPU ms": show(added("cpuMs"), 0),
        "RSS MB": show(spread(variant.rssMb), 1),
        "added MB": show(added("rssMb"), 1),
      };
    });
    return {
      bench: "start-up of --import before the first call, and until a server's first answer",
      rows,
      notes: ["goal: <= +80 ms, <= +15 MB; with an identity <= +60 ms more"],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
