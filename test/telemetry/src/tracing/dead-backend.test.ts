/** A backend that takes no spans costs no request, and holds up no end. */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { freePort } from "../prometheus/prometheus.js";
import { openWeb } from "./traced-web.js";

/** OpenTelemetry's exporter waits 10 s for an answer: whoever waits for it takes longer than this. In ms. */
const LONGEST_MS = 8_000;
const REQUESTS = 40;

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
  server = undefined;
});

async function silent(): Promise<number> {
  server = createServer((socket) => sockets.add(socket.on("error", () => {})));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as { port: number }).port;
}

it.each([
  ["is not there", freePort],
  ["takes connections and never answers", silent],
])("a backend that %s", async (_, backend) => {
  const web = await openWeb("", {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await backend()}`,
    ...{ INMESH_TRACING_SAMPLING: "100", OTEL_BSP_SCHEDULE_DELAY: "20", INMESH_DRAIN_TIMEOUT_MS: "2000" },
  });
  for (let request = 0; request < REQUESTS; request++) {
    const startedAt = performance.now();
    expect(await web.ask()).toHaveProperty("traceparent");
    expect(performance.now() - startedAt).toBeLessThan(LONGEST_MS);
  }
  const endedAt = performance.now();
  const errors = await web.end();
  expect(performance.now() - endedAt).toBeLessThan(LONGEST_MS);
  // It is said once, by the mesh's own log.
  expect(errors.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(1);
});
