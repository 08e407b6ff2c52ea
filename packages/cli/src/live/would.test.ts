import { join } from "node:path";
import type { WouldReading } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const HOST = "reviews.shop.svc.cluster.local";
const NONE = {
  ...{ aborted: 0, delayed: 0, answered: 0, refused: 0, rerouted: 0, edited: 0, mirrored: 0, retried: 0, timedOut: 0 },
};
const CALLS = { successes: 0, failures: 0, retries: 0, inFlight: 0 };

it("stat shows what policy would have done during the interval, and nothing of it where nobody observes", async () => {
  using folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "");
  let reading = 0;
  let would: (n: number) => WouldReading[] = () => [];
  const stats = () => {
    reading += 1;
    const calls = reading * 100;
    return {
      ...{ atMs: reading * 1_000, service: "web", namespace: "shop", unrouted: 0, would: would(reading) },
      outbound: [
        {
          cluster: "c",
          host: HOST,
          subset: "",
          stats: { ...CALLS, calls, successes: calls },
          cells: [],
          endpoints: [],
        },
      ],
      inbound: { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 },
    };
  };
  await using _ = await FakeProcess.start(join(folder.path, "mesh"), {}, { "/stats": stats });
  const run = (...more: string[]) => runCli(["stat", "--interval", "1ms", ...more], { cwd: folder.path });
  expect((await run()).stdout).not.toContain("WITH MODE ON");

  would = (n) => [
    { host: HOST, ...NONE, calls: n * 100, changed: n * 30, aborted: n * 30, retried: 5 },
    { host: "api.example.com", ...NONE, calls: n * 4, changed: n * 4, refused: n * 4 },
  ];
  const { stdout, stderr } = await run();
  expect(stdout).toMatch(/WITH MODE ON\n.*reviews.* 30% aborted\n/);
  expect(stderr).toContain("api.example.com: with mode on, 100% refused of 4 calls\n");
  const { services } = (await run("-o", "json")).json<{ services: { name: string; would: WouldReading | null }[] }>();
  expect(services.map(({ name, would: each }) => [name, each?.calls, each?.aborted])).toEqual([
    ["reviews", 100, 30],
    ["web", undefined, undefined],
  ]);
});
