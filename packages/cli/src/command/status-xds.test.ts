import { expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const XDS = {
  ...{ profile: "envoy", server: "istiod:15010", controlPlane: "", node: "sidecar~10.0.0.7~web.shop~shop.svc" },
  types: [
    { type: "Cluster", states: { ACKED: 7, NACKED: 1 }, version: "3", ageMs: 61_000 },
    { type: "ClusterLoadAssignment", states: { ACKED: 2, REQUESTED: 1 }, version: "3", ageMs: 4_000 },
  ],
  refused: [{ type: "Cluster", name: "odd", error: "type 99 is not supported" }],
  ignored: ["Cluster x says what this version of inmesh passes over: upstream_bind_config"],
};
const INFO = (xds: object) => ({
  ...{
    instance: "web-1",
    service: "web",
    namespace: "shop",
    pid: 1,
    inmesh: "0.1.0",
    schemaVersion: 6,
    uptimeMs: 5_000,
  },
  ...{ state: "ready", mode: "on", labels: {}, ports: [8080], problems: 0, node: "v24.0.0" },
  registry: { url: "xds://istiod:15010", state: "fresh", sinceMs: 5_000, xds },
  snapshot: { version: 2, revision: "2" },
});
const SNAPSHOT = { version: 2, resources: {}, problems: [] };

async function status(xds: object, ...more: readonly string[]) {
  using folder = new TemporaryFolder();
  folder.write("mesh/.keep", "");
  const answers = { "/server_info": INFO(xds), "/snapshot": SNAPSHOT };
  await using _web = await FakeProcess.start(`${folder.path}/mesh`, {}, answers);
  return await runCli(["status", ...more], { cwd: folder.path });
}

it("shows what a process acknowledged of each type, what it waits for, refuses and passes over", async () => {
  const { stdout, stderr } = await status(XDS);
  expect(stdout).toMatch(/PROFILE +SYNC +TOLD +CONTROL PLANE/);
  expect(stdout).toMatch(
    /behind: awaits 1 ClusterLoadAssignment +envoy +CDS 7 \(1 refused\), EDS 2 \(1 awaited\) +4s +istiod:15010/,
  );
  expect(stderr).toContain("shop/web-1 refuses Cluster odd: type 99 is not supported");
  expect(stderr).toContain("shop/web-1: Cluster x says what this version of inmesh passes over");
});

it("is synced once all is told; documents are counted together", async () => {
  const types = ["VirtualService", "ServiceEntry"].map((type) => ({
    type,
    states: { ACKED: 2 },
    version: "3",
    ageMs: 4,
  }));
  const { stdout } = await status({ ...XDS, profile: "api", types, refused: [], ignored: [] });
  expect(stdout).toMatch(/synced +api +resources 4 +4ms/);
  const envoy = await status({ ...XDS, types: [], refused: [], ignored: [] }, "-o", "json");
  expect(envoy.json<{ dataPlanes: object[] }>().dataPlanes).toMatchObject([
    { state: "synced", xds: { profile: "envoy" } },
  ]);
});

it("asks a process that no registry tells of by its address", async () => {
  using folder = new TemporaryFolder();
  using elsewhere = new TemporaryFolder();
  folder.write("mesh/.keep", "");
  elsewhere.write("mesh/.keep", "");
  const answers = { "/server_info": INFO(XDS), "/snapshot": SNAPSHOT };
  await using web = await FakeProcess.start(`${elsewhere.path}/mesh`, {}, answers);
  const at = new URL(web.url).host;
  const named = await runCli(["status", "--admin", at, "-o", "name"], { cwd: folder.path });
  expect(named.stdout).toBe("shop/web-1\n");
  const none = await runCli(["status", "--admin", "127.0.0.1:1"], { cwd: folder.path });
  expect([none.code, none.stderr]).toEqual([
    3,
    expect.stringContaining("no process answers at 127.0.0.1:1: connection refused"),
  ]);
});
