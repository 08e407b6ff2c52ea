import { describe, expect, it } from "vitest";
import { field, type ServedResource, TinyAdsServer } from "../testing/ads-server.js";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const CLUSTER = "envoy.config.cluster.v3.Cluster";
const ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment";
const LISTENER = "envoy.config.listener.v3.Listener";
const VIRTUAL_SERVICE = "networking.istio.io/v1/VirtualService";

const LB_POLICY = 6;
const cluster = (name: string, lb = 0): ServedResource => ({
  ...{ url: CLUSTER, name },
  bytes: Buffer.concat([field(1, name), field(2, 3), ...(lb > 0 ? [field(LB_POLICY, lb)] : [])]),
});
const endpoints = (name: string): ServedResource => ({ url: ENDPOINTS, name, bytes: field(1, name) });
const virtualService = (name: string, host: string): ServedResource => {
  const body = Buffer.concat([
    field(1, "type.googleapis.com/istio.networking.v1alpha3.VirtualService"),
    field(2, field(1, host)),
  ]);
  const bytes = Buffer.concat([field(1, field(1, name)), field(2, body)]);
  return { url: VIRTUAL_SERVICE, name, bytes, type: "istio.mcp.v1alpha1.Resource" };
};

const SHOP = [cluster("reviews", 1), cluster("ratings"), endpoints("reviews"), endpoints("ratings")];

describe("inmesh xds dump", () => {
  it("prints what a sidecar would be sent, with the endpoints of its clusters", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set(SHOP);
    const url = `xds://${ads.address}?profile=envoy`;
    const { code, stdout, stderr } = await runCli(["xds", "dump", url, "-n", "shop", "--service", "web"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`"@type": ${CLUSTER}
name: ratings
type: EDS
---
"@type": ${CLUSTER}
name: reviews
type: EDS
lb_policy: LEAST_REQUEST
---
"@type": ${ENDPOINTS}
cluster_name: ratings
---
"@type": ${ENDPOINTS}
cluster_name: reviews
`);
    expect(ads.nodes[0]).toMatch(/^sidecar~[\d.]+~web-\d+\.shop~shop\.svc\.cluster\.local$/);
  });

  it("prints Istio's resources as documents, and of them only those that are named", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set([virtualService("shop/reviews", "reviews"), virtualService("shop/ratings", "ratings")]);
    const line = ["xds", "dump", `xds://${ads.address}`, "--type", "virtualservice", "--name", "reviews", "-o", "json"];
    const outcome = await runCli(line);
    expect(outcome.json()).toEqual({
      ...{ apiVersion: "v1", kind: "List" },
      items: [
        {
          ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService" },
          ...{ metadata: { name: "reviews", namespace: "shop" }, spec: { hosts: ["reviews"] } },
        },
      ],
    });
  });

  it("says which named resources there are none of", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set(SHOP);
    const url = `xds://${ads.address}?profile=envoy`;
    const { code, stdout, stderr } = await runCli(["xds", "dump", url, "--type", "endpoints", "--name", "none"]);
    expect([code, stdout]).toEqual([0, ""]);
    expect(stderr).toContain(`there is no ${ENDPOINTS} none`);
  });

  it("ends with 3 where nobody answers, 4 where something is left out, 2 where it is not asked well", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set(SHOP);
    ads.silent.add(LISTENER);
    const url = `xds://${ads.address}?profile=envoy`;
    const late = await runCli(["xds", "dump", url, "--timeout", "700ms"]);
    expect([late.code, late.stdout, late.stderr]).toEqual([
      4,
      "",
      expect.stringContaining(`did not answer within 700 ms for ${LISTENER}. Ask for what it has with --type`),
    ]);
    const away = await runCli(["xds", "dump", "xds://127.0.0.1:1"]);
    expect([away.code, away.stderr]).toEqual([3, expect.stringContaining("127.0.0.1:1 cannot be reached: ")]);
    const wrong = await runCli(["xds", "dump", url, "--type", "nonsense"]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining("--type nonsense: no such type. Give one of"),
    ]);
    const none = await runCli(["xds", "dump", "istiod:15010"]);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("expected xds://host:port")]);
  });
});

describe("inmesh xds watch", () => {
  it("prints a line for each change until it is interrupted", async () => {
    await using ads = await TinyAdsServer.start();
    ads.set([cluster("reviews"), cluster("ratings")]);
    const interrupt = new AbortController();
    const seen: string[] = [];
    const { run } = await import("../program.js");
    const { systemClock } = await import("@inmesh/core");
    const steps = [() => ads.set([cluster("reviews", 1), cluster("ratings")]), () => ads.set([cluster("reviews", 1)])];
    const code = await run(["xds", "watch", `xds://${ads.address}?profile=envoy`, "--type", "clusters"], {
      stdout: {
        write: (text) => {
          seen.push(text);
          if (seen.length < 2) return;
          const step = steps.shift();
          if (step === undefined) interrupt.abort(new Error("interrupted"));
          else step();
        },
      },
      stderr: { write: (text) => seen.push(text) },
      stdin: (async function* () {})(),
      ...{ env: {}, cwd: ".", clock: systemClock, user: "tester@here", signal: interrupt.signal },
    });
    expect(seen).toEqual(["+ Cluster reviews\n", "+ Cluster ratings\n", "~ Cluster reviews\n", "- Cluster ratings\n"]);
    expect(code).toBe(130);
  });
});

describe("inmesh xds diff", () => {
  it("finds no difference to what it printed itself, and names the fields of one", async () => {
    await using ads = await TinyAdsServer.start();
    await using other = await TinyAdsServer.start();
    using folder = new TemporaryFolder();
    ads.set(SHOP);
    other.set([cluster("reviews"), cluster("details"), endpoints("reviews"), endpoints("details")]);
    const url = `xds://${ads.address}?profile=envoy`;
    for (const format of ["yaml", "json"]) {
      folder.write("shop", (await runCli(["xds", "dump", url, "-o", format])).stdout);
      const same = await runCli(["xds", "diff", url, "shop"], { cwd: folder.path });
      expect([same.code, same.stdout]).toEqual([0, "No difference.\n"]);
    }
    const otherUrl = `xds://${other.address}?profile=envoy`;
    const differs = await runCli(["xds", "diff", url, otherUrl, "--type", "clusters"]);
    expect([differs.code, differs.stdout]).toEqual([
      1,
      "+ Cluster details\n- Cluster ratings\n~ Cluster reviews\n    lb_policy  - LEAST_REQUEST\n",
    ]);
    const asked = ads.nodes.length;
    const missing = await runCli(["xds", "diff", url, "none.yaml"], { cwd: folder.path });
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('"none.yaml" cannot be read')]);
    expect(ads.nodes.length).toBe(asked);
  });

  it("does not mind the order of maps, a written default namespace or a time of creation", async () => {
    await using ads = await TinyAdsServer.start();
    using folder = new TemporaryFolder();
    ads.set([virtualService("default/reviews", "reviews")]);
    folder.write(
      "reviews.yaml",
      `spec: { hosts: [reviews] }
metadata: { creationTimestamp: "2026-11-28T00:00:00Z", name: reviews }
kind: VirtualService
apiVersion: networking.istio.io/v1
---
kind: DestinationRule
metadata: { name: other }
`,
    );
    const line = ["xds", "diff", `xds://${ads.address}`, "reviews.yaml", "--type", "VirtualService"];
    expect((await runCli(line, { cwd: folder.path })).stdout).toBe("No difference.\n");
  });
});
