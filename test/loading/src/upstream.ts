/** The registry folder and the service `echo` in it, which all cases of this suite share. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    readonly folder: string;
  }
}

export default async function upstream(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-loading-"));
  const cwd = fileURLToPath(new URL("../", import.meta.url));
  const child = spawn(process.execPath, ["--import", "@inmesh/node/register", "fixtures/upstream.mjs"], {
    cwd,
    env: { PATH: process.env["PATH"], HOME: folder, INMESH_SERVICE: "echo", INMESH_CONFIG: folder },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  const leases = join(folder, ".workloads");
  for (let waited = 0; !existsSync(leases) || readdirSync(leases).length === 0; waited += 20) {
    if (waited > 20_000 || child.exitCode !== null) throw new Error("the upstream of this suite did not register");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  project.provide("folder", folder);
  return async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
