import { ConsulRegistry, type ConsulTarget } from "@inmesh/consul";
import { FakeClock, type RegistryFixture, registryContract } from "@inmesh/core/testing";
import { parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { equals, eventually } from "./eventually.js";
import { targetOf } from "./hostile/watched-shop.js";
import { type ConsulProcess, findConsul, Relay, type Servers, slow, startServers } from "./peer/index.js";

const binary = findConsul("the contract of registries on one and on three servers");

describe.skipIf(binary === undefined).each([1, 3] as const)("with %i", (size) => {
  let servers: Servers;
  let relays: readonly Relay[];
  let round = 0;

  beforeAll(async () => {
    servers = await startServers(binary!, size); // not skipped: it is there
    await Promise.all(servers.servers.map(showsNobody)); // a moment after its start it shows not even itself
    relays = await Promise.all(servers.servers.map(({ port }) => Relay.start(port)));
  });
  afterAll(async () => {
    await Promise.all((relays ?? []).map((relay) => relay[Symbol.asyncDispose]()));
    await servers?.[Symbol.asyncDispose]();
  });

  /** Of policy all its own. Readers and writers ask different servers where there are several. */
  async function fixture(): Promise<RegistryFixture> {
    round += 1;
    const opened: ConsulRegistry[] = [];
    const make = (server: number, more: object = {}): ConsulRegistry => {
      const port = relays[server % size]!.port; // in range
      const target: ConsulTarget = targetOf(port, { prefix: `round-${round}` });
      return new ConsulRegistry({ target, parse: parseDocuments, scope: "all", ...more });
    };
    const open = (server: number): ConsulRegistry => {
      const registry = make(server);
      opened.push(registry);
      return registry;
    };
    const writer = open(0);
    const dying = make(0, { clock: new FakeClock() });
    return {
      store: writer.store,
      registrar: writer.registrar,
      openSource: () => open(1),
      openStore: () => open(2).store,
      dyingRegistrar: dying.registrar,
      goAway: async () => {
        await Promise.all(relays.map((relay) => relay.close()));
        return async () => {
          await Promise.all(relays.map((relay) => relay.open()));
        };
      },
      forgetLeases: () => forget(servers.servers[0]!), // there is one
      slowDown: (ms) => {
        for (const relay of relays) relay.behaviour = slow(ms);
      },
      close: async () => {
        for (const relay of relays) relay.behaviour = undefined;
        await Promise.all(opened.map((registry) => registry.close()));
        dying.client.close();
        await Promise.all(servers.servers.map(forget)); // the dead do not deregister
        await Promise.all(servers.servers.map(showsNobody));
      },
    };
  }

  registryContract(`Consul with ${size} server${size === 1 ? "" : "s"}`, fixture, { describe, it, expect }, [
    ...(["dyingRegistrar", "goAway", "forgetLeases", "slowDown"] as const),
  ]);
});

/** As if nobody had ever registered with this agent. */
async function forget(agent: ConsulProcess): Promise<void> {
  const services = (await agent.must("GET", "/v1/agent/services")) as object;
  for (const id of Object.keys(services)) await agent.must("PUT", `/v1/agent/service/deregister/${id}`);
}

/** Followers hear of it a moment later. */
async function showsNobody(server: ConsulProcess): Promise<void> {
  const names = async (): Promise<string[]> =>
    Object.keys((await server.must("GET", "/v1/catalog/services?stale")) as object);
  await eventually(names, equals(["consul"]));
}
