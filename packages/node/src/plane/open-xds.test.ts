import { seededRandom } from "@inmesh/core";
import { StateFile } from "@inmesh/core/internal";
import { FakeClock } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import { parseDocument } from "yaml";
import { resolveSettings } from "../settings/resolve-settings.js";
import { openXds } from "./open-xds.js";

function open(url: string) {
  const settings = resolveSettings(
    { config: url, service: "web" },
    { env: {}, cwd: "/", parseYaml: () => parseDocument },
  );
  const options = { settings, clock: new FakeClock(), random: seededRandom(1), env: {}, onWarning: () => {} };
  const owner = { namespace: "default", service: "web" };
  const stateOf = (registry: string) => new StateFile({ directory: "/nowhere", owner: { registry, ...owner } });
  return openXds(url, { ...options, locality: undefined, identity: undefined }, stateOf);
}

it("is shown without its token, and leaves the way to its server alone", async () => {
  const { url, server, shared, source } = open("xds://istiod.test:15012?token=/secret&ca=/ca.pem");
  expect({ url, server, host: shared?.host, port: shared?.port }).toEqual({
    url: "xds://istiod.test:15012?ca=/ca.pem",
    server: "istiod.test:15012",
    host: "istiod.test",
    port: 15_012,
  });
  expect(source.status.state).toBe("connecting");
  await source.close();
});

it("has no server to leave alone behind a socket", async () => {
  const { server, shared, source } = open("xds://unix:/run/xds.sock");
  expect([server, shared]).toEqual([undefined, undefined]);
  await source.close();
});

it("writes no lease, and says who tells of this process instead", async () => {
  const { registrar, registersElsewhere, source } = open("xds://127.0.0.1:15010");
  const spec = { namespace: "shop", service: "web", instance: "1", address: "127.0.0.1", ports: [], labels: {} };
  const handle = await registrar.register({ ...spec, pid: 1, ttlMs: 1_000, inmeshVersion: "0", schemaVersion: 1 });
  await handle.update({ address: "127.0.0.2" });
  await handle.remove();
  expect(registersElsewhere).toContain("no lease");
  await source.close();
});
