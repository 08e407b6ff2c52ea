import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DevProcess, isAlive, ROOT } from "./dev-process.js";

let folder = "";
let port = 0;
let dev: DevProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-stranger-"));
  copyFileSync(join(ROOT, "test/e2e/fixtures/a.cjs"), join(folder, "a.js"));
  mkdirSync(join(folder, "b"));
  copyFileSync(join(ROOT, "test/e2e/fixtures/b.mjs"), join(folder, "b", "b.js"));
  writeFileSync(join(folder, "b", "package.json"), '{"name":"@acme/b","type":"module"}');
  port = await freePort();
});

afterEach(async () => {
  await dev?.dispose();
  dev = undefined;
  rmSync(folder, { recursive: true });
});

/** `node a.js` with one caller's fixed port, and two replicas of b. */
async function start(...options: string[]): Promise<DevProcess> {
  const commands = ["--", "node", "a.js", "--", "node", "b/b.js", "--", "node", "b/b.js"];
  dev = new DevProcess(["dev", ...options, ...commands], { cwd: folder, env: { A_PORT: String(port) } });
  await Promise.all([
    dev.until(/\ba \(pid \d+\) is ready/),
    dev.until(/\bb \(pid \d+\) is ready.*\bb \(pid \d+\) is ready/s),
  ]);
  return dev;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const ask = async () => {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  return { status: response.status, text: await response.text() };
};

/** Asks until the answer is as wanted; the test's own bound ends a wait for ever. */
async function askUntil(wanted: (answer: { status: number; text: string }) => boolean): Promise<void> {
  while (!wanted(await ask())) await wait(10);
}

/** Presses a key that asks, as one does who did not get the answer that he waits for. */
async function pressUntil(session: DevProcess, key: string, pattern: RegExp): Promise<void> {
  while (!pattern.test(session.text)) {
    session.press(key);
    await wait(200);
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await wait(20);
}

describe("inmesh dev -- node a.js -- node b.js", () => {
  it("meshes two unmodified services by their names, over every replica", async () => {
    const session = await start();
    const seen = new Set<string>();
    while (seen.size < 2) {
      const { status, text } = await ask();
      expect([status, text]).toEqual([200, expect.stringMatching(/^hello from \d+$/)]);
      seen.add(text);
    }
    await session.until(/figures {3}a>b [\d.]+\/s 100% p50/);
    session.press("w");
    await session.until(
      /GET http:\/\/b\/hello from a.*: attempt 1 [\d.]+:\d+ ok after [\d.]+ ms; the caller got 200 after [\d.]+ ms; mesh cost [\d.]+ us/,
    );
    session.press("q");
    expect((await session.ended).code).toBe(0);
    expect(session.pids.filter(isAlive)).toEqual([]);
  });

  it("kills a replica by key, answers all the same, and brings it back", async () => {
    const session = await start();
    await ask();
    session.press("k");
    const [, pid] = await session.until(/kill -9 (\d+) \(b-\d\)/);
    await session.until(new RegExp(`\\(pid ${pid}\\) is gone: SIGKILL`));
    for (let n = 0; n < 50; n++) expect(await ask()).toMatchObject({ status: 200 });
    await session.until(/kill -9.*\bb \(pid \d+\) is ready/s);
  });

  it("switches policy off and on, and a fault in and out, and leaves the user's folder as it was", async () => {
    const mesh = join(folder, "mesh");
    mkdirSync(mesh);
    const redirect = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b, namespace: default }
spec:
  hosts: [b]
  http:
    - directResponse: { status: 418 }
      match: [{ uri: { exact: /hello } }]
    - route: [{ destination: { host: b } }]
`;
    writeFileSync(join(mesh, "b.yaml"), redirect);
    const session = await start();
    await session.until(new RegExp(`registry: .*${mesh}`));
    await askUntil(({ status }) => status === 418);
    session.press("o");
    await askUntil(({ status }) => status === 200);
    session.press("o");
    await askUntil(({ status }) => status === 418);

    writeFileSync(join(mesh, "b.yaml"), redirect.replace(/ {4}- directResponse.*?hello } }\]\n/s, ""));
    await askUntil(({ status }) => status === 200);
    const calls = setInterval(() => void ask().catch(() => {}), 20);
    try {
      await session.until(/figures {3}a>b/);
      session.press("f");
      await session.until(/30 % of the calls to b get 503/);
      await askUntil(({ status }) => status === 503);
      await pressUntil(session, "w", /aborted on purpose, nothing was sent; the caller got 503/);
      session.press("f");
      await session.until(/fault ended/);
    } finally {
      clearInterval(calls);
    }
    session.press("o"); // left off at the end
    await session.until(/policy off.*policy off/s);
    session.press("q");
    expect((await session.ended).code).toBe(0);
    expect(readdirSync(mesh).filter((name) => ![".workloads", ".ca"].includes(name))).toEqual(["b.yaml"]);
    expect(readdirSync(join(mesh, ".workloads")).filter((name) => name.endsWith(".yaml"))).toEqual([]);
  });

  it("reports a crash and starts the service again", async () => {
    const session = await start();
    const [pid] = session.pids;
    process.kill(pid ?? 0, "SIGABRT");
    await session.until(new RegExp(`\\(pid ${pid}\\) crashed: SIGABRT; starting it again in 0.5 s`));
    await session.until(/crashed.*\) is ready on port/s);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "leaves no process after %s, and runs again at once",
    async (signal) => {
      for (let run = 0; run < 2; run++) {
        const session = await start();
        expect((await ask()).status).toBe(200);
        const { pids } = session;
        expect(pids).toHaveLength(3);
        session.signal(signal);
        expect(await session.ended).toEqual({ code: 130, signal: null });
        expect(pids.filter(isAlive)).toEqual([]);
      }
    },
  );

  it("leaves no process even when it is itself killed with -9", async () => {
    const session = await start();
    const { pids } = session;
    session.signal("SIGKILL");
    await session.ended;
    await gone(pids);
    while (session.leftovers.length > 0) await wait(20);
  });
});
