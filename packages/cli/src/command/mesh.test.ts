import { rmSync } from "node:fs";
import { join } from "node:path";
import { SCHEMA_VERSION } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { REVIEWS } from "../testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

function mesh(): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/reviews.yaml", REVIEWS);
  return folder;
}

const INFO = {
  ...{
    inmesh: "0.1.0",
    schemaVersion: 1,
    node: "v22.1.0",
    pid: 1,
    namespace: "shop",
    service: "web",
    instance: "web-1",
  },
  ...{
    labels: {},
    mode: "on",
    uptimeMs: 12_000,
    ports: [8080],
    patched: ["fetch", "http"],
    state: "ready",
    problems: 0,
  },
  registry: { url: "mesh", state: "fresh", sinceMs: 12_000 },
  snapshot: { version: 41, revision: "1b20aa34ff" },
};

const HOST = "reviews.shop.svc.cluster.local";
const CLUSTER = { name: `outbound|80||${HOST}`, host: HOST, port: 80, subset: "", loadBalancer: "leastRequest" };

async function resourcesOf(cwd: string): Promise<Record<string, string>> {
  const { FolderRegistry } = await import("@inmesh/core/folder");
  const { parseDocuments } = await import("@inmesh/model");
  const registry = new FolderRegistry({ path: join(cwd, "mesh"), parse: parseDocuments });
  const documents = await registry.list();
  await registry.close();
  return Object.fromEntries(documents.map(({ key, hash }) => [key, hash]));
}

const status = async (cwd: string) => {
  const outcome = await runCli(["status", "-o", "json"], { cwd });
  expect(outcome.code).toBe(0);
  return outcome.json<{ dataPlanes: Record<string, unknown>[] }>().dataPlanes;
};

