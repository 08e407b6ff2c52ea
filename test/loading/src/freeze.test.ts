/**
 * A process that stands still for longer than its lease and its connections live, as functions and paused containers do,
 * and then is asked at once. SIGSTOP stands for the freezer.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import type { Lease } from "@inmesh/core";
import { FolderRegistry } from "@inmesh/core/folder";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { IMPORT, leasesOf, type Run, run, temporary } from "./run.js";

const ANSWERED = ["POST answered", "GET answered", "POST answered", "GET answered"];
/** The reader's: when it sees the lease expired, the connections have been idle for as long. */
const TTL_MS = 1_500;

interface Cast {
  readonly folder: string;
  readonly upstream: Run;
  readonly frozen: Run;
  readonly ask: (id: number) => void;
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<Cast> {
  const folder = temporary();
  const upstream = run([...IMPORT, "fixtures/freeze/upstream.mjs"], { folder, service: "upstream", input: true });
  await upstream.printed(/listening/);
  await until(() => leasesOf("upstream", folder).size === 1);
  const ttl = { INMESH_LEASE_TTL_MS: String(TTL_MS) };
  const options = { folder, service: "fn", input: true, env: { ...ttl, ...env } } as const;
  const frozen = run([...IMPORT, "fixtures/freeze/runtime.mjs"], options);
  const ask = (id: number): void => void frozen.child.stdin?.write(`${JSON.stringify({ id })}\n`);
  return { folder, upstream, frozen, ask };
}

/** What another process knows of the registry. */
function watchLeases(path: string) {
  const registry = new FolderRegistry({ path, parse: parseDocuments });
  let leases: readonly Lease[] = [];
  registry.watch((view) => {
    leases = view.leases;
  });
  return { services: () => leases.map(({ service }) => service), close: () => registry.close() };
}

describe("a frozen process", () => {
  it("answers its first event after the thaw, and is in the registry again", async () => {
    const { folder, upstream, frozen, ask } = await start();
    ask(1);
    expect(JSON.parse(await frozen.printed(/event 1: (.*)/))).toEqual(ANSWERED);
    const [lease = ""] = await until(() => {
      const names = [...leasesOf("fn", folder).keys()];
      return names.length > 0 && names;
    });
    const reader = watchLeases(folder);
    const seen = (): boolean => reader.services().includes("fn");
    await until(seen);

    frozen.child.kill("SIGSTOP");
    await until(() => !seen());
    upstream.child.stdin?.write("close\n");
    await upstream.printed(/closed/);
    const before = statSync(join(folder, ".workloads", lease)).mtimeMs;
    ask(2); // waits for it in its pipe, and is the first that it sees
    frozen.child.kill("SIGCONT");
    expect(JSON.parse(await frozen.printed(/event 2: (.*)/))).toEqual(ANSWERED);
    await until(seen);

    // One renewal at once, then every third of the time: what was missed is not caught up with.
    const renewals = new Set<number>();
    const end = performance.now() + TTL_MS;
    await until(() => {
      renewals.add(statSync(join(folder, ".workloads", lease)).mtimeMs);
      return performance.now() > end;
    });
    renewals.delete(before);
    expect(renewals.size).toBeGreaterThan(1);
    expect(renewals.size).toBeLessThan(7);
    expect(frozen.errors()).toBe("");
    await reader.close();
  });

  it("of AWS Lambda has no lease to lose", async () => {
    const { folder, upstream, frozen, ask } = await start({ AWS_LAMBDA_FUNCTION_NAME: "fn" });
    ask(1);
    expect(JSON.parse(await frozen.printed(/event 1: (.*)/))).toEqual(ANSWERED);
    frozen.child.kill("SIGSTOP");
    upstream.child.stdin?.write("close\n");
    await upstream.printed(/closed/);
    ask(2);
    frozen.child.kill("SIGCONT");
    expect(JSON.parse(await frozen.printed(/event 2: (.*)/))).toEqual(ANSWERED);
    expect(leasesOf("fn", folder).size).toBe(0);
    frozen.child.stdin?.end();
    expect((await frozen.ended).code).toBe(0); // nothing of the mesh keeps it
  });
});
