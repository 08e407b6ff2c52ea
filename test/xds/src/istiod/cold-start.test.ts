/** Real istiod, profiles `envoy` and `grpc`: a process that starts while it is away calls and serves by what an earlier run was told. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh } from "@inmesh/node";
import { expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { freePort, Istiod } from "./istiod.js";
import { ask, backend, document, routeTo, serviceOf, subsetsOf } from "./shop.js";

const binary = findIstiod("a start while the control plane is away");
const ADDRESS = "127.0.0.72";
const URL = "http://reviews.shop.svc.cluster.local/";

it.skipIf(binary === undefined).each(["envoy", "grpc"])("starts without its istiod, profile %s", async (profile) => {
  const stateDir = mkdtempSync(join(tmpdir(), "inmesh-cold-"));
  const backends = await Promise.all(["v1", "v2"].map(backend));
  const port = await freePort();
  const own = { address: ADDRESS, ports: { http: port }, labels: { app: "app" } };
  const rules = [{ to: [{ operation: { paths: ["/admin*"] } }] }];
  const denied = { selector: { matchLabels: { app: "app" } }, action: "DENY", rules };
  const documents = [
    ...[serviceOf("reviews", backends), subsetsOf("reviews", ["v1", "v2"])],
    ...[serviceOf("app", [], { endpoints: [own] })],
    document("AuthorizationPolicy", "no-admin", denied, "security.istio.io/v1"),
  ];
  await using istiod = await Istiod.start({
    binary: binary ?? "",
    documents: [...documents, routeTo("reviews", "v2")],
  });
  const options = {
    ...{ service: "app", namespace: "shop", address: ADDRESS, stateDir, labels: { app: "app" } },
    ...({ admin: "127.0.0.1:0", log: "error", propagationDelayMs: 0 } as const),
    config: `xds://${istiod.address}?profile=${profile}`,
  };
  /** One run of the process. */
  const run = async (use: (mesh: Mesh, served: (path: string) => Promise<number>) => Promise<void>): Promise<void> => {
    const mesh = await createMesh(options);
    const server = mesh.attach(createServer(mesh.handler((_, response) => void response.end("own"))));
    try {
      await once(server.listen(port, ADDRESS), "listening");
      await mesh.ready();
      await use(mesh, async (path) => (await fetch(`http://${ADDRESS}:${port}${path}`)).status);
    } finally {
      await mesh.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  try {
    const page = async (mesh: Mesh, path: string): Promise<string> => (await fetch(`${mesh.adminUrl}${path}`)).text();
    const clusters = async (mesh: Mesh): Promise<string> => page(mesh, "/config_dump?resource=dynamic_active_clusters");
    await run(async (mesh, served) => {
      await eventually("the rule is in force", async () => (await ask(mesh, URL)) === "v2");
      expect(await clusters(mesh)).not.toContain("kept from an earlier run");
      const metrics = await page(mesh, "/stats/prometheus?filter=inmesh_xds");
      expect(metrics).toMatch(/^inmesh_xds_stream_state\{state="fresh"} 1$/m);
      expect(metrics).toMatch(/^inmesh_xds_messages_total\{type="cds",direction="received",result="ack"} [1-9]/m);
      expect(metrics).toMatch(/^inmesh_xds_bytes_total\{type="cds",direction="received"} [1-9]/m);
      expect(metrics).toMatch(/^inmesh_xds_resources\{type="eds",state="acked"} [1-9]/m);
      const [, at] = /^inmesh_xds_last_update_timestamp_seconds\{type="cds"} ([\d.]+)/m.exec(metrics) ?? [];
      expect(Math.abs(Date.now() / 1_000 - Number(at))).toBeLessThan(600);
      await eventually("it serves", async () => (await served("/")) === 200);
    });
    await istiod.stop();
    await run(async (mesh, served) => {
      expect(await ask(mesh, URL)).toBe("v2");
      expect([await served("/"), await served("/admin/x")]).toEqual([200, 403]);
      expect(mesh.status).toMatchObject({ state: "degraded", registry: { state: "stale" } });
      const dump = await clusters(mesh);
      expect(dump).toContain("outbound|80|v2|reviews.shop.svc.cluster.local");
      expect(dump).toContain("kept from an earlier run");
      expect(await page(mesh, "/stats/prometheus")).toMatch(/^inmesh_xds_stream_state\{state="fresh"} 0$/m);
      istiod.write([...documents, routeTo("reviews", "v1")]);
      await istiod.run();
      await eventually("it rules again", async () => (await ask(mesh, URL)) === "v1");
      await eventually("all is well", () => mesh.status.state === "ready");
    });
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
    for (const each of backends) await each[Symbol.asyncDispose]();
  }
});