describe("inmesh services, endpoints, routes", () => {
  it("lists services of policy and of running processes", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {});
    const outcome = await runCli(["services", "-o", "json"], { cwd });
    const { services } = outcome.json<{ services: { host: string; endpoints: number; resource: string }[] }>();
    expect(services.map(({ host, endpoints }) => [host, endpoints]).sort()).toEqual([
      [HOST, 2],
      ["web.shop.svc.cluster.local", 1],
    ]);
    const { stdout } = await runCli(["services"], { cwd });
    expect(stdout).toMatch(/^NAMESPACE {2}NAME +PORTS +ENDPOINTS {2}HOST +DEFINED BY\n/);
    expect(stdout).toMatch(/shop +web +.* its processes\n/);
    expect((await runCli(["services", "-o", "name", "-n", "other"], { cwd })).stdout).toBe("");
  });

  it("lists endpoints with subsets and what the callers see of them", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const seen = { version: "v1", labels: {}, weight: 1, latencyMs: 1, workloads: [] };
    await using _ = await FakeProcess.start(
      join(cwd, "mesh"),
      {},
      {
        "/clusters": {
          clusters: [
            {
              ...CLUSTER,
              stats: {},
              endpoints: [
                { ...seen, id: "10.0.0.1:80", inFlight: 3, attempts: 90, failures: 2, ejectedForMs: 0 },
                {
                  ...{ ...seen, id: "10.0.0.2:80", inFlight: 0, attempts: 10, failures: 9, ejectedForMs: 8_000 },
                  out: [
                    { by: "outlierDetection", reason: "5 attempts in a row failed", sinceMs: 22_000, forMs: 8_000 },
                    { by: "healthCheck", reason: "3 health checks in a row failed: 503", sinceMs: 9_000, forMs: 0 },
                  ],
                },
              ],
              breakers: [{ endpoint: "10.0.0.1:80", state: "open" }],
            },
          ],
        },
      },
    );
    const outcome = await runCli(["endpoints", "reviews", "-o", "json"], { cwd });
    expect(outcome.json()).toMatchObject({
      unreachable: [],
      endpoints: [
        {
          id: "10.0.0.1:80",
          service: HOST,
          servicePorts: [80],
          subsets: ["v1"],
          inFlight: 3,
          attempts: 90,
          ejectedForMs: 0,
        },
        { id: "10.0.0.2:80", subsets: ["v2"], failures: 9, ejectedForMs: 8_000, ejectedBy: ["shop/web-1"] },
      ],
    });
    const { stdout } = await runCli(["endpoints", "reviews.shop"], { cwd });
    expect(stdout).toMatch(/reviews\.shop +10\.0\.0\.1:80 .+ breaker open in 1/);
    expect(stdout).toMatch(
      /reviews\.shop +10\.0\.0\.2:80 +80 +v2 +v2 +0 +10 +9 +ejected by 1 for 8s +5 attempts in a row failed, for 8000 ms more; 3 health checks in a row failed: 503/,
    );
  });

  it("lists what names stand for, as far as processes have looked them up", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    const entry = (name: string, host: string, resolution: string, endpoints = ""): string =>
      `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ${name}, namespace: shop}\nspec:\n  hosts: ["${host}"]\n  resolution: ${resolution}\n  ports: [{number: 80, name: http, protocol: HTTP}]\n${endpoints}---\n`;
    folder.write(
      "mesh/names.yaml",
      entry("all", "all.test", "DNS", "  endpoints: [{address: a.test}, {address: b.test}, {address: 10.9.9.9}]\n") +
        entry("first", "first.test", "DNS_ROUND_ROBIN") +
        entry("wild", "*.wild.test", "DYNAMIC_DNS"),
    );
    const seen = {
      ...{ version: "", labels: {}, weight: 1, latencyMs: 1, workloads: [] },
      inFlight: 0,
      ejectedForMs: 0,
    };
    const at = (id: string, dnsName: string, attempts: number) => {
      const address = dnsName === "" ? id.replace(/:\d+$/, "") : (id.match(/^[\d.]+/)?.[0] ?? "10.0.0.7");
      return { ...seen, id, dnsName, address, attempts, failures: 0 };
    };
    const cluster = (host: string, ...endpoints: readonly object[]) => {
      return { ...CLUSTER, name: `outbound|80||${host}`, host, stats: {}, endpoints };
    };
    const clusters = [
      cluster("all.test", at("10.0.0.1:80", "a.test", 4), at("10.0.0.2:80", "a.test", 5), at("10.9.9.9:80", "", 6)),
      cluster("first.test", at("first.test:80", "first.test", 7)),
      cluster("*.wild.test", at("one.wild.test:80", "one.wild.test", 8)),
    ];
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/clusters": { clusters } });
    const outcome = await runCli(["endpoints", "-o", "json"], { cwd });
    const { endpoints } = outcome.json<{ endpoints: Record<string, unknown>[] }>();
    const rows = endpoints.filter(({ service }) => String(service).endsWith(".test"));
    expect(rows.map(({ id, dnsName, addresses, attempts }) => [id, dnsName, addresses, attempts])).toEqual([
      ["10.9.9.9:80", "", [], 6],
      ["10.0.0.1:80", "a.test", [], 4],
      ["10.0.0.2:80", "a.test", [], 5],
      ["b.test:80", "", [], 0],
      ["first.test:80", "first.test", ["10.0.0.7"], 7],
      ["one.wild.test:80", "one.wild.test", ["10.0.0.7"], 8],
    ]);
    const { stdout } = await runCli(["endpoints"], { cwd });
    expect(stdout).toMatch(/all\.test +10\.0\.0\.1:80 +a\.test +80 /);
    expect(stdout).toMatch(/first\.test +first\.test:80 +10\.0\.0\.7 +80 /);
  });

  it("lists rules in the order they are tried", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const { stdout } = await runCli(["routes", "reviews"], { cwd });
    const [head, beta, canary] = stdout.split("\n");
    expect(head).toMatch(/^HOST +# +NAME +MATCH +ACTION +TIMEOUT +RETRIES +DEFINED BY$/);
    expect(beta).toMatch(/1 {2}beta +.*x-user.* reviews v2 /);
    expect(canary).toMatch(
      /2 {2}canary +everything +reviews v1 90%, reviews v2 10% +3s +3 on 5xx,reset +VirtualService\/shop\/reviews$/,
    );
    const json = await runCli(["routes", "reviews", "-o", "json"], { cwd });
    expect(json.json()).toMatchObject({
      virtualHosts: [{ name: `${HOST}:80`, routes: [{ name: "beta" }, { name: "canary" }] }],
    });
  });

  it.each([["endpoints"], ["routes"]])("%s asks whether a similar name was meant", async (command) => {
    using folder = mesh();
    const { code, stderr } = await runCli([command, "reveiws"], { cwd: folder.path });
    expect([code, stderr]).toEqual([1, 'inmesh: no service "reveiws". Did you mean "reviews"? See: inmesh services\n']);
  });
});

