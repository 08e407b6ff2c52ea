import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REVIEWS } from "../testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const [ENTRY = "", RULE = "", CANARY = ""] = REVIEWS.split("---\n");
const HALF = CANARY.replace("weight: 90", "weight: 50").replace("weight: 10 ", "weight: 50 ");
const HOST = "reviews.shop.svc.cluster.local";

function mesh(): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/reviews.yaml", REVIEWS);
  folder.write("half.yaml", HALF);
  return folder;
}

interface Difference {
  readonly changes: readonly {
    readonly key: string;
    readonly outcome: string;
    readonly fields: readonly {
      readonly path: string;
      readonly from: unknown;
      readonly to: unknown;
      readonly line: number;
    }[];
  }[];
  readonly affected: readonly {
    readonly host: string;
    readonly processes: readonly string[];
    readonly rps: number | null;
  }[];
  readonly problems: readonly { readonly code: string }[];
  readonly known: number;
  readonly unreachable: readonly { readonly name: string }[];
}

/** Its counters grow by ten calls to reviews between two readings that are 100 ms apart by its own clock. */
function countingStats(): () => unknown {
  let readings = 0;
  return () => {
    readings += 1;
    const stats = { calls: 10 * readings, successes: 10 * readings, failures: 0, retries: 0, inFlight: 0 };
    const outbound = [{ cluster: `outbound|80|v1|${HOST}`, host: HOST, subset: "v1", stats, cells: [], endpoints: [] }];
    const inbound = { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };
    return { atMs: 100 * readings, service: "web", namespace: "shop", outbound, inbound, unrouted: 0 };
  };
}

describe("inmesh diff", () => {
  it("names fields by path and line, and who is affected", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/stats": countingStats() });
    const { code, stdout, stderr } = await runCli(["diff", "-f", "half.yaml", "--interval", "1ms", "-o", "wide"], {
      cwd,
      env: { LANG: "C.UTF-8" },
    });
    expect(code).toBe(1);
    expect(stdout).toBe(`~ VirtualService/shop/reviews  half.yaml:1
    spec.http[1].route[0].weight  90 → 50  half.yaml:12
    spec.http[1].route[1].weight  10 → 50  half.yaml:13
whose calls this touches
  reviews.shop: 100.0 req/s from shop/web; 1 process takes the change: shop/web-1
    v1  90% → 50% of calls, about 50.0 req/s
    v2  10% → 50% of calls, about 50.0 req/s, on 1 endpoint
1 changed: no new problems
`);
    expect(stderr).toBe("Nothing was written. To do so: inmesh apply -f half.yaml\n");
    expect(folder.read("mesh/reviews.yaml")).toBe(REVIEWS);
  });

  it("says the same as JSON", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/stats": countingStats() });
    const { json } = await runCli(["diff", "-f", "half.yaml", "--interval", "1ms", "--json"], { cwd });
    expect(json<Difference>()).toMatchObject({
      changes: [
        {
          key: "VirtualService/shop/reviews",
          outcome: "configured",
          fields: [
            { path: "spec.http[1].route[0].weight", from: 90, to: 50, line: 12 },
            { path: "spec.http[1].route[1].weight", from: 10, to: 50, line: 13 },
          ],
        },
      ],
      affected: [{ host: HOST, processes: ["shop/web-1"], services: ["shop/web"], rps: 100 }],
      ...{ problems: [], known: 0, unreachable: [] },
    });
  });

  it("ends with 0 and touches nobody when nothing would change", async () => {
    using folder = mesh();
    const { code, stdout, stderr } = await runCli(["diff", "-f", "mesh"], { cwd: folder.path });
    expect([code, stdout, stderr]).toEqual([0, "3 unchanged: no new problems\n", ""]);
  });

  it("touches those only who see the service", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const elsewhere = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: web, namespace: office }
