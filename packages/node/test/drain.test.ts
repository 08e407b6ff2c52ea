import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createMesh } from "../src/index.js";
import { ask, leases, newFolder, start } from "./child.js";
import { until } from "./until.js";

/** Calls `http://pool/` about 200 times a second, every third with POST, until stopped. */
function load(call: (method: string) => Promise<number>) {
  const failures: string[] = [];
  let sent = 0;
  let running = true;
  const pending = new Set<Promise<void>>();
  const loop = (async () => {
    while (running) {
      const method = sent++ % 3 === 2 ? "POST" : "GET";
      const one = call(method).then(
        (status) => void (status !== 200 && failures.push(`${method} ${status}`)),
        (error: Error) => void failures.push(`${method} ${error.message} ${String(error.cause)}`),
      );
      pending.add(one);
      void one.finally(() => pending.delete(one));
      await delay(5);
    }
  })();
  const stop = async () => {
    running = false;
    await loop;
    await Promise.all(pending);
    return { sent, failures };
  };
  return { stop, sent: () => sent };
}

describe.each([
  ["an application without a handler", "bare.mjs", { code: null, signal: "SIGTERM" }],
  ["an application that closes its server itself", "own-handler.mjs", { code: 7, signal: null }],
])("SIGTERM to %s", (_, fixture, expected) => {
  it("fails no request under load, and ends the process as without us", async () => {
    const folder = newFolder();
    const [old, other] = [1, 2].map(() => start(fixture, { folder, service: "pool" }));
    await Promise.all([old!.port(), other!.port()]);
    await until(() => leases(folder).size === 2);
    await using mesh = await createMesh({ service: "caller", config: folder, admin: "off", propagationDelayMs: 0 });
    await mesh.ready();
    await until(() => mesh.fetch("http://pool/slow?ms=1").then((response) => response.ok));
    const traffic = load(async (method) => {
      const response = await mesh.fetch(`http://pool/slow?ms=20`, { method });
      await response.text();
      return response.status;
    });
    await until(() => traffic.sent() > 20);
    const before = traffic.sent();
    old!.process.kill("SIGTERM");
    expect(await old!.exited).toEqual(expected);
    expect(leases(folder).size).toBe(2); // the other one and the caller
    await until(() => traffic.sent() > before + 60);
    const { failures, sent } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(sent).toBeGreaterThan(80);
    if (fixture === "own-handler.mjs") expect(old!.out()).toMatch(/handler ran\nserver closed\n$/);
    expect(old!.errors()).toBe("");
  });
});

describe("SIGTERM", () => {
  it("lets a request in flight finish, on a connection that is then closed", async () => {
    const child = start("bare.mjs", { folder: newFolder() });
    const port = await child.port();
    await ask(port, "/echo");
    const slow = fetch(`http://127.0.0.1:${port}/slow?ms=700`);
    await delay(100);
    child.process.kill("SIGTERM");
    const response = await slow;
    expect([response.status, response.headers.get("connection"), await response.json()]).toEqual([
      200,
      "close",
      { slept: true },
    ]);
    expect(await child.exited).toEqual({ code: null, signal: "SIGTERM" });
  });

  it("leaves the registry before a handler runs that was there before anything served", async () => {
    const folder = newFolder();
    const child = start("early-handler.mjs", { folder });
    await child.port();
    await until(() => leases(folder).size === 1);
    child.process.kill("SIGTERM");
    await child.printed(/(alone)/);
    expect(leases(folder).size).toBe(0);
    expect(await child.exited).toEqual({ code: null, signal: "SIGTERM" });
  });

  it("ends the wait when it comes a second time", async () => {
    const child = start("bare.mjs", { folder: newFolder() });
    const port = await child.port();
    const hanging = fetch(`http://127.0.0.1:${port}/slow?ms=60000`).catch((error: Error) => error);
    await delay(100);
    child.process.kill("SIGTERM");
    await delay(100);
    child.process.kill("SIGTERM");
    expect(await child.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect(await hanging).toBeInstanceOf(Error);
  });

  it("cuts what is still being served when drainTimeoutMs is over", async () => {
    const child = start("bare.mjs", { folder: newFolder(), env: { INMESH_DRAIN_TIMEOUT_MS: "600" } });
    const port = await child.port();
    const hanging = fetch(`http://127.0.0.1:${port}/slow?ms=60000`).catch((error: Error) => error);
    await delay(100);
    child.process.kill("SIGTERM");
    expect(await child.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect(await hanging).toBeInstanceOf(Error);
    expect(child.errors()).toBe("inmesh: drain: 1 request was cut after 600 ms\n");
  });
});
