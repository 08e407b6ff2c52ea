import { ConsulRegistry } from "@inmesh/consul";
import { ProtectedSource } from "@inmesh/core/internal";
import { lease } from "@inmesh/core/testing";
import { parseDocuments } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { equals, eventually } from "./eventually.js";
import { targetOf } from "./hostile/watched-shop.js";
import { findConsul, startClientAgent, startServers } from "./peer/index.js";

const binary = findConsul("what becomes of a mesh whose agent forgets all that was registered");
const INSTANCES = 6;
/** Of the issue. */
const REGISTERED_AGAIN_MS = 10_000;

describe.skipIf(binary === undefined)("an agent that comes back with nothing", () => {
  it("has all instances again within ten seconds, and none is dropped meanwhile", async () => {
    await using servers = await startServers(binary!, 1);
    await using agent = await startClientAgent(binary!, servers);
    const open = (port: number) => new ConsulRegistry({ target: targetOf(port), parse: parseDocuments, scope: "all" });
    await using writer = open(agent.port);
    for (let n = 0; n < INSTANCES; n++)
      await writer.registrar.register({ ...lease(`i-${n}`), ports: [{ name: "http", number: 8000 + n }] });
    // The one asks the agent, the other a server that stays.
    const readers = [open(agent.port), open(servers.servers[0]!.port)].map(
      (source) => new ProtectedSource({ source, farewells: true }),
    );
    const counts: number[][] = [[], []];
    for (const [index, reader] of readers.entries())
      reader.watch(({ leases }) => counts[index]?.push(leases.filter(({ healthy }) => healthy !== false).length));
    try {
      await eventually(() => counts.map((each) => each.at(-1)), equals([INSTANCES, INSTANCES]));
      for (const each of counts) each.length = 1;
      await agent.restart({ forgetful: true });
      const back = performance.now();
      const own = async () => Object.keys((await agent.must("GET", "/v1/agent/services")) as object).length;
      await eventually(own, equals(INSTANCES));
      expect(performance.now() - back).toBeLessThan(REGISTERED_AGAIN_MS);
      const passing = async () => (await agent.must("GET", "/v1/health/service/reviews--shop?passing")) as unknown[];
      await eventually(async () => (await passing()).length, equals(INSTANCES));
      await eventually(
        () => readers.map(({ status }) => [status.state, status.held?.length ?? 0]),
        equals([
          ["fresh", 0],
          ["fresh", 0],
        ]),
      );
      expect(counts.flat().filter((count) => count < INSTANCES)).toEqual([]);
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  });
});
