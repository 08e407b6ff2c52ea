import { afterEach, expect, test } from "@jest/globals";
import nock from "nock";
import { priceOf, rawPriceOf } from "./prices.js";

afterEach(() => {
  expect(nock.isDone()).toBe(true); // what a test mocked was asked for
  nock.cleanAll();
});

test("fetch gets what nock answers", async () => {
  nock("http://prices").get("/emma").reply(200, { euros: 12 });
  expect(await priceOf("emma")).toBe(12);
});

test("node:http gets what nock answers", async () => {
  nock("http://prices").get("/emma").reply(200, { euros: 13 });
  expect(await rawPriceOf("emma")).toBe(13);
});

test("a book without a price has none", async () => {
  nock("http://prices").get("/ulysses").reply(404);
  expect(await priceOf("ulysses")).toBeUndefined();
});

test("a failure says what was asked", async () => {
  nock("http://prices").get("/emma").reply(503);
  await expect(priceOf("emma")).rejects.toThrow("prices answered 503 for emma");
});

// Nobody mocks these, and no "prices" runs: mesh/prices.yaml answers.
test("what is not mocked goes through the mesh, by fetch and by node:http", async () => {
  expect(await priceOf("free")).toBe(0);
  expect(await rawPriceOf("free")).toBe(0);
});

test("a fault of the mesh is an outage to try the client on", async () => {
  await expect(priceOf("outage")).rejects.toThrow("prices answered 503 for outage");
});

test("a mock stands before a rule", async () => {
  nock("http://prices").get("/free").reply(200, { euros: 7 });
  expect(await priceOf("free")).toBe(7);
});
