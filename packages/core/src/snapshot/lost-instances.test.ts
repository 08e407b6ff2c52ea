import { compile, validateDocument } from "@inmesh/model";
import { expect, it } from "vitest";
import { settle } from "../runtime/fake-clock.js";
import { refuses } from "../testing/behaviour.js";
import { ScriptedSource } from "../testing/scripted-source.js";
import { testEngine } from "../testing/test-engine.js";
import { Pipeline } from "./pipeline.js";
import { ProtectedSource } from "./protected-source.js";
import { RememberedServices } from "./remembered-services.js";
import { shopLease } from "./shop.test.helper.js";

const THREE = [1, 2, 3].map((n) => shopLease("reviews", `r-${n}`));
const at = (port: number) => `127.0.0.1:${port}`;

/** A mesh as a process with a registry server has it: calls, and who of those who vanished is still called. */
async function setup() {
  const mesh = testEngine(undefined, { onEndpointClosed: (endpoint) => held.refused(endpoint) });
  const { clock, store, send } = mesh;
  const registry = new ScriptedSource();
  const held = new ProtectedSource({ source: registry, clock });
  const source = new RememberedServices({ source: held, clock });
  const client = { namespace: "shop", service: "web", labels: {} };
  const pipeline = new Pipeline({ source, store, clock, client, validate: validateDocument, compile });
  pipeline.start();
  const say = async (...leases: typeof THREE) => {
    registry.say({ leases });
    await settle();
  };
  /** What became of so many calls, and where they went. */
  const calls = async (count: number) => {
    const made = Array.from({ length: count }, () => send("reviews"));
    await clock.advanceAsync(100);
    const ends = new Set(
      made.map(({ call, exchange }) => (exchange.events.includes("passThrough") ? "DNS" : call.status)),
    );
    const reached = new Set(
      made
        .flatMap(({ call, exchange }) => (call.status === 200 ? exchange.attempts.at(-1) : []))
        .map((attempt) => attempt?.endpoint.endpoint.id),
    );
    return { ends: [...ends], reached: [...reached].sort() };
  };
  await say(...THREE);
  return { ...mesh, held, pipeline, say, calls };
}

it("calls go on to instances that the registry lost all at once, but for those that refuse, and then find nobody", async () => {
  const { network, clock, say, calls, held } = await setup();
  expect(await calls(30)).toEqual({ ends: [200], reached: [at(3_001), at(3_002), at(3_003)] });
  await say();
  expect(await calls(30)).toEqual({ ends: [200], reached: [at(3_001), at(3_002), at(3_003)] });
  network.script(at(3_002), refuses());
  expect((await calls(30)).reached).toEqual([at(3_001), at(3_003)]);
  expect(held.status.held?.[0]?.instances).toEqual([THREE[0]?.name, THREE[2]?.name]);
  await clock.advanceAsync(30_000);
  expect(await calls(3)).toEqual({ ends: [503], reached: [] });
});

it("a service that all have left is known and empty for ten minutes, and a matter for the DNS afterwards", async () => {
  const { network, clock, say, calls } = await setup();
  network.script("*", refuses());
  await calls(30); // who refuses before he vanishes is not held back
  await say();
  expect((await calls(3)).ends).toEqual([503]);
  await clock.advanceAsync(10 * 60_000);
  expect((await calls(3)).ends).toEqual(["DNS"]);
});
