/** What a DestinationRule says about single connections: how old they get, when they are probed. In plaintext and over TLS. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@inmesh/core/testing";
import type { ClientTls, ConnectionPolicy } from "@inmesh/model";
import { request } from "undici";
import { afterAll, describe, expect, it } from "vitest";
import { MeshAgent } from "../src/node/index.js";
import { TestAuthority } from "./certificates.js";
import { fakeMesh, listen, until } from "./mesh.js";
import { listenTls } from "./tls-server.js";

const folder = mkdtempSync(join(tmpdir(), "inmesh-connections-"));
afterAll(() => rmSync(folder, { recursive: true }));
const authority = new TestAuthority();
const caCertificates = join(folder, "ca.pem");
writeFileSync(caCertificates, authority.pem);
const SIMPLE: Partial<ClientTls> = { mode: "SIMPLE", verifiesServerName: true, caCertificates };

const FORMS = [
  ["in plaintext", {}, () => listen((_, response) => void response.end("ok"))],
  ["over TLS", SIMPLE, () => listenTls(authority.issue(["pay"]))],
] as const;

function meshTo(port: number, connection: Partial<ConnectionPolicy>, tls: Partial<ClientTls>) {
  const clock = new FakeClock();
  const mesh = fakeMesh({ pay: { endpoints: [port], connection, tls } }, { transportClock: clock });
  const ask = async (path = "/"): Promise<number> => {
    const { statusCode, body } = await request(`http://pay${path}`, { dispatcher: mesh.dispatcher });
    await body.dump();
    await new Promise(setImmediate); // undici looks once more whether the server closes
    return statusCode;
  };
  return { mesh, clock, ask, [Symbol.asyncDispose]: () => mesh.close() };
}

describe("maxConnectionDuration", () => {
  it.each(FORMS)("ends an idle connection, and no younger one, %s", async (_, tls, start) => {
    await using server = await start();
    await using test = meshTo(server.port, { maxAgeMs: 5_000 }, tls);
    for (const ms of [4_000, 900, 200]) {
      expect(await test.ask()).toBe(200);
      test.clock.advance(ms);
    }
    await until(() => server.sockets.size === 0);
    expect(server.accepted()).toBe(1);
    expect(await test.ask()).toBe(200);
    expect(server.accepted()).toBe(2);
  });

  it("lets a request that is under way finish on an old one, and gives later ones another", async () => {
    let finish = (): void => {};
    await using server = await listen((req, res) => {
      if (req.url !== "/slow") return void res.end("ok");
      res.write("begun");
      finish = () => void res.end("done");
    });
    await using test = meshTo(server.port, { maxAgeMs: 5_000 }, {});
    const { body } = await request("http://pay/slow", { dispatcher: test.mesh.dispatcher });
    test.clock.advance(6_000);
    expect(await test.ask()).toBe(200);
    expect(server.accepted()).toBe(2);
    finish();
    expect(await body.text()).toBe("begundone");
    await until(() => server.sockets.size === 1);
    expect(await test.ask()).toBe(200);
    expect(server.accepted()).toBe(2);
  });

  it("keeps connections however old they are where policy says nothing", async () => {
    await using server = await listen((_, response) => void response.end("ok"));
    await using test = meshTo(server.port, {}, {});
    await test.ask();
    test.clock.advance(5_000);
    await test.ask();
    expect(server.accepted()).toBe(1);
  });
});

/** Of the client's socket: what the kernel has left until its first probe, in ms; 0 when none is set. Linux. */
function probeInMs(serverPort: number): number {
  const hex = serverPort.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/)); // slot, local, remote, state, queues, timer
  const row = rows.find(([, , remote, state]) => remote?.endsWith(`:${hex}`) === true && state === "01"); // established
  const [timer = "0", ticks = "0"] = (row?.[5] ?? "0:0").split(":");
  return timer === "02" ? Number.parseInt(ticks, 16) * 10 : 0; // USER_HZ is 100
}

describe.skipIf(process.platform !== "linux")("tcpKeepalive.time", () => {
  const keepAlive = { probes: 3, timeMs: 20_000, intervalMs: 1_000 };

  it.each(FORMS)("is when an idle connection is probed first, %s", async (_, tls, start) => {
    await using server = await start();
    for (const [connection, ms] of [
      [{ keepAlive }, 20_000],
      [{}, 60_000],
    ] as const) {
      await using test = meshTo(server.port, connection, tls);
      await test.ask();
      await until(() => probeInMs(server.port) > 0);
      expect(probeInMs(server.port)).toBeGreaterThan(ms - 10_000);
      expect(probeInMs(server.port)).toBeLessThanOrEqual(ms);
      await test.mesh.transport.close();
      await until(() => server.sockets.size === 0);
    }
  });

  it("holds for the connections of an agent, too", async () => {
    await using server = await listen((_, response) => void response.end("ok"));
    await using test = meshTo(server.port, { keepAlive }, {});
    const agent = new MeshAgent(test.mesh.client);
    const socket = await new Promise<Socket>((resolve, reject) => {
      http.get("http://pay/", { agent }, (response) => resolve(response.resume().socket)).on("error", reject);
    });
    await until(() => probeInMs(server.port) > 0);
    expect(probeInMs(server.port)).toBeLessThanOrEqual(20_000);
    socket.destroy();
    agent.destroy();
  });
});
