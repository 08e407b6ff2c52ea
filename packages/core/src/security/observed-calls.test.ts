import { parseSpiffeId } from "@inmesh/model";
import { expect, it } from "vitest";
import { FakeClock } from "../runtime/fake-clock.js";
import { ObservedCalls } from "./observed-calls.js";

const web = parseSpiffeId("spiffe://cluster.local/ns/shop/sa/web");

it("counts by caller, method and template, and says since when and until when", async () => {
  const clock = new FakeClock();
  const calls = new ObservedCalls(clock);
  calls.add(web, "GET", "/orders/1?token=secret", false);
  await clock.advance(1_000);
  calls.add(web, "GET", "/orders/2", true);
  calls.add(undefined, "GET", "/orders/2", false);
  await clock.advance(500);
  expect(calls.read()).toEqual({
    beyond: 0,
    calls: [
      {
        ...{ caller: "cluster.local/ns/shop/sa/web", method: "GET", path: "/orders/{*}" },
        ...{ count: 2, denied: 1, firstAgoMs: 1_500, lastAgoMs: 500 },
      },
      { caller: "", method: "GET", path: "/orders/{*}", count: 1, denied: 0, firstAgoMs: 500, lastAgoMs: 500 },
    ],
  });
});

it("keeps to its bounds, and counts what is beyond them", () => {
  const calls = new ObservedCalls(new FakeClock());
  for (let index = 0; index < 1_000; index++) calls.add(web, "GET", `/word${"x".repeat(index % 500)}`, false);
  for (let index = 0; index < 1_000; index++) calls.add(web, `M${index}`, "/", false);
  for (let index = 0; index < 1_000; index++) calls.add(web, "PUT", `/items/${index}`, false);
  const { calls: lines, beyond } = calls.read();
  expect(lines.length).toBeLessThan(600);
  expect(beyond).toBeGreaterThan(1_000);
  expect(lines.filter(({ method }) => method === "PUT")).toEqual([]); // its method came after the sixteen
});

it("goes on counting paths of numbers beyond the bound, as their template", () => {
  const calls = new ObservedCalls(new FakeClock());
  for (let index = 0; index < 1_000; index++) calls.add(web, "PUT", `/items/${index}`, false);
  expect(calls.read()).toMatchObject({ beyond: 0, calls: [{ path: "/items/{*}", count: 1_000 }] });
});
