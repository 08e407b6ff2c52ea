import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { field, type ServedResource, TinyAdsServer } from "../testing/ads-server.js";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const CLUSTER = "envoy.config.cluster.v3.Cluster";
const cluster = (name: string, type: number): ServedResource => ({
  ...{ url: CLUSTER, name },
  // Endpoints by EDS over the same stream.
  bytes: Buffer.concat([field(1, name), field(2, type), field(3, field(1, field(3, "")))]),
});
const [EDS, NONSENSE] = [3, 99];

async function check(config: string, ...more: readonly string[]) {
  const outcome = await runCli(["check", "--config", config, "-n", "shop", "--timeout", "2s", ...more]);
  const at = outcome.stdout.indexOf("control plane\n");
  return { code: outcome.code, out: outcome.stdout.slice(at) };
}

const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

describe("inmesh check of a control plane", () => {
  it("tells the way there, who asks, what is answered, and that all of it can be used", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set([cluster("reviews", EDS)]);
    const { out } = await check(`xds://${ads.address}?profile=envoy`);
    expect(out).toContain(`${ads.address} accepts connections (`);
    expect(out).toMatch(
      /asked with profile envoy \(delta\) as sidecar~[\d.]+~inmesh-\d+\.shop~shop\.svc\.cluster\.local/,
    );
    expect(out).toMatch(/first answer of .* after/);
    expect(out).toContain("it tells: Listener 0, RouteConfiguration 0, Cluster 1, ClusterLoadAssignment 0");
    expect(out).toContain("nothing of it is refused, and all of it is honoured");
  });

  it("names what processes would refuse, and is a failed check then", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set([cluster("reviews", EDS), cluster("odd", NONSENSE)]);
    const { code, out } = await check(`xds://${ads.address}?profile=envoy`);
    expect(out).toMatch(
      /IM0741 Cluster\/\/odd the control plane's Cluster odd is refused: cluster type 99 is not supported/,
    );
    expect(code).toBe(1);
  });

  it("says at which step it ends: nobody there, no TLS there, nothing that speaks xDS", async () => {
    expect((await check("xds://127.0.0.1:1")).out).toContain(
      "127.0.0.1:1 does not accept connections: connection refused",
    );
    await using ads = await TinyAdsServer.start();
    const secure = await check(`xds://${ads.address}?tls=on`);
    expect(secure.out).toContain("it takes no TLS: ");
    expect(secure.out).toContain("tls=off in the URL");
    const mute = createServer((socket) => socket.on("error", () => {}).end("SMTP ready\r\n"));
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const { code, out } = await check(`xds://127.0.0.1:${(mute.address() as AddressInfo).port}`);
    mute.close();
    expect(out).toContain("accepts connections");
    expect(out).toMatch(/127\.0\.0\.1:\d+ does not serve: /);
    expect(code).toBe(1);
  });

  it("warns of questions that are left open", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set([cluster("reviews", EDS)]);
    ads.silent.add("envoy.config.listener.v3.Listener");
    const { out } = await check(`xds://${ads.address}?profile=envoy`, "--timeout", "500ms");
    expect(out).toContain("1 question open after 500ms: envoy.config.listener.v3.Listener");
  });

  it.each([
    ["none", undefined, "token=none cannot be read: no such file"],
    ["an empty one", "", "is empty"],
    ["one that has ended", jwt({ exp: 1_000_000_000 }), /token=\S+ ended \S+ ago/],
    [
      "one of a wrong clock",
      jwt({ iat: 9_000_000_000 }),
      /begins in \S+: this machine's clock or its issuer's is wrong/,
    ],
    ["a good one", jwt({ exp: 9_000_000_000 }), /token=\S+ is readable and valid for/],
  ])("judges the token: %s", async (_, text, expected) => {
    using folder = new TemporaryFolder();
    const path = text === undefined ? "none" : folder.write("token", text);
    const { out } = await check(`xds://127.0.0.1:1?token=${path}`);
    if (typeof expected === "string") expect(out).toContain(expected);
    else expect(out).toMatch(expected);
  });

  it("says what is wrong with a URL", async () => {
    const { code, out } = await check("xds://h:15010?profil=api");
    expect([code, out]).toEqual([1, expect.stringContaining("the parameter profil is unknown")]);
  });
});