describe("inmesh status", () => {
  it("tells a process that runs the current policy from one that is behind", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const resources = await resourcesOf(cwd);
    const snapshot = { version: 41, revision: "1b20aa34ff", problems: [] };
    const old = { ...resources, "VirtualService/shop/reviews": "old" };
    await using _synced = await FakeProcess.start(
      join(cwd, "mesh"),
      {},
      {
        "/server_info": INFO,
        "/snapshot": { ...snapshot, resources },
      },
    );
    await using _behind = await FakeProcess.start(
      join(cwd, "mesh"),
      { instance: "web-2" },
      {
        "/server_info": { ...INFO, instance: "web-2" },
        "/snapshot": { ...snapshot, resources: old },
      },
    );
    await using _more = await FakeProcess.start(
      join(cwd, "mesh"),
      { instance: "web-3" },
      {
        "/server_info": { ...INFO, instance: "web-3" },
        "/snapshot": { ...snapshot, resources: { ...resources, "VirtualService/shop/deleted": "x" } },
      },
    );
    expect(await status(cwd)).toMatchObject([
      {
        name: "shop/web-1",
        state: "synced",
        reason: "",
        config: { version: 41, revision: "1b20aa34ff" },
        uptimeMs: 12_000,
      },
      { name: "shop/web-2", state: "behind", reason: "VirtualService/shop/reviews" },
      { name: "shop/web-3", state: "behind", reason: "VirtualService/shop/deleted" },
    ]);
    const { stdout } = await runCli(["status"], { cwd });
    expect(stdout).toMatch(/shop\/web-1 +web +8080 +0\.1\.0 +v41 1b20aa34 +12s {2}synced\n/);
  });

  it("says why a process is degraded, unreachable, draining, or someone else", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const resources = await resourcesOf(cwd);
    const problem = {
      code: "IST0106",
      severity: "error",
      message: "m",
      resource: "VirtualService/shop/x",
      file: "x.yaml",
    };
    const start = (instance: string, info: object, problems: object[] = [], lease: object = {}) =>
      FakeProcess.start(
        join(cwd, "mesh"),
        { instance, ...lease },
        {
          "/server_info": { ...INFO, instance, ...info },
          "/snapshot": { version: 1, revision: "r", problems, resources },
        },
      );
    await using _1 = await start("a", { state: "degraded" }, [problem]);
    await using _2 = await start("b", { registry: { url: "mesh", state: "stale", sinceMs: 5_000, reason: "gone" } });
    await using _3 = await start("c", { state: "draining" });
    await using _4 = await start("d", { instance: "other" });
    await using _5 = await start("e", {}, [], { admin: "http://127.0.0.1:1" });
    await using _6 = await start("f", {}, [], { admin: "http://192.0.2.1:80" });
    const found = (await status(cwd)).map(({ instance, state, reason }) => `${instance} ${state} ${reason}`);
    expect(found).toEqual([
      "a degraded IST0106 VirtualService/shop/x",
      "b degraded registry away for 5s: gone",
      "c draining ",
      expect.stringMatching(/^d unreachable another process answers at http/),
      "e unreachable connection refused",
      "f unreachable its admin address 192.0.2.1 is not on this machine; ask there, or add --remote",
    ]);
  });

  it("ends with 3 when there is no folder, and says how to name it", async () => {
    using folder = new TemporaryFolder();
    const { code, stdout, stderr } = await runCli(["status"], { cwd: folder.path });
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^inmesh: no registry at "\.\/mesh": .*\. Name the folder of the mesh with --config DIR/);
  });

  it("takes the folder from INMESH_CONFIG, and --config before that", async () => {
    using folder = mesh();
    const env = { INMESH_CONFIG: join(folder.path, "mesh") };
    expect((await runCli(["services", "-o", "name"], { env })).stdout).toBe(`${HOST}\n`);
    expect((await runCli(["services", "--config", "/nowhere"], { env })).code).toBe(3);
  });
});

