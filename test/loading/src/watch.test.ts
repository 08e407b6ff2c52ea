/** Programs that are started again and again while someone works on them. */

import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { HERE, leasesOf, run, temporary } from "./run.js";

/** As built: names resolve from the program, which is elsewhere. */
const REGISTER = join(HERE, "../../packages/node/dist/register.js");

describe("node --watch", () => {
  it("starts again without a lease or a process of before left", async () => {
    const service = "watched";
    const folder = join(temporary(), "app");
    cpSync("fixtures/runners/watch", folder, { recursive: true });
    const leased = (pid: string) => until(() => leasedPids(service).join() === pid);
    const watching = run(["--watch", "--import", REGISTER, "server.mjs"], {
      cwd: folder,
      service,
      env: { INMESH_PROPAGATION_DELAY_MS: "0" },
    });
    const first = await watching.printed(/listening first (\d+)/);
    await leased(first);
    writeFileSync(join(folder, "word.mjs"), 'export const word = "second";\n');
    const second = await watching.printed(/listening second (\d+)/);
    expect(second).not.toBe(first);
    await leased(second); // and the watcher itself, which has the flag too, has none
    expect(isAlive(first)).toBe(false);
    watching.child.kill("SIGTERM");
    await watching.ended;
    await until(() => !isAlive(second)); // killed by some versions of the watcher, and then its lease is of nobody
    expect(
      watching
        .errors()
        .replaceAll(/^.*(?:ExperimentalWarning|--trace-warnings).*$/gm, "")
        .trim(),
    ).toBe("");
  });
});

function leasedPids(service: string): string[] {
  return [...leasesOf(service).values()].map((text) => /pid: "(\d+)"/.exec(text)?.[1] ?? "?");
}

function isAlive(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}
