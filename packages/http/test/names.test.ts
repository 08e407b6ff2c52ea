import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FakeClock, FakeResolver } from "@inmesh/core/testing";
import type { Resolution } from "@inmesh/model";
import { request } from "undici";
import { afterEach, expect, it } from "vitest";
import { fakeMesh, until } from "./mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** One port at two addresses, each of which says which it is. */
async function twoAddresses(): Promise<{ port: number; connections: () => readonly number[] }> {
  const counts = [0, 0];
  let port = 0;
  for (const [index, address] of ["127.0.0.1", "::1"].entries()) {
    const server: Server = createServer((_, response) => response.end(address));
    server.on("connection", () => {
      counts[index]! += 1;
    });
    await once(server.listen(port, address), "listening");
    port = (server.address() as AddressInfo).port;
    closing.push(() => server.close().closeAllConnections());
  }
  return { port, connections: () => counts };
}

async function setup(resolution: Resolution) {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock).answer("api.test", ["127.0.0.1"], 10_000);
  const { port, connections } = await twoAddresses();
  const endpoint = { id: `api.test:${port}`, address: "api.test", port, weight: 1, labels: {}, workloads: [] };
  const mesh = fakeMesh({ api: { endpoints: [endpoint], resolution } }, { clock, transportClock: clock, resolver });
  closing.push(() => mesh.close());
  /** Over once its connection is free again. */
  const ask = async () => {
    const { body } = await request("http://api/", { dispatcher: mesh.dispatcher });
    const text = await body.text();
    await new Promise((resolve) => setImmediate(resolve));
    return text;
  };
  const answer = async (...addresses: readonly string[]) => {
    resolver.answer("api.test", addresses, 10_000);
    await clock.advanceAsync(5_000);
    await ask(); // or the sweep of idle pools would close it
    await clock.advanceAsync(5_000);
  };
  return { clock, mesh, ask, answer, connections, resolver };
}

it("calls every address of a name with DNS, and closes the connections to one that left", async () => {
  const { mesh, ask, answer } = await setup("dns");
  expect(await ask()).toBe("127.0.0.1");
  await answer("127.0.0.1", "::1");
  expect(new Set([await ask(), await ask()])).toEqual(new Set(["127.0.0.1", "::1"]));
  expect(mesh.transport.size).toBe(2);
  await answer("::1");
  expect([await ask(), await ask()]).toEqual(["::1", "::1"]);
  await until(() => mesh.transport.size === 1);
});

it("keeps the connections it has with DNS_ROUND_ROBIN, and makes new ones to the address of now", async () => {
  const { ask, answer, connections } = await setup("dnsRoundRobin");
  expect(await ask()).toBe("127.0.0.1");
  await answer("::1", "127.0.0.1");
  expect(await ask()).toBe("127.0.0.1"); // the connection that is there
  const both = await Promise.all([ask(), ask()]); // one more connection than there is
  expect(new Set(both)).toEqual(new Set(["127.0.0.1", "::1"]));
  expect(connections()).toEqual([1, 1]);
});

it("calls the host of the request with DYNAMIC_DNS, at the address of now", async () => {
  const clock = new FakeClock();
  const resolver = new FakeResolver(clock);
  const { port } = await twoAddresses();
  resolver.answer("api.default.svc.cluster.local", ["::1"], 10_000);
  const mesh = fakeMesh({ api: { endpoints: [], port, resolution: "dynamicDns" } }, { clock, resolver });
  closing.push(() => mesh.close());
  const { body } = await request(`http://api:${port}/`, { dispatcher: mesh.dispatcher });
  expect(await body.text()).toBe("::1");
});
