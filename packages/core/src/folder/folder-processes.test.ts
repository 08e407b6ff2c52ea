import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { createHost } from "../snapshot/host.js";
import { lease, watched } from "../testing/registry-cases.js";
import { nodeFiles, writeAtomically } from "./files.js";
import { FolderRegistry } from "./folder-registry.js";
import { formatLease, stampOf } from "./lease-file.js";

const SEQUENCE = 7;

async function setup() {
  const path = await mkdtemp(join(tmpdir(), "inmesh-folder-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  await mkdir(join(path, ".workloads"));
  const file = join(path, ".workloads/shop.reviews.a.yaml");
  const registry = new FolderRegistry({ path, parse: parseDocuments });
  onTestFinished(() => registry.close());
  return { path, file, ...watched(registry) };
}

/** A process that renews its lease every 100 ms, as a registrar does. */
async function renewing(file: string): Promise<ChildProcess> {
  const script = `
    const { utimesSync } = require("node:fs");
    let second = Math.floor(Date.now() / 1000);
    setInterval(() => {
      try { second += 1; utimesSync(process.argv[1], second + ${SEQUENCE / 1_000}, second + ${SEQUENCE / 1_000}); } catch {}
    }, 100);
    console.log("up");`;
  const child = spawn(process.execPath, ["-e", script, file], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout ?? expect.fail("no output"), "data");
  return child;
}

async function writeLease(file: string, pid: number, { host = createHost(), ttlMs = 15_000 } = {}): Promise<void> {
  const text = formatLease({ ...lease("a"), pid, ttlMs }, SEQUENCE, {
    host: host.id,
    started: host.startOf(pid) ?? "",
  });
  await writeAtomically(nodeFiles, file, text, { mode: 0o600, changedAt: stampOf(SEQUENCE, Date.now()) });
}

describe("the lease of another process", () => {
  it("goes soon after its kill -9, long before it would expire", async () => {
    const { file, until } = await setup();
    const child = await renewing(file);
    await writeLease(file, child.pid ?? 0);
    await until(({ leases }) => leases.length === 1);
    child.kill("SIGKILL");
    const began = performance.now();
    await until(({ leases }) => leases.length === 0);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it("expires while it is stopped and comes back by itself when it goes on", async () => {
    const { file, until } = await setup();
    const child = await renewing(file);
    await writeLease(file, child.pid ?? 0, { ttlMs: 1_000 });
    const [first] = (await until(({ leases }) => leases.length === 1)).leases;
    child.kill("SIGSTOP");
    await until(({ leases }) => leases.length === 0);
    child.kill("SIGCONT");
    const [second] = (await until(({ leases }) => leases.length === 1)).leases;
    expect(second).toBe(first);
  });

  it("is not believed when its pid now belongs to another", async () => {
    const { file, until } = await setup();
    const host = createHost();
    if (host.startOf(process.pid) === "") return; // this system does not tell when a process started
    await writeLease(file, process.pid, { host: { ...host, startOf: () => "1" } });
    const { leases } = await until(() => true);
    expect(leases).toEqual([]);
  });

  it("is left to its lifetime when it runs on another machine", async () => {
    const { file, until } = await setup();
    const child = await renewing(file);
    child.kill("SIGKILL");
    await once(child, "exit");
    await writeLease(file, child.pid ?? 0, { host: { ...createHost(), id: "elsewhere" }, ttlMs: 1_000 });
    await until(({ leases }) => leases.length === 1);
    await until(({ leases }) => leases.length === 0);
  });
});

describe("this process", () => {
  it("is kept alive by nothing that a registry opens", async () => {
    const before = process.getActiveResourcesInfo().length;
    const { path, until } = await setup();
    const registry = new FolderRegistry({ path, parse: parseDocuments });
    onTestFinished(() => registry.close());
    await registry.register(lease("a"));
    await until(({ leases }) => leases.length === 1);
    const kept = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout" || kind === "FSEventWrap");
    expect([kept.length <= before, kept.filter((kind) => kind === "FSEventWrap")]).toEqual([true, []]);
  });
});
