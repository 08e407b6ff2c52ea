/**
 * The Prometheus to test with. `INMESH_PROMETHEUS` names a folder with `prometheus` and `promtool`; else those of the path, else
 * Debian's package is downloaded and unpacked into the tools folder, without being installed.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

export interface PrometheusTools {
  readonly prometheus: string;
  readonly promtool: string;
}

/**
 * @returns undefined, with a word on stderr, where there is none
 * @throws where peers are required (`INMESH_REQUIRE_PEERS=1`)
 */
export function findPrometheus(untested: string): PrometheusTools | undefined {
  const named = process.env["INMESH_PROMETHEUS"];
  const cached = join(toolsFolder(), "prometheus");
  const places =
    named !== undefined ? [toolsIn(named)] : [{ prometheus: "prometheus", promtool: "promtool" }, toolsIn(cached)];
  const found = places.find(runs);
  if (found !== undefined) return found;
  const reason = named === undefined ? unpack(cached) : `INMESH_PROMETHEUS=${named} holds none`;
  if (reason === undefined) return toolsIn(cached);
  if (process.env["INMESH_REQUIRE_PEERS"] === "1") throw new Error(`Prometheus is required for ${untested}: ${reason}`);
  console.error(`SKIPPED, not tested: ${untested}: there is no Prometheus: ${reason}`);
  return undefined;
}

function toolsFolder(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return process.env["INMESH_TOOLS_DIR"] ?? join(cache, "inmesh-tools");
}

function toolsIn(folder: string): PrometheusTools {
  return { prometheus: join(folder, "prometheus"), promtool: join(folder, "promtool") };
}

function runs({ promtool }: PrometheusTools): boolean {
  return spawnSync(promtool, ["--version"], { encoding: "utf8" }).status === 0;
}

/** @returns why it could not be */
function unpack(into: string): string | undefined {
  const work = mkdtempSync(join(tmpdir(), "inmesh-prometheus-"));
  try {
    const run = (command: string, ...args: string[]): string | undefined => {
      const { status, stderr, error } = spawnSync(command, args, { cwd: work, encoding: "utf8", timeout: 60_000 });
      return status === 0 ? undefined : (error?.message ?? `${command}: ${stderr.trim().split("\n").at(-1)}`);
    };
    const download = (...options: string[]) => run("apt-get", ...options, "download", "prometheus");
    if (download() !== undefined) {
      // The machine may never have asked what there is: a list of our own, so that its own stays as it is.
      mkdirSync(join(work, "lists", "partial"), { recursive: true });
      const lists = ["-o", `Dir::State::lists=${join(work, "lists")}`];
      const failed = run("apt-get", ...lists, "update") ?? download(...lists);
      if (failed !== undefined) return failed;
    }
    const [archive = ""] = readdirSync(work).filter((name) => name.endsWith(".deb"));
    const broken = run("dpkg-deb", "-x", archive, "unpacked");
    if (broken !== undefined) return broken;
    mkdirSync(join(into, ".."), { recursive: true });
    rmSync(into, { recursive: true, force: true });
    // Moved where it is to be in one step: others may look meanwhile.
    if (run("cp", "-r", "unpacked/usr/bin", `${into}.${process.pid}`) !== undefined) return "it cannot be copied";
    renameSync(`${into}.${process.pid}`, into);
    return runs(toolsIn(into)) ? undefined : "the unpacked one does not run here";
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
