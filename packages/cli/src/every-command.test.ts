/** What every command promises alike: formats, switches, exit codes. A new command needs its lines in both tables. */

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom } from "@inmesh/core";
import { CONFIG_TYPES } from "@inmesh/core/admin";
import { createCsr, generateKey } from "@inmesh/identity";
import { AuthorityFolder, initAuthority } from "@inmesh/identity/ca";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { COMMANDS } from "./commands.js";
import { createProgram } from "./program.js";
import { field, TinyAdsServer } from "./testing/ads-server.js";
import { BAD_TIMEOUT, REVIEWS } from "./testing/policy.js";
import { FakeProcess, type Outcome, runCli, TemporaryFolder } from "./testing/run-cli.js";

const FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
const LIST = "table wide json yaml name";
const REPORT = "table json yaml";
const CHANGE = "table json yaml name";

/** Of a control plane that has a cluster, for all tests here. */
const SOCKET = join(tmpdir(), `inmesh-xds-${process.pid}.sock`);
const XDS = `xds://unix:${SOCKET}?profile=envoy`;

/** Command line of each command, and the formats it takes; empty: it prints no data and has no -o. */
const LINES: Readonly<Record<string, readonly [line: string, formats: string]>> = {
  init: ["init --dry-run", REPORT],
  dev: ["dev", ""],
  run: ["run", ""],
  validate: ["validate bad.yaml", REPORT],
  analyze: ["analyze bad.yaml --config mesh", REPORT],
  diff: ["diff -f changed.yaml --interval 1ms", LIST],
  apply: ["apply -f mesh --dry-run", CHANGE],
  get: ["get", LIST],
  delete: ["delete vs/reviews --dry-run", CHANGE],
  history: ["history vs/reviews", LIST],
  rollback: ["rollback vs/reviews --dry-run", CHANGE],
  convert: ["convert entries.json", "yaml json"],
  explain: ["explain GET http://reviews.shop/", REPORT],
  "authz check": ["authz check --to shop/reviews GET /", REPORT],
  "authz suggest": ["authz suggest", "yaml json"],
  why: ["why", REPORT],
  services: ["services", LIST],
  endpoints: ["endpoints", LIST],
  routes: ["routes", LIST],
  describe: ["describe reviews", REPORT],
  status: ["status", LIST],
  mode: ["mode", LIST],
  stat: ["stat --interval 1ms", LIST],
  edges: ["edges --interval 1ms", LIST],
  graph: ["graph --interval 1ms", "mermaid dot json yaml"],
  tap: ["tap --max 1", REPORT],
  top: ["top --interval 40ms --once", LIST],
  log: ["log", LIST],
  "proxy-config": ["proxy-config clusters web", LIST],
  "xds dump": [`xds dump ${XDS} --type clusters`, "yaml json"],
  "xds watch": [`xds watch ${XDS}`, ""],
  "xds diff": [`xds diff ${XDS} ${XDS} --type clusters`, REPORT],
  "slo status": ["slo status slo.yaml --interval 1ms", LIST],
  "slo rules": ["slo rules slo.yaml", ""],
  certs: ["certs", LIST],
  login: ["login", ""],
  "ca init": ["ca init --dir new", REPORT],
  "ca status": ["ca status --dir ca", REPORT],
  "ca rotate": ["ca rotate --dir ca", REPORT],
  "ca bundle": ["ca bundle --dir ca", REPORT],
  "ca sign": ["ca sign job.csr --workload shop/job --dir ca", REPORT],
  check: ["check", REPORT],
  "bug-report": ["bug-report", REPORT],
  version: ["version", REPORT],
  completion: ["completion bash", ""],
  help: ["help codes", LIST],
  __complete: ["__complete -- ", ""],
};

/** Of Consul. */
const ROUTER = { Kind: "service-router", Name: "web", Routes: [{ Destination: { Service: "reviews" } }] };

const REVIEWS_HOST = "reviews.shop.svc.cluster.local";
const CALLS = { calls: 10, successes: 10, failures: 0, retries: 0, inFlight: 0 };
const STATS = {
  service: "web",
  namespace: "shop",
  outbound: [{ cluster: "c", host: REVIEWS_HOST, subset: "v1", stats: CALLS, cells: [], endpoints: [] }],
  inbound: { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 },
  unrouted: 0,
};

