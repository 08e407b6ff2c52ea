import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { resolveSettings } from "../settings/resolve-settings.js";
import { compileExclusion } from "./exclusion.js";
import { openRegistry } from "./open-registry.js";

const cwd = mkdtempSync(join(tmpdir(), "inmesh-open-registry-"));
afterAll(() => rmSync(cwd, { recursive: true }));

async function open(config: string, env: Readonly<Record<string, string>> = {}) {
  const settings = resolveSettings({ config, service: "web" }, { env: {}, cwd, parseYaml: () => parseDocument });
  const all = { HOME: cwd, ...env };
  const options = { settings, clock: new FakeClock(), random: seededRandom(1), env: all, onWarning: () => {} };
  const registry = await openRegistry({ ...options, locality: undefined, identity: undefined });
  await registry.source.close();
  return registry;
}

describe("openRegistry", () => {
  it("tells a Consul by its address: the token is neither shown nor part of where state is kept", async () => {
    const first = await open("consul://s3cret@127.0.0.1:8500");
    const second = await open("consul://127.0.0.1", { CONSUL_HTTP_TOKEN: "other" });
    expect([first.url, second.url]).toEqual(["consul://127.0.0.1:8500", "consul://127.0.0.1:8500"]);
    expect(first.state?.directory).toBe(second.state?.directory);
    const others = await Promise.all(
      ["prefix=other", "dc=west", "namespace=shop"].map((it) => open(`consul://127.0.0.1?${it}`)),
    );
    expect(new Set([first, ...others].map(({ state }) => state?.directory)).size).toBe(4);
  });

  it.each([
    ["consul://127.0.0.1:8500", "127.0.0.1", 8500],
    ["consul://consul.example", "consul.example", 8500],
    ["consul+https://[::1]", "::1", 8501],
  ])("keeps the traffic to the server of %s out of the mesh, and nothing else", async (config, host, port) => {
    const { server = "" } = await open(config);
    const excludes = compileExclusion([server]);
    expect([excludes(host, port), excludes(host, port + 1), excludes("reviews", port)]).toEqual([true, false, false]);
  });

  it("refuses what names no Consul, without its token", async () => {
    await expect(open("consul://s3cret@127.0.0.1:8500?tokn=s3cret")).rejects.toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("s3cret") }),
    );
  });

  it("has no server to keep out of the mesh where the registry is a folder", async () => {
    expect((await open("./mesh")).server).toBeUndefined();
  });
});