spec: { egress: [{ hosts: ["./*"] }] }
`;
    folder.write("mesh/sidecar.yaml", elsewhere);
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {});
    await using __ = await FakeProcess.start(join(cwd, "mesh"), { namespace: "office", instance: "web-2" });
    const { json } = await runCli(["diff", "-f", "half.yaml", "--interval", "1ms", "--json"], { cwd });
    const { affected, unreachable } = json<Difference>();
    expect(affected).toMatchObject([{ host: HOST, processes: ["shop/web-1"], rps: null }]);
    expect(unreachable).toHaveLength(2); // the fakes answer nothing
  });

  it.each([
    ["a new resource", CANARY.replace("name: reviews,", "name: other,").replace("[reviews", "[other"), "created", 0],
    [
      "a rule at the top as one field",
      CANARY.replace("http:\n", "http:\n    - name: new\n      route: [{ destination: { host: reviews } }]\n"),
      "configured",
      1,
    ],
    ["a field that is gone", CANARY.replace("      timeout: 3s\n", ""), "configured", 1],
    [
      "an order of keys as nothing",
      RULE.replace("name: v1, labels: { version: v1 }", "labels: { version: v1 }, name: v1"),
      "unchanged",
      0,
    ],
  ])("tells %s", async (_, stdin, outcome, fields) => {
    using folder = mesh();
    const { json } = await runCli(["diff", "-f", "-", "--json"], { cwd: folder.path, stdin });
    const { changes } = json<Difference>();
    expect(changes.map((change) => [change.outcome, change.fields.length])).toEqual([[outcome, fields]]);
  });

  it("says that a load balancer changes for a host whose rules do not", async () => {
    using folder = mesh();
    const stdin = RULE.replace("  subsets:", "  trafficPolicy: { loadBalancer: { simple: RANDOM } }\n  subsets:");
    const { json } = await runCli(["diff", "-f", "-", "--json"], { cwd: folder.path, stdin });
    expect(json<Difference>().affected.map(({ host }) => host)).toEqual([HOST]);
  });

  it("tells problems that would be new, and counts those that are there", async () => {
    using folder = mesh();
    const old = CANARY.replace("name: reviews,", "name: old,").replace("[reviews", "[old");
    folder.write("mesh/old.yaml", old.replaceAll("subset: v1", "subset: v8"));
    const stdin = CANARY.replaceAll("subset: v2", "subset: v9");
    const { code, json } = await runCli(["diff", "-f", "-", "--json"], { cwd: folder.path, stdin });
    expect([code, json<Difference>().problems.map((problem) => problem.code)]).toEqual([1, ["IST0101", "IST0101"]]);
    expect(json<Difference>().known).toBeGreaterThan(0);
  });

  it("warns of calls that would go nowhere", async () => {
    using folder = mesh();
    folder.write("mesh/reviews.yaml", `${ENTRY.replace("version: v2", "version: v1")}---\n${RULE}---\n${CANARY}`);
    const { stdout } = await runCli(["diff", "-f", "half.yaml"], { cwd: folder.path });
    expect(stdout).toContain("v2  10% -> 50% of calls, on no endpoint: these would fail");
  });

  it.each([
    ["no file", [], 2, "required option '-f, --file <file>' not specified"],
    ["no such file", ["-f", "nowhere.yaml"], 2, '"nowhere.yaml" cannot be read'],
    ["nothing in it", ["-f", "-"], 2, "there is no policy document in -"],
  ])("refuses %s", async (_, argv, expected, message) => {
    using folder = mesh();
    const { code, stderr } = await runCli(["diff", ...argv], { cwd: folder.path });
    expect([code, stderr]).toEqual([expected, expect.stringContaining(message)]);
  });

  it("refuses the same resource twice, as apply does", async () => {
    using folder = mesh();
    const { code, stdout } = await runCli(["diff", "-f", "-"], { cwd: folder.path, stdin: `${HALF}---\n${CANARY}` });
    expect([code, stdout]).toEqual([1, expect.stringContaining("IM0701 error")]);
  });
});
