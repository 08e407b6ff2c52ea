/** An app bare and meshed: the same answers, the same ends. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { outputOf } from "../run/child.js";
import { meshEnvironment } from "../run/mesh-environment.js";
import type { App, Setting } from "./app.js";
import { type Home, homeOf } from "./home.js";
import { type End, freePort, RunningApp } from "./running-app.js";
import { startUpstream } from "./upstream.js";

export interface Report {
  readonly answers: unknown;
  /** By the signal that ended it. */
  readonly ends: Readonly<Record<string, End>>;
}

export interface AppVerdict {
  readonly name: string;
  readonly bare: Report;
  readonly meshed: Report;
  readonly same: boolean;
}

/** What the app calls, as the mesh has it. */
const NAME = "http://reviews";
const SIGNALS = ["SIGTERM", "SIGINT"] as const;
/** Of what is to be done before a start, in ms. */
const PREPARE_TIMEOUT = 5 * 60_000;

export async function judgeApp(app: App, say: (line: string) => void): Promise<AppVerdict> {
  const home = await homeOf(app, say);
  await using upstream = await startUpstream();
  say(`${app.name}: bare`);
  const bare = await run(app, home, `http://127.0.0.1:${upstream.port}`, undefined);
  say(`${app.name}: meshed`);
  const meshed = await run(app, home, NAME, upstream.port);
  return { name: app.name, bare, meshed, same: isDeepStrictEqual(bare, meshed) };
}

/** @param reviewsPort of the service that the mesh knows; absent: there is no mesh */
async function run(app: App, home: Home, upstream: string, reviewsPort: number | undefined): Promise<Report> {
  const port = await freePort();
  const setting: Setting = { port, upstream };
  const folder = mkdtempSync(join(home.folder, "work-"));
  try {
    for (const [path, text] of Object.entries(app.files?.(setting) ?? {})) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    using environment =
      reviewsPort === undefined ? meshEnvironment("bare") : meshEnvironment("outside", [], reviews(reviewsPort));
    const env = { ...environment.env, UPSTREAM: upstream, PORT: String(port), CI: "true", ...OFFLINE };
    const command = ([script = "", ...args]: readonly string[]) => ({
      script: script.startsWith("./") ? join(folder, script) : home.find(script),
      args,
    });
    if (app.prepare !== undefined) {
      const { script, args } = command(app.prepare(setting));
      const { code, end } = await outputOf(process.execPath, [script, ...args], {
        folder,
        env,
        timeout: PREPARE_TIMEOUT,
      });
      if (code !== 0) throw new Error(`${app.name} ${args.join(" ")} ${end}`);
    }
    let answers: unknown;
    const ends: Record<string, End> = {};
    for (const signal of SIGNALS) {
      const running = await RunningApp.start({
        ...command(app.start(setting)),
        folder,
        env,
        port,
        ready: app.ready ?? "/",
      });
      try {
        answers ??= await app.use(running.client);
        ends[signal] = await running.end(signal);
      } finally {
        running.kill();
      }
    }
    return { answers: withoutPlace(answers, [`:${port}`, upstream, folder]), ends };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** None of them calls home while it is watched. */
const OFFLINE = { NEXT_TELEMETRY_DISABLED: "1", NO_UPDATE_CHECK: "1", NO_UPDATE_NOTIFIER: "1" };

function reviews(port: number): object {
  return {
    hosts: ["reviews.default.svc.cluster.local"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    resolution: "STATIC",
    endpoints: [{ address: "127.0.0.1", ports: { http: port } }],
  };
}

/** Ports and folders are others in each run. */
function withoutPlace(answers: unknown, places: readonly string[]): unknown {
  const text = JSON.stringify(answers);
  return JSON.parse(places.reduce((all, place, index) => all.replaceAll(place, `<${index}>`), text));
}
