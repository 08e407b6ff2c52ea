/**
 * What callers count and what the called count, over sockets and random answers: a call once, and each of its attempts once. Nobody
 * closes a connection here: what is sent anew because its kept connection was closed may have arrived before.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@inmesh/core";
import { createMesh, type Mesh } from "@inmesh/node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "./prometheus/prometheus.js";

const CALLS = 200;
const RETRIES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: dice, namespace: shop }
spec:
  hosts: [dice]
  http:
    - retries: { attempts: 2, retryOn: "5xx", backoff: 1ms }
      route: [{ destination: { host: dice } }]
`;

const folder = mkdtempSync(join(tmpdir(), "inmesh-ends-"));
const random = seededRandom(11);
const servers: Server[] = [];
const meshes: Mesh[] = [];
let caller: Mesh;

beforeAll(async () => {
  writeFileSync(join(folder, "dice.yaml"), RETRIES);
  const shared = { namespace: "shop", config: folder, log: "error", propagationDelayMs: 0 } as const;
  for (const version of ["v1", "v2"]) {
    const mesh = await createMesh({ service: "dice", version, ...shared });
    const server = createServer((_, response) => {
      const drawn = random.next();
      response.statusCode = drawn < 0.3 ? 503 : drawn < 0.4 ? 404 : 200;
      response.end("x".repeat(random.int(2_000)));
    });
    mesh.attach(server);
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
    meshes.push(mesh);
  }
  caller = await createMesh({ service: "caller", ...shared });
  meshes.push(caller);
  await until(async () => (await caller.fetch("http://dice/")).status === 200, "dice to be found");
}, 60_000);

afterAll(async () => {
  await Promise.all(meshes.map((mesh) => mesh.close()));
  for (const server of servers) server.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

/** Sum of the samples of a metric whose labels match. */
async function sum(of: readonly Mesh[], metric: string, labels = /^/): Promise<number> {
  let total = 0;
  for (const mesh of of) {
    const text = await mesh.metricsRegistry().metrics();
    for (const [, found = "", value] of text.matchAll(new RegExp(`^${metric}\\{(.*)\\} (\\S+)$`, "gm")))
      if (labels.test(found)) total += Number(value);
  }
  return total;
}

it("counts a call once where it is made, and each attempt once where it arrives", async () => {
  const called = meshes.slice(0, 2);
  const callsBefore = await sum([caller], "istio_requests_total", /reporter="source"/);
  const statuses: number[] = [];
  for (let index = 0; index < CALLS; index++) {
    const response = await caller.fetch("http://dice/").catch(() => undefined);
    await response?.text();
    statuses.push(response?.status ?? 0);
  }
  const attempts = await sum([caller], "inmesh_upstream_attempts_total");
  const arrived = (): Promise<number> => sum(called, "istio_requests_total", /reporter="destination"/);
  await until(async () => (await arrived()) >= attempts, "the last answer to be counted");
  expect(await arrived()).toBe(attempts);
  expect((await sum([caller], "istio_requests_total", /reporter="source"/)) - callsBefore).toBe(CALLS);
  expect(attempts).toBeGreaterThan(CALLS); // some were tried again
  // Attempts that brought an answer nobody tries again are whole at both ends.
  const at = (mesh: readonly Mesh[], code: number): Promise<number> =>
    sum(mesh, "istio_requests_total", new RegExp(`response_code="${code}"`));
  for (const code of [200, 404]) expect([code, await at(called, code)]).toEqual([code, await at([caller], code)]);
  expect(statuses.filter((status) => status === 404).length).toBeGreaterThan(0);
});