/** Of one change, by hand. */
const HISTORY = {
  ...{ id: "1", key: "VirtualService/shop/reviews", at: 1_700_000_000_000, who: "ann@laptop", reason: "first" },
  ...{ outcome: "configured", before: REVIEWS, after: REVIEWS },
};

const CSR = createCsr(generateKey());
const WEB = "cluster.local/ns/shop/sa/front";
const SEEN = { caller: WEB, method: "GET", path: "/", count: 3, denied: 0, firstAgoMs: 9, lastAgoMs: 1 };
const OBSERVED = { calls: [SEEN], beyond: 0 };
/** As the process writes it. */
const TAPPED = `event: end\ndata: ${JSON.stringify({
  ...{
    direction: "outbound",
    at: "2026-11-28T05:00:00.000Z",
    method: "GET",
    authority: "reviews",
    path: "/",
    status: 200,
  },
  ...{
    grpcStatus: -1,
    flags: "-",
    error: "",
    durationMs: 4,
    subset: "",
    endpoint: "",
    destination: "",
    attempts: [],
    ledger: {},
  },
})}\n\n`;
const CLUSTER = { name: "outbound|80||reviews.shop.svc.cluster.local", type: "EDS", lb_policy: "LEAST_REQUEST" };
const CONFIG_DUMP = {
  configs: [{ "@type": CONFIG_TYPES.clusters, dynamic_active_clusters: [{ version_info: "1", cluster: CLUSTER }] }],
};
const FAILED = {
  ...{ direction: "inbound", wallMs: 1, durationMs: 2, attempts: [], ledger: {}, host: "", traceId: "", requestId: "" },
  ...{ status: 500, failed: true, code: "", flags: "-", method: "GET", path: "/", httpRoute: "", peer: "" },
  ...{ remoteAddress: "", grpcStatus: -1, policy: "", message: "", details: "" },
};
const SLO = `apiVersion: openslo/v1
kind: SLO
metadata: { name: fast }
spec:
  service: reviews
  indicator: { spec: { thresholdMetric: { metricSource: { type: inmesh, spec: { destination: ${REVIEWS_HOST} } } } } }
  objectives: [{ target: 0.99, op: lte, value: 250 }]
`;
const IDENTITY = { state: "off", id: "", source: "", generation: 0 };

async function withMesh<T>(use: (cwd: string) => Promise<T>): Promise<T> {
  using folder = new TemporaryFolder();
  folder.write("mesh/reviews.yaml", REVIEWS);
  folder.write("mesh/.history/VirtualService+shop+reviews.jsonl", `${JSON.stringify(HISTORY)}\n`);
  folder.write("changed.yaml", REVIEWS.replace("weight: 90", "weight: 80").replace("weight: 10 ", "weight: 20 "));
  folder.write("bad.yaml", BAD_TIMEOUT);
  folder.write("entries.json", JSON.stringify([ROUTER, { ...ROUTER, Name: "shop" }]));
  folder.write("slo.yaml", SLO);
  folder.write("bad.hcl", "Kind = ");
  folder.write("job.csr", CSR);
  const ca = new AuthorityFolder({ directory: join(folder.path, "ca"), clock: systemClock, random: systemRandom });
  await initAuthority(ca, { trustDomains: ["cluster.local"] });
  folder.write("package.json", '{"name":"shop"}');
  let atMs = 0;
  const stats = () => {
    atMs += 10;
    return { ...STATS, atMs };
  };
  await using _ = await FakeProcess.start(
    join(folder.path, "mesh"),
    {},
    {
      "/tap": TAPPED,
      "/config_dump": CONFIG_DUMP,
      "/clusters": { clusters: [] },
      "/stats": stats,
      "/certs": { identity: IDENTITY, chain: [], roots: [] },
      "/observed": OBSERVED,
      "/outcomes": { outcomes: [FAILED] },
      "/stats/prometheus": "",
    },
  );
  return await use(folder.path);
}

