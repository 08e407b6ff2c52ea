/** Outlier detection over real sockets and the real clock. */

import { fakeOutlier } from "@inmesh/core/testing";
import { request } from "undici";
import { expect, it } from "vitest";
import { fakeMesh, listen, retries } from "./mesh.js";

/** Stands still, as a long computation does. */
function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

it("a replica that answers 500 gets no more calls after the third, and none fails any more", async () => {
  await using well = await listen((_, response) => response.end("well"));
  let asked = 0;
  await using sick = await listen((_, response) => {
    asked += 1;
    response.statusCode = 500;
    response.end();
  });
  const said: string[] = [];
  const outlier = fakeOutlier({ consecutiveErrors: 3, maxEjectionRatio: 0.5 });
  const mesh = fakeMesh(
    { pay: { endpoints: [well.port, sick.port], policy: { outlier } } },
    { onHealth: (message) => said.push(message) },
  );
  const statuses: number[] = [];
  for (let n = 0; n < 60; n++) {
    const { statusCode, body } = await request("http://pay/", { dispatcher: mesh.dispatcher });
    await body.dump();
    statuses.push(statusCode);
  }
  expect([asked, statuses.filter((status) => status === 500).length]).toEqual([3, 3]);
  expect(said).toHaveLength(1);
  await mesh.close();
});

it("a timeout that this process's own pause brought about ejects nobody, the next one does", async () => {
  await using silent = await listen(() => {});
  const outlier = fakeOutlier({ consecutiveErrors: 1, maxEjectionRatio: 1 });
  const retry = retries(0, [], { perTryTimeoutMs: 150 });
  const mesh = fakeMesh({ pay: { endpoints: [silent.port], policy: { outlier }, retry } });
  const statusAfter = async (pauseMs: number) => {
    const answer = request("http://pay/", { dispatcher: mesh.dispatcher });
    if (pauseMs > 0) setTimeout(() => standStill(pauseMs), 20);
    const { statusCode, body } = await answer;
    await body.dump();
    return [statusCode, mesh.engine.clusters.all()[0]!.usable.length];
  };
  expect(await statusAfter(400)).toEqual([504, 1]);
  // Where others work on the machine, it too makes this process stand still.
  let next = await statusAfter(0);
  while (next[1] === 1) next = await statusAfter(0);
  expect(next).toEqual([504, 0]);
  expect(await statusAfter(0)).toEqual([503, 0]);
  await mesh.close();
});
