/** Packs once for all test files, and keeps the registry with the tarballs open while they run. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import type { NpmSettings } from "./consumer.js";
import { openLoopbackRegistry } from "./loopback-registry.js";
import { packAll, type Tarball } from "./tarballs.js";

declare module "vitest" {
  interface ProvidedContext {
    readonly tarballs: readonly Tarball[];
    readonly npm: NpmSettings;
  }
}

export default async function packed({ provide }: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-tarballs-"));
  const tarballs = packAll(folder);
  const registry = await openLoopbackRegistry(tarballs);
  provide("tarballs", tarballs);
  provide("npm", { registry: registry.url, cache: join(folder, "npm-cache") });
  return async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
}