describe("inmesh stat and edges", () => {
  it("shows what happened between two readings", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const cells = new Array<number>(192).fill(0);
    let reading = 0;
    const stats = () => {
      reading += 1;
      const calls = reading === 1 ? 1_000 : 1_100;
      const failures = reading === 1 ? 500 : 502;
      const counted = { calls, successes: calls - failures, failures, aborted: 0, retries: reading === 1 ? 7 : 12 };
      // 0.01 ms doubled 8 times over 64 cells: 2.56 ms.
      const latency = cells.map((_, at) => (at === 64 ? calls : 0));
      return {
        ...{ atMs: reading * 2_000, service: "web", namespace: "shop", unrouted: 0 },
        outbound: [
          {
            cluster: CLUSTER.name,
            host: HOST,
            subset: "",
            cells: latency,
            endpoints: [],
            stats: { ...counted, inFlight: 1 },
          },
        ],
        inbound: { requests: reading * 100, failures: reading, inFlight: 0, p50Ms: 1, p95Ms: 2, p99Ms: 3 },
      };
    };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/stats": stats });
    const outcome = await runCli(["stat", "--interval", "10ms", "-o", "json"], { cwd });
    const { services } = outcome.json<{ services: Record<string, number | string>[] }>();
    expect(services).toMatchObject([
      {
        name: "reviews",
        namespace: "shop",
        measuredBy: "callers",
        calls: 100,
        failures: 2,
        rps: 50,
        successRatio: 0.98,
        retryRatio: 0.05,
      },
      { name: "web", measuredBy: "itself", calls: 100, failures: 1, rps: 50, successRatio: 0.99, p99Ms: 3 },
    ]);
    expect(services[0]?.["p50Ms"]).toBeGreaterThan(2.5);
    expect(services[0]?.["p50Ms"]).toBeLessThan(2.8);
    reading = 0;
    const edges = await runCli(["edges", "--interval", "10ms"], { cwd });
    expect(edges.stdout).toMatch(
      /^SRC +DST +SUCCESS +RPS +P50 +P95 +P99 +SECURED +RETRY\nshop\/web +reviews\.shop +98\.00% +50\.0\/s +2\.\dms/,
    );
  });
});

describe("inmesh get", () => {
  it("prints what can be applied again", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const yaml = await runCli(["get", "-o", "yaml"], { cwd });
    expect((await runCli(["validate", "-"], { stdin: yaml.stdout })).stderr).toBe("3 documents: no problems.\n");
    const json = await runCli(["get", "-o", "json"], { cwd });
    expect((await runCli(["validate", "-"], { stdin: json.stdout })).stderr).toBe("3 documents: no problems.\n");
    const apply = (...more: string[]) => runCli(["apply", "-f", "-", ...more], { cwd, stdin: json.stdout });
    expect((await apply("--dry-run")).stdout.match(/ unchanged /g)).toHaveLength(3);
    expect((await apply()).stdout.match(/ unchanged /g)).toHaveLength(3);
  });

  it.each([
    [["vs"], "VirtualService/shop/reviews\n"],
    [["virtualservices"], "VirtualService/shop/reviews\n"],
    [["dr/reviews"], "DestinationRule/shop/reviews\n"],
    [["DestinationRule", "reviews"], "DestinationRule/shop/reviews\n"],
    [["vs/shop/reviews"], "VirtualService/shop/reviews\n"],
    [["vs", "-n", "other"], ""],
  ])("understands %j", async (argv, names) => {
    using folder = mesh();
    expect((await runCli(["get", ...argv, "-o", "name"], { cwd: folder.path })).stdout).toBe(names);
  });

  it.each([
    [["virtualservise"], 2, "is no kind of resource. Did you mean VirtualService?"],
    [["vs/reviewz"], 1, 'no VirtualService "reviewz" in "./mesh". Did you mean "reviews"?'],
    [["vs/reviews", "-n", "test"], 1, 'There is one in namespace "shop": VirtualService/shop/reviews.'],
    [["vs/a/b/c"], 2, "names no resource"],
  ])("helps with %j", async (argv, code, message) => {
    using folder = mesh();
    const outcome = await runCli(["get", ...argv], { cwd: folder.path });
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(message)]);
  });

  it("marks a document that is refused", async () => {
    using folder = mesh();
    folder.write(
      "mesh/bad.yaml",
      REVIEWS.split("---\n")[2]?.replace("3s", "soon").replace("name: reviews,", "name: bad,") ?? "",
    );
    const { stdout } = await runCli(["get", "vs"], { cwd: folder.path });
    expect(stdout).toMatch(/shop +VirtualService +bad +- +refused IST0106 +bad\.yaml:1\n/);
    expect(stdout).toMatch(/shop +VirtualService +reviews +- +ok +reviews\.yaml:21\n/);
  });
});