/** Of what commands make, so that the next one can make it, too. */
function clean(cwd: string): void {
  for (const name of readdirSync(cwd)) {
    if (name === "new" || name.startsWith("inmesh-bug-report-"))
      rmSync(join(cwd, name), { recursive: true, force: true });
  }
}

let ads: TinyAdsServer;

beforeAll(async () => {
  ads = await TinyAdsServer.start(SOCKET);
  const url = "envoy.config.cluster.v3.Cluster";
  ads.set([{ url, name: "reviews", bytes: field(1, "reviews") }]);
});

afterAll(() => ads[Symbol.asyncDispose]());

const words = (line: string): string[] => line.split(" ");

describe("every command", () => {
  it("has its line here", () => {
    const program = createProgram({} as never, () => {});
    const leaves = (commands: typeof program.commands, above = ""): string[] =>
      commands.flatMap((command) => {
        const name = `${above}${command.name()}`;
        return command.commands.length > 0 ? leaves(command.commands, `${name} `) : [name];
      });
    expect(Object.keys(LINES).sort()).toEqual(leaves(program.commands).sort());
    expect(COMMANDS).toHaveLength(program.commands.length);
  });

  it.each(Object.entries(LINES).filter(([, [, formats]]) => formats !== ""))(
    "%s prints every format it names, and refuses the others with their names",
    async (_, [line, formats]) => {
      await withMesh(async (cwd) => {
        const outcomes: Record<string, Outcome> = {};
        // One after the other: a change can be made once at a time.
        for (const format of FORMATS) {
          outcomes[format] = await runCli([...words(line), "-o", format], { cwd });
          clean(cwd);
        }
        for (const [format, { code, stdout, stderr }] of Object.entries(outcomes)) {
          if (formats.split(" ").includes(format)) {
            expect([format, code === 0 || code === 1]).toEqual([format, true]);
            expect([format, stdout]).not.toEqual([format, ""]);
          } else {
            expect([code, stdout]).toEqual([2, ""]);
            expect(stderr).toContain(`Allowed choices are ${formats.replaceAll(" ", ", ")}.`);
          }
        }
        const json = JSON.parse(outcomes["json"]?.stdout ?? "");
        expect(typeof json).toBe("object");
        if (!/^(get|convert|authz suggest|xds dump)/.test(line))
          expect(Object.keys(parse(outcomes["yaml"]?.stdout ?? ""))).toEqual(Object.keys(json));
        clean(cwd);
        expect(JSON.parse((await runCli([...words(line), "--json"], { cwd })).stdout)).toBeTypeOf("object");
        if (formats === LIST) {
          const width = (format: string): number => outcomes[format]?.stdout.length ?? 0;
          expect(width("wide")).toBeGreaterThan(width("table"));
        }
        if (formats.includes("name")) {
          const names = outcomes["name"]?.stdout.trimEnd().split("\n") ?? [];
          expect(names.every((name) => /^\S+( \S+)?$/.test(name))).toBe(true);
        }
      });
    },
  );

  it.each(Object.entries(LINES).filter(([, [, formats]]) => formats === ""))("%s has no -o", async (_, [line]) => {
    const [name = ""] = words(line);
    if (name === "__complete") return;
    const { code, stderr } = await runCli([...words(line), "-o", "json"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("unknown option '-o'")]);
  });

  const switched = Object.entries(LINES).filter(([, [, formats]]) => formats !== "");
  it.each(switched)("%s is quiet, plain and talkative when told so", async (_, [line]) => {
    await withMesh(async (cwd) => {
      const quiet = await runCli([...words(line), "-q"], { cwd });
      expect(quiet.stderr.split("\n").filter((text) => !/^$|^warning|^inmesh:/.test(text))).toEqual([]);
      const painted = "\u001b";
      for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }] as const) {
        const plain = await runCli(words(line), { cwd, isTTY: true, env });
        expect(plain.stdout + plain.stderr).not.toContain(painted);
      }
      const plain = await runCli([...words(line), "--no-color"], { cwd, isTTY: true, env: { FORCE_COLOR: "1" } });
      expect(plain.stdout + plain.stderr).not.toContain(painted);
      clean(cwd);
      const verbose = await runCli([...words(line), "-v"], { cwd });
      expect(verbose.stderr).toMatch(new RegExp(`done after .*, exit code ${verbose.code}\n$`));
      const both = await runCli([...words(line), "-q", "-v"], { cwd });
      expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("cannot be used with option")]);
    });
  });

  it("takes --all-namespaces in lists, and not beside --namespace", async () => {
    await withMesh(async (cwd) => {
      for (const name of ["get", "services", "endpoints", "routes", "status", "stat", "edges", "certs"]) {
        const line = words(LINES[name]?.[0] ?? "");
        expect([name, (await runCli([...line, "-A"], { cwd })).code]).toEqual([name, 0]);
        const both = await runCli([...line, "-A", "-n", "shop"], { cwd });
        expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("cannot be used with option")]);
      }
    });
  });
});

