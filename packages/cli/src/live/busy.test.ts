import type { StatsView } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";
import { busyRatio, busyText } from "./busy.js";

const at = (loop?: StatsView["loop"]) => ({ loop }) as unknown as StatsView;

it("is the share of the time in which a loop worked, and unknown where a process began anew or is older", () => {
  const first = at({ activeMs: 100, idleMs: 900 });
  expect(busyRatio(first, at({ activeMs: 190, idleMs: 910 }))).toBe(0.9);
  expect(busyRatio(first, at({ activeMs: 5, idleMs: 5 }))).toBeNull();
  expect([busyRatio(first, at()), busyRatio(at(), first)]).toEqual([null, null]);
});

it("tells there from here", () => {
  expect(busyText("shop/reviews", 0.97, 0.2)).toMatch(/slow there: .* busy 97%/);
  expect(busyText("shop/reviews", 0.3, 0.95)).toMatch(/slow from here: .* calls it was busy 95%/);
  expect(busyText("shop/reviews", 0.3, null)).toBeUndefined();
});

it("is shown by stat beside mTLS and retries", async () => {
  using folder = new TemporaryFolder();
  const host = "reviews.shop.svc.cluster.local";
  let calls = 0;
  const stats = (service: string, busy: number, isCaller: boolean) => () => {
    calls += 10;
    return {
      ...{
        atMs: calls,
        service,
        namespace: "shop",
        unrouted: 0,
        loop: { activeMs: calls * busy, idleMs: calls * (1 - busy) },
      },
      inbound: { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 },
      outbound: isCaller
        ? [
            {
              ...{ cluster: "c", host, subset: "", cells: [] },
              stats: { calls, successes: calls, failures: 0, retries: calls / 2, inFlight: 0 },
              endpoints: [{ id: "127.0.0.1:1", version: "", attempts: calls, failures: 0, plaintext: "" }],
            },
          ]
        : [],
    };
  };
  folder.write("mesh/x.txt", "");
  const start = (service: string, busy: number) =>
    FakeProcess.start(
      `${folder.path}/mesh`,
      { service, instance: `${service}-1` },
      { "/stats": stats(service, busy, service === "web") },
    );
  await using _1 = await start("web", 0.25);
  await using _2 = await start("reviews", 0.98);
  const { code, stdout } = await runCli(["stat", "--interval", "1ms", "-o", "json"], { cwd: folder.path });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).services).toMatchObject([
    {
      name: "reviews",
      secured: "yes",
      retryRatio: 0.5,
      busyRatio: expect.closeTo(0.98),
      callersBusyRatio: expect.closeTo(0.25),
    },
    { name: "web", secured: null, busyRatio: expect.closeTo(0.25), callersBusyRatio: null },
  ]);
  const table = await runCli(["stat", "--interval", "1ms"], { cwd: folder.path });
  expect(table.stdout).toMatch(/RETRY +SECURED +BUSY\nreviews .* 50\.0% +yes +98%\n/);
  expect(table.stderr).toContain("shop/reviews is slow there");
});
