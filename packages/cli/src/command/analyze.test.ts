import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { REVIEWS } from "../testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const { INMESH_CASES, INMESH_SHARED } = process.env;
const SHARED = INMESH_SHARED ?? fileURLToPath(new URL("../../../../../shared", import.meta.url));
/** Answers of real Istio; see their README. */
const CASES = INMESH_CASES ?? join(SHARED, "cases");

interface Problems {
  readonly problems: readonly {
    readonly code: string;
    readonly severity: string;
    readonly resource: string;
    readonly file: string;
    readonly line: number;
  }[];
}

const [ENTRY = "", RULE = "", CANARY = ""] = REVIEWS.split("---\n");

async function analyze(argv: readonly string[], cwd: string) {
  const outcome = await runCli(["analyze", ...argv, "-o", "json"], { cwd });
  const { problems } = outcome.json<Problems>();
  return {
    code: outcome.code,
    found: problems.map(({ code, severity, resource }) => `${code} ${severity} ${resource}`),
    problems,
  };
}

describe("inmesh analyze", () => {
  it("finds nothing in a set that is complete", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/reviews.yaml", REVIEWS);
    expect(await analyze(["mesh"], folder.path)).toMatchObject({ code: 0, found: [] });
  });

  it("finds a subset that nobody defines, at its place", async () => {
    using folder = new TemporaryFolder();
    folder.write("a.yaml", ENTRY);
    folder.write("b.yaml", CANARY);
    const { code, problems } = await analyze(["a.yaml", "b.yaml"], folder.path);
    expect(code).toBe(1);
    expect(problems[0]).toMatchObject({
      code: "IST0101",
      severity: "error",
      resource: "VirtualService/shop/reviews",
      file: "b.yaml",
    });
    expect(problems[0]?.line).toBeGreaterThan(1);
  });

  it("warns of fields that this version does not honour", async () => {
    using folder = new TemporaryFolder();
    folder.write("rule.yaml", `${RULE}  trafficPolicy: { proxyProtocol: { version: V1 } }\n`);
    folder.write("rest.yaml", `${ENTRY}---\n${CANARY}`);
    expect(await analyze(["rule.yaml", "rest.yaml"], folder.path)).toMatchObject({
      code: 0,
      found: ["IM0201 warning DestinationRule/shop/reviews"],
    });
  });

  it("reports a resource that is given twice", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/a.yaml", REVIEWS);
    folder.write("mesh/b.yaml", CANARY);
    const { code, found } = await analyze(["mesh"], folder.path);
    expect([code, found]).toEqual([1, ["IM0701 error VirtualService/shop/reviews"]]);
  });

  it("counts services of running processes, in the folder named and in the registry", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/vs.yaml", CANARY.replaceAll(/, subset: v\d/g, ""));
    expect((await analyze(["mesh"], cwd)).found).not.toEqual([]);
    await using _ = await FakeProcess.start(join(cwd, "mesh"), { service: "reviews", instance: "reviews-1" });
    expect(await analyze(["mesh"], cwd)).toMatchObject({ code: 0, found: [] });
    expect(await analyze([], cwd)).toMatchObject({ code: 0, found: [] });
  });

  it("tells of files of the registry that cannot be read, and of resources in two of them", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/a.yaml", REVIEWS);
    folder.write("mesh/b.yaml", CANARY);
    folder.write("mesh/c.yaml", "kind: x\n\tname: y\n");
    const { code, found } = await analyze([], folder.path);
    expect(code).toBe(1);
    expect(found).toEqual(["IM0701 error VirtualService/shop/reviews", expect.stringMatching(/^IM0001 error /)]);
  });

  it("judges files together with the registry when it is named, the files in place of what it holds", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/rest.yaml", REVIEWS);
    folder.write("new.yaml", CANARY.replace("subset: v2 }, weight", "subset: v3 }, weight"));
    const { code, problems } = await analyze(["new.yaml", "--config", "mesh"], cwd);
    expect(code).toBe(1);
    expect(problems).toMatchObject([{ code: "IST0101", file: "new.yaml" }]);
  });

  const GATEWAY = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front, namespace: shop }
spec:
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['./*'] }]
`;
  const AT_FRONT = CANARY.replace("  http:", "  gateways: [front]\n  http:");
  const NO_EFFECT = "IM0004 warning Gateway/shop/front";
  const NO_GATEWAY = ["IST0101 error VirtualService/shop/reviews", "IST0132 warning VirtualService/shop/reviews"];

  it("knows the Gateways among the documents, though they have no effect", async () => {
    using folder = new TemporaryFolder();
    folder.write("reviews.yaml", `${ENTRY}---\n${RULE}---\n${AT_FRONT}`);
    folder.write("front.yaml", GATEWAY);
    expect(await analyze(["reviews.yaml"], folder.path)).toMatchObject({ code: 1, found: NO_GATEWAY });
    const both = await analyze(["reviews.yaml", "front.yaml"], folder.path);
    expect(both).toMatchObject({ code: 0, found: [NO_EFFECT] });
  });

  it("knows the Gateways of the registry, those given in place of its own", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/reviews.yaml", `${ENTRY}---\n${RULE}---\n${AT_FRONT}`);
    expect(await analyze([], cwd)).toMatchObject({ code: 1, found: NO_GATEWAY });
    folder.write("mesh/front.yaml", GATEWAY);
    expect(await analyze([], cwd)).toMatchObject({ code: 0, found: [NO_EFFECT] });
    folder.write("front.yaml", GATEWAY.replace("./*", "web.example.com"));
    const given = await analyze(["front.yaml", "--config", "mesh"], cwd);
    expect(given.found).toContain("IST0132 warning VirtualService/shop/reviews");
  });

  const SETS = join(CASES, "istio-analyze.json");
  it.runIf(existsSync(SETS) || process.env["INMESH_REQUIRE_PEERS"] === "1")(
    "says of recorded sets what istioctl analyze says",
    async () => {
      const { sets } = JSON.parse(readFileSync(SETS, "utf8")) as { sets: readonly AnalyzedSet[] };
      for (const { id, docs, expect: wanted } of sets) {
        const items = { apiVersion: "v1", kind: "List", items: docs };
        const { stdout } = await runCli(["analyze", "-", "-o", "json"], { stdin: JSON.stringify(items) });
        const { problems } = JSON.parse(stdout) as Problems;
        const ours = problems.filter(({ code }) => code.startsWith("IST")).map(lineOf);
        expect([...new Set(ours)].sort(), id).toEqual([...wanted].sort());
      }
    },
    60_000,
  );
});

interface AnalyzedSet {
  readonly id: string;
  readonly docs: readonly unknown[];
  /** `IST0101 Error VirtualService shop/vs0`. */
  readonly expect: readonly string[];
}

function lineOf({ code, severity, resource }: Problems["problems"][number]): string {
  const [kind, namespace, name] = resource.split("/");
  return `${code} ${severity.charAt(0).toUpperCase()}${severity.slice(1)} ${kind} ${namespace}/${name}`;
}