describe("--timeout", () => {
  it("bounds how long a process that hangs is waited for", async () => {
    await withMesh(async (cwd) => {
      const { createServer } = await import("node:net");
      const hanging = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => hanging.once("listening", resolve));
      const { port } = hanging.address() as { readonly port: number };
      await using _ = await FakeProcess.start(join(cwd, "mesh"), {
        instance: "web-2",
        admin: `http://127.0.0.1:${port}`,
      });
      const { code, stdout } = await runCli(["status", "--timeout", "150ms"], { cwd });
      hanging.close();
      expect([code, stdout]).toEqual([0, expect.stringMatching(/web-2 .*unreachable: no answer within 150 ms/)]);
    });
  });
});

describe("exit codes", () => {
  it.each([
    [0, "validate mesh"],
    [0, "diff -f mesh"],
    [0, "describe reviews"],
    [0, "help TIMEOUT"],
    [0, "convert entries.json"],
    [1, "convert bad.hcl"],
    [1, "validate bad.yaml"],
    [1, "analyze bad.yaml"],
    [1, "apply -f bad.yaml"],
    [1, "diff -f bad.yaml"],
    [1, "diff -f changed.yaml --interval 1ms"],
    [1, "get vs/none"],
    [0, "history dr/reviews"],
    [1, "history vs/none"],
    [1, "rollback vs/none"],
    [1, "rollback dr/reviews"],
    [1, "rollback vs/reviews --to 7"],
    [2, "history vs"],
    [2, "history"],
    [2, "rollback vs"],
    [1, "delete vs/none"],
    [1, "routes none"],
    [1, "endpoints none"],
    [1, "describe none"],
    [1, "check --config /nowhere"],
    [2, "get nonsense"],
    [2, "get vs/reviews --timeout soon"],
    [2, "delete"],
    [2, "delete vs"],
    [2, "validate"],
    [2, "validate nowhere.yaml"],
    [2, "apply -f nowhere.yaml"],
    [2, "diff -f nowhere.yaml"],
    [2, "convert"],
    [2, "convert nowhere.hcl"],
    [2, "convert entries.json --config consul://127.0.0.1"],
    [2, "convert --config mesh"],
    [3, "convert --config consul://127.0.0.1:1"],
    [2, "explain"],
    [2, "explain GET http://reviews/ -H nonsense"],
    [2, "services --from a/b/c"],
    [2, "describe"],
    [2, "mode off"],
    [2, "init"],
    [2, "dev"],
    [2, "run"],
    [2, "completion csh"],
    [2, "help nonsense"],
    [2, "stat --interval 0"],
    [1, "certs none"],
    [0, "pc c web"],
    [0, "pc ep web --port 80"],
    [1, "pc clusters none"],
    [2, "pc nonsense web"],
    [2, "pc clusters web --port 0"],
    [2, "pc"],
    [0, `xds diff ${XDS} ${XDS} --type clusters`],
    [1, `xds diff ${XDS} changed.yaml --type clusters`],
    [2, "xds dump"],
    [2, "xds dump istiod:15010"],
    [2, "xds dump xds://"],
    [2, `xds dump ${XDS} --type nonsense`],
    [2, `xds diff ${XDS} nowhere.yaml`],
    [3, "xds dump xds://127.0.0.1:1 --timeout 500ms"],
    [4, `xds dump ${XDS} --type listeners --timeout 1ms`],
    [2, "tap --max 0"],
    [2, "tap --direction up"],
    [1, "tap none"],
    [0, "top web --interval 1ms"],
    [1, "bug-report none"],
    [1, "bug-report --file changed.yaml"],
    [0, "ca status --dir ca"],
    [1, "ca status"],
    [1, "ca status --dir none"],
    [1, "ca bundle --dir none"],
    [1, "ca rotate --dir none"],
    [1, "ca rotate --dir none --root"],
    [1, "ca init --dir ca"],
    [1, "ca sign bad.yaml --workload shop/job --dir ca"],
    [1, "ca sign job.csr --id nobody --dir ca"],
    [1, "ca sign job.csr --workload shop/job --dir none"],
    [2, "ca"],
    [2, "ca nonsense"],
    [2, "ca sign"],
    [2, "ca sign job.csr --dir ca"],
    [2, "ca sign job.csr --workload shop/job --id spiffe://cluster.local/a --dir ca"],
    [2, "ca sign none.csr --workload shop/job --dir ca"],
    [2, "ca sign job.csr --workload shop/job --ttl soon --dir ca"],
    [2, "ca init --dir new --root-key a"],
    [2, "ca init --dir new --trust-domain A:1"],
    [2, "ca rotate --dir ca --root-out x"],
    [2, "ca status --config consul://127.0.0.1"],
    [2, "nonsense"],
    [2, "--nonsense"],
    [4, "apply -f changed.yaml --wait --timeout 200ms"],
    [4, "delete vs/reviews --wait --timeout 200ms"],
    [4, "mode off --mesh --wait --timeout 200ms"],
  ])("%i: inmesh %s", async (expected, line) => {
    await withMesh(async (cwd) => {
      const { code, stderr } = await runCli(words(line), { cwd });
      expect([code, stderr]).toEqual([expected, expect.not.stringMatching(/unexpected failure|\n\s+at /)]);
      if (expected >= 2) expect(stderr).not.toBe("");
    });
  });

  const readers = Object.values(LINES).filter(([, formats]) => formats !== "");
  const away = readers
    .map(([line]) => line)
    .filter((line) => !/^(init|validate|check|help|convert|ca |xds )/.test(line));
  it.each(away)("3: inmesh %s, with a registry that is not there", async (line) => {
    await withMesh(async (cwd) => {
      const { code, stdout, stderr } = await runCli([...words(line), "--config", "/nowhere"], { cwd });
      expect([code, stdout]).toEqual([3, ""]);
      expect(stderr).toMatch(/^inmesh: no registry at "\/nowhere": .*\. Name the folder/);
    });
  });

  it.each(["stat --interval 1ms", "edges --interval 1ms"])(
    "3: inmesh %s, with no process that answers",
    async (line) => {
      await withMesh(async (cwd) => {
        mkdirSync(join(cwd, "dead"));
        await using _ = await FakeProcess.start(join(cwd, "dead"), { instance: "web-2" });
        const { code, stderr } = await runCli([...words(line), "--config", "dead"], { cwd });
        expect([code, stderr]).toEqual([
          3,
          expect.stringContaining("shop/web-2 does not answer: it answered /stats with"),
        ]);
      });
    },
  );

  it.each([
    "stat --interval 1h",
    "edges --interval 1h",
    "diff -f changed.yaml --interval 1h",
    "apply -f changed.yaml --wait --timeout 1h",
    "delete vs/reviews --wait --timeout 1h",
    "mode off --mesh --wait --timeout 1h",
  ])("130: inmesh %s, interrupted", async (line) => {
    await withMesh(async (cwd) => {
      const interrupt = new AbortController();
      const running = runCli(words(line), { cwd, signal: interrupt.signal });
      setTimeout(() => interrupt.abort(new Error("interrupted")), 150);
      expect((await running).code).toBe(130);
    });
  });
});
