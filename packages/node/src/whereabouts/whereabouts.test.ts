import http from "node:http";
import type { AddressInfo } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { FakeClock, settle } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import type { lookAround, SharedServer } from "./surroundings.js";
import { lookAround as look } from "./surroundings.js";
import { Whereabouts } from "./whereabouts.js";

const at = (address: string, internal = false) => ({ address, internal }) as NetworkInterfaceInfo;
const INTERFACES = { lo: [at("127.0.0.1", true)], eth0: [at("10.0.0.3")] };
const SERVER: SharedServer = { host: "127.0.0.1", port: 8500, agentAddress: async () => "10.0.0.3" };
const EVERYWHERE = [{ address: "::", port: 80, protocol: "http" as const }];
const HERE = [{ address: "127.0.0.1", port: 80, protocol: "http" as const }];

function open(
  settings: { address?: string; locality?: string } = {},
  {
    clock = new FakeClock(),
    ...rest
  }: { clock?: FakeClock; look?: typeof lookAround; env?: Record<string, string> } = {},
) {
  const log: string[] = [];
  const whereabouts = new Whereabouts({
    settings: { address: settings.address, locality: settings.locality },
    ...{ env: {}, clock, ...rest },
    onChange: () => log.push("change"),
    onWarning: (message) => log.push(message),
  });
  return { log, clock, whereabouts };
}

it("takes what was said, and asks nobody", async () => {
  const { whereabouts, log } = open(
    { address: "node-7", locality: "eu/eu-1" },
    { look: () => expect.fail("it looked") },
  );
  await whereabouts.learnLocality();
  await whereabouts.learnAddress(SERVER);
  expect(whereabouts.address(EVERYWHERE)).toEqual({ address: "node-7", why: "it was set" });
  expect([whereabouts.locality, whereabouts.excluded, log]).toEqual([
    { region: "eu", zone: "eu-1", subZone: "" },
    [],
    [],
  ]);
});

it("is on this machine while the registry is a folder", async () => {
  const { whereabouts } = open({}, { look: () => expect.fail("it looked") });
  await whereabouts.learnAddress(undefined);
  expect(whereabouts.address(EVERYWHERE)?.address).toBe("127.0.0.1");
});

it("asks an agent that is away again, and tells when it knows better", async () => {
  let away = true;
  const { whereabouts, clock, log } = open(
    {},
    {
      look: async () => ({
        surroundings: { interfaces: INTERFACES, ...(!away && { agent: "127.0.0.1" }) },
        incomplete: away,
      }),
    },
  );
  await whereabouts.learnAddress(SERVER);
  expect(whereabouts.address(EVERYWHERE)?.address).toBe("10.0.0.3");
  away = false;
  await clock.advanceAsync(5_000);
  expect(whereabouts.address(EVERYWHERE)?.address).toBe("127.0.0.1");
  expect([log, clock.pending]).toEqual([["change"], 0]);
});

it("keeps nobody waiting for an agent that does not answer, and ends with its mesh", async () => {
  const { whereabouts, clock, log } = open({}, { look: () => new Promise(() => {}) });
  const learning = whereabouts.learnAddress(SERVER);
  await settle();
  clock.advance(2_000);
  await learning;
  expect(whereabouts.address(HERE)?.address).toBe("127.0.0.1");
  whereabouts.close();
  expect([clock.pending, log]).toEqual([0, []]);
});

it("warns once of a server that nobody on another machine reaches", async () => {
  const found = { surroundings: { interfaces: INTERFACES, agent: "10.0.0.3" }, incomplete: false };
  const { whereabouts, log } = open({}, { look: async () => found });
  await whereabouts.learnAddress(SERVER);
  for (let times = 0; times < 2; times++) expect(whereabouts.address(HERE)?.address).toBe("127.0.0.1");
  expect(log).toEqual([
    expect.stringContaining("call 127.0.0.1:80, where no process on another machine reaches this one"),
  ]);
});

it("has no address while the platform does not say it, asks again, and is then told", async () => {
  let up = false;
  const server = http.createServer((_, response) => {
    const text = JSON.stringify({ Networks: [{ NetworkMode: "awsvpc", IPv4Addresses: ["10.0.2.106"] }] });
    response.writeHead(up ? 200 : 500).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const env = { ECS_CONTAINER_METADATA_URI_V4: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v4` };
  try {
    const { whereabouts, clock, log } = open({ address: "ecs" }, { env });
    await whereabouts.learnAddress(SERVER);
    expect(whereabouts.address(EVERYWHERE)).toBeUndefined();
    expect(whereabouts.excluded).toContain("169.254.170.2");
    up = true;
    clock.advance(5_000);
    await expect.poll(() => log.length).toBe(2);
    expect(whereabouts.address(HERE)).toEqual({ address: "10.0.2.106", why: "ecs says so" });
    expect(log).toEqual([
      expect.stringMatching(/not registered.*address is ecs, and 127\.0\.0\.1:\d+ answered 500/),
      "change",
    ]);
  } finally {
    server.close();
  }
});

it("goes on without a locality that the platform does not say, after three tries", async () => {
  const { whereabouts, clock, log } = open({ locality: "ecs" });
  const learning = whereabouts.learnLocality();
  for (let tries = 1; tries < 3; tries++) {
    await expect.poll(() => clock.pending).toBe(1);
    clock.step();
  }
  await learning;
  expect(whereabouts.locality).toBeUndefined();
  expect(log).toEqual([expect.stringMatching(/^locality is ecs, and ECS_CONTAINER_METADATA_URI_V4 is not set/)]);
});

it.each([
  ["asks an agent here", { host: "localhost" }, { agent: "10.0.0.3" }],
  ["asks no server elsewhere, and takes the way to it", { host: "10.99.99.99" }, {}],
])("%s", async (_, change, expected) => {
  const { surroundings, incomplete } = await look({ ...SERVER, ...change }, INTERFACES);
  expect(incomplete).toBe(false);
  expect(surroundings).toMatchObject(expected);
  if (change.host !== "localhost") expect(surroundings.agent).toBeUndefined();
});

it("knows that it does not know: an agent away, a name that does not resolve", async () => {
  const away = () => Promise.reject(new Error("ECONNREFUSED"));
  expect((await look({ ...SERVER, agentAddress: away }, INTERFACES)).incomplete).toBe(true);
  expect((await look({ ...SERVER, host: "no-such-host.invalid" }, INTERFACES)).incomplete).toBe(true);
});
