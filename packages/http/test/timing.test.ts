/** What a real connection and its bytes leave in the record of a call. */

import { ledgerTotal, type OutcomeRecord } from "@inmesh/core";
import { request } from "undici";
import { expect, it } from "vitest";
import { fakeMesh, listen, until } from "./mesh.js";

it("knows of a call its connection, its bytes and where its time went", async () => {
  await using server = await listen((incoming, response) => {
    incoming.resume().on("end", () => setTimeout(() => response.end("x".repeat(1_000)), 30));
  });
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  (mesh.engine as { timing: boolean }).timing = true;
  const told: unknown[] = [];
  mesh.engine.sinks.add({
    ended: (record: OutcomeRecord) => {
      const { ledger, attempts, requestBytes, responseBytes, protocol, remoteAddress, localAddress } = record;
      told.push([requestBytes, responseBytes, protocol, remoteAddress, attempts[0]!.reused]);
      expect(localAddress).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(ledgerTotal(ledger)).toBeCloseTo(record.endedAt - record.startedAt, 3);
      expect(ledger.waitMs).toBeGreaterThan(20);
      expect(ledger.connectMs > 0).toBe(told.length === 1); // the second one found the connection there
    },
  });
  for (let each = 0; each < 2; each++) {
    const { headers, body } = await request("http://reviews/", {
      ...{ dispatcher: mesh.dispatcher, method: "POST", body: "żółć" },
    });
    expect(headers["x-inmesh-timing"]).toMatch(/wait;dur=\d+.*total;dur=\d+/);
    await body.text();
    await until(() => told.length > each);
    await new Promise(setImmediate); // undici frees the connection
  }
  const where = `127.0.0.1:${server.port}`;
  expect(told).toEqual([
    [8, 1_000, "HTTP/1.1", where, false],
    [8, 1_000, "HTTP/1.1", where, true],
  ]);
  await mesh.close();
});
