import { describe, expect, it } from "vitest";
import { field, type ServedResource, TinyAdsServer } from "../testing/ads-server.js";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const HOST = "reviews.shop.svc.cluster.local";

/** A resource of Istio's, as istiod wraps it. */
function istio(kind: string, group: string, name: string, body: Buffer): ServedResource {
  const any = Buffer.concat([field(1, `type.googleapis.com/istio.${group}.${kind}`), field(2, body)]);
  return {
    ...{ url: `networking.istio.io/v1/${kind}`, name, type: "istio.mcp.v1alpha1.Resource" },
    bytes: Buffer.concat([field(1, field(1, name)), field(2, any)]),
  };
}

/** hosts, ports {number, protocol, name}, endpoints {address}. */
const ENTRY = Buffer.concat([
  field(1, HOST),
  field(3, Buffer.concat([field(1, 80), field(2, "HTTP"), field(3, "http")])),
  field(4, 1),
  field(5, 1),
  field(6, field(1, "10.0.0.7")),
]);
const SHOP = [istio("ServiceEntry", "networking.v1alpha3", "shop/reviews", ENTRY)];

async function asked(line: string, profile = "api") {
  await using ads = await TinyAdsServer.start();
  ads.set(SHOP);
  return await runCli([...line.split(" "), "--config", `xds://${ads.address}?profile=${profile}`]);
}

describe("a control plane as the registry of commands", () => {
  it("is read as a process would read it", async () => {
    expect((await asked("services -o json")).json()).toMatchObject({
      services: [{ host: HOST, endpoints: 1, resource: "ServiceEntry/shop/reviews" }],
    });
    expect((await asked("endpoints -o json")).json()).toMatchObject({ endpoints: [{ id: "10.0.0.7:80" }] });
    expect((await asked("get se/reviews -n shop -o json")).json()).toMatchObject({ kind: "ServiceEntry" });
    const explained = await asked(`explain GET http://reviews.shop/ -o json`);
    expect(explained.json()).toMatchObject({ outcome: "route", destinations: [{ host: HOST }] });
  });

  it.each(["apply -f x.yaml", "delete se/reviews", "mode off --mesh", "rollback se/reviews", "history se/reviews"])(
    "is not written: %s",
    async (line) => {
      const { code, stdout, stderr } = await asked(line);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("is a control plane: it tells policy as it is now and takes none");
    },
  );

  it.each(["get", "describe reviews", "authz check --to shop/reviews GET /", "diff -f p.yaml"])(
    "has no documents where they came compiled: %s",
    async (line) => {
      using folder = new TemporaryFolder();
      folder.write("p.yaml", "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: a}\nspec: {}\n");
      await using ads = await TinyAdsServer.start();
      const config = `xds://${ads.address}?profile=envoy`;
      const { code, stderr } = await runCli([...line.split(" "), "--config", config], { cwd: folder.path });
      expect(code).toBe(2);
      expect(stderr).toContain("tells what was compiled for an Envoy, and no documents");
      expect(stderr).toContain("profile=api");
    },
  );

  it("is told to be away with exit code 3, in both forms", async () => {
    for (const profile of ["api", "envoy"]) {
      const { code, stderr } = await runCli(["services", "--config", `xds://127.0.0.1:1?profile=${profile}`]);
      expect([code, stderr]).toEqual([3, expect.stringContaining("inmesh check")]);
    }
  });
});