describe("instances that the registry lost all at once, and that a process goes on to use", () => {
  const instances = ["shop.reviews.a", "shop.reviews.b", "shop.reviews.c"];
  const held = [{ namespace: "shop", service: "reviews", instances, of: 4, sinceMs: 6_000, forMs: 24_000 }];
  const registry = { ...INFO.registry, staleMs: 0, held };
  const labels = { version: "v1" };
  const seen = { version: "v1", labels, weight: 1, latencyMs: 1, ejectedForMs: 0, failures: 0, inFlight: 1 };
  const endpoints = [
    { ...seen, id: "10.0.0.1:80", address: "10.0.0.1", attempts: 2, workloads: [] },
    { ...seen, id: "10.0.0.7:80", address: "10.0.0.7", attempts: 9, workloads: [instances[0]], suspectForMs: 24_000 },
  ];
  const start = async (cwd: string) => {
    const resources = await resourcesOf(cwd);
    return FakeProcess.start(
      join(cwd, "mesh"),
      {},
      {
        "/server_info": { ...INFO, registry },
        "/registry": registry,
        "/snapshot": { version: 1, revision: "r", problems: [], resources },
        "/clusters": { clusters: [{ ...CLUSTER, stats: {}, endpoints }] },
      },
    );
  };

  it("are marked by endpoints, status, describe and check", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _ = await start(cwd);
    const listed = await runCli(["endpoints", "reviews"], { cwd });
    expect(listed.stdout).toMatch(/reviews\.shop +10\.0\.0\.1:80 .* ok +/);
    expect(listed.stdout).toMatch(
      /reviews\.shop +10\.0\.0\.7:80 +80 +v1 +- +1 +9 +0 +suspect for 24s +shop\.reviews\.a/,
    );
    const text = "3 of 4 instances of shop/reviews stay in use for 24 s more: the registry lost them all at once";
    expect(await status(cwd)).toMatchObject([{ state: "synced", reason: text }]);
    expect((await runCli(["describe", "reviews"], { cwd })).stdout).toMatch(
      /\n {2}suspects +shop\/web-1 uses 3 of 4 for 24s more, which the registry lost all at once\n/,
    );
    expect((await runCli(["check"], { cwd })).stdout).toContain(`shop/web-1: ${text}`);
  });

  it("are told beside a registry that is away, with the state that is in force", async () => {
    using folder = mesh();
    const cwd = folder.path;
    const away = { ...INFO.registry, state: "stale", sinceMs: 5_000, reason: "gone", staleMs: 7_200_000 };
    const info = { ...INFO, registry: { ...away, stateSavedAt: "2026-01-01T00:00:00.000Z", held: [] } };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/server_info": info });
    expect(await status(cwd)).toMatchObject([
      { state: "degraded", reason: "registry away for 5s: gone; the state saved 2h ago is in force" },
    ]);
    expect((await runCli(["check"], { cwd })).stdout).toContain("It works on with the state it saved 2h ago.");
  });
});

describe("inmesh check", () => {
  it("groups what it finds, and ends with 1 for an error", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/server_info": INFO });
    const outcome = await runCli(["check", "-o", "json"], { cwd });
    const { status, sections } = outcome.json<{
      status: string;
      sections: { name: string; findings: { status: string; message: string }[] }[];
    }>();
    expect(sections.map(({ name }) => name)).toEqual(["runtime", "registry", "processes"]);
    const messages = sections.flatMap(({ findings }) => findings.map((each) => `${each.status} ${each.message}`));
    expect(messages).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^ok node \d+\.\d+\.\d+ is supported/),
        'ok "./mesh" is readable: 3 documents',
        "ok 1 of 1 registered processes answer",
        "ok inmesh is loaded in 1 program without a change of code (fetch, http)",
      ]),
    );
    expect([outcome.code, status]).toEqual([
      messages.some((each) => each.startsWith("error")) ? 1 : 0,
      expect.any(String),
    ]);
    rmSync(join(cwd, "mesh"), { recursive: true });
    const gone = await runCli(["check"], { cwd, env: { LANG: "C.UTF-8" } });
    expect(gone.code).toBe(1);
    expect(gone.stdout).toMatch(/registry\n-{8}\n× no registry at/);
    expect(gone.stdout).toMatch(/Status check results are × {2}\(\d errors?, \d warnings?\)\n$/);
    expect((await runCli(["check"], { cwd })).stdout).toContain("xx no registry at");
  });

  it("warns of processes of another version, stuck ones, and refuses an older schema", async () => {
    using folder = mesh();
    const cwd = folder.path;
    await using _1 = await FakeProcess.start(
      join(cwd, "mesh"),
      { inmeshVersion: "0.0.9", schemaVersion: 0 },
      { "/server_info": INFO },
    );
    await using _2 = await FakeProcess.start(join(cwd, "mesh"), { instance: "web-2", admin: "http://127.0.0.1:1" });
    const { code, stdout } = await runCli(["check"], { cwd });
    expect(code).toBe(1);
    expect(stdout).toContain(`shop/web-1 reads policy schema 0, this command writes ${SCHEMA_VERSION}`);
    expect(stdout).toContain("shop/web-2 (pid ");
    expect(stdout).toContain("does not answer: connection refused");
  });
});
