import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ConsulRegistry } from "@inmesh/consul";
import { lease } from "@inmesh/core/testing";
import { parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../eventually.js";
import { targetOf } from "../hostile/watched-shop.js";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { type Outcome, runCli } from "./run-cli.js";

const binary = findConsul("the commands of inmesh on a real Consul, with ACLs");
const MANAGEMENT = "5c9a1f0e-0000-4000-8000-000000000007";
const UNKNOWN = "5c9a1f0e-0000-4000-8000-0000000000ff";
const BIN = fileURLToPath(new URL("../../../../packages/cli/bin/inmesh.js", import.meta.url));

const route = (weight: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec:
  hosts: [reviews]
  http:
    - route:
        - { destination: { host: reviews, port: { number: 80 } }, weight: ${weight} }
        - { destination: { host: reviews-next, port: { number: 80 } }, weight: ${100 - weight} }
`;

describe.skipIf(binary === undefined)("inmesh on a real Consul", () => {
  let agent: DevAgent;

  beforeAll(async () => {
    agent = await startDevAgent(binary!, { managementToken: MANAGEMENT }); // not skipped: it is there
  });
  afterAll(async () => agent?.[Symbol.asyncDispose]());

  /** Below a prefix of its own. */
  function fixture(prefix: string, token = MANAGEMENT) {
    const config = `consul://${token}@127.0.0.1:${agent.port}?prefix=${prefix}`;
    const run = async (line: string, stdin = ""): Promise<Outcome> => {
      const outcome = await runCli(line, { INMESH_CONFIG: config }, stdin);
      expect(outcome.stdout + outcome.stderr).not.toContain(token);
      return outcome;
    };
    const ok = async (line: string, stdin = ""): Promise<string> => {
      const { code, stdout, stderr } = await run(line, stdin);
      expect([line, code, stderr]).toEqual([line, 0, stderr]);
      return stdout;
    };
    return { config, run, ok };
  }
  /** @returns its secret */
  async function tokenWith(name: string, Rules: string): Promise<string> {
    await agent.must("PUT", "/v1/acl/policy", { Name: name, Rules });
    const made = (await agent.must("PUT", "/v1/acl/token", { Policies: [{ Name: name }] })) as { SecretID: string };
    return made.SecretID;
  }

  it("writes, compares, shows, takes back and deletes policy, and tells who did what", async () => {
    const { run, ok } = fixture("story");
    const place = "story/services/shop/reviews/VirtualService/reviews";
    expect((await run("diff -f - --interval 1ms", route(90))).code).toBe(1);
    expect(await ok("apply -f - --dry-run", route(90))).toContain("created (dry run)");
    expect(await ok("apply -f - --reason first", route(90))).toBe(`VirtualService/shop/reviews created  ${place}\n`);
    expect(await ok("apply -f -", route(90))).toBe(`VirtualService/shop/reviews unchanged  ${place}\n`);
    const difference = await run("diff -f - --interval 1ms", route(50));
    expect([difference.code, difference.stdout]).toEqual([
      1,
      expect.stringContaining("spec.http[0].route[0].weight  90 -> 50"),
    ]);
    await ok("apply -f - --as ci", route(50));
    expect(await ok("get vs")).toMatch(new RegExp(`shop +VirtualService +reviews +\\S+ +ok +${place}:1`));
    expect(await ok("get vs/reviews -o json")).toContain('"weight": 50');
    expect(await ok("history vs/reviews --diff")).toMatch(
      /^2 {2}\S+ {2}ci {2}configured {2}-\n +spec.http\[0\].route\[0\].weight {2}90 -> 50\n.*\n1 {2}\S+ {2}tester@here {2}created {2}first\n$/,
    );
    expect(await ok("rollback vs/reviews")).toContain("configured");
    expect(await ok("get vs/reviews -o json")).toContain('"weight": 90');
    await ok("delete vs/reviews --reason enough");
    expect(await ok("get vs -o name")).toBe("");
    await ok("rollback vs/reviews -n shop --to 2");
    expect(await ok("get vs/reviews -o json")).toContain('"weight": 50');
    const { revisions } = JSON.parse(await ok("history vs/reviews -o json")) as {
      readonly revisions: readonly { readonly outcome: string; readonly reason?: string }[];
    };
    expect(revisions.map(({ outcome, reason }) => `${outcome} ${reason ?? ""}`)).toEqual([
      "created rollback to change 2",
      "deleted enough",
      "configured rollback of change 2",
      "configured ",
      "created first",
    ]);
  });

  it("finds every process and service, whatever command asks, and refuses what one is too old for", async () => {
    const { ok, run } = fixture("everybody");
    await using registry = new ConsulRegistry({
      target: targetOf(agent.port, { prefix: "everybody", token: MANAGEMENT }),
      parse: parseDocuments,
    });
    const { admin: _, ...old } = lease("reviews-1");
    await registry.registrar.register({ ...old, pid: process.pid, schemaVersion: 0 });
    await ok("apply -f - --force", route(90));
    expect((await run("apply -f -", route(50))).stderr).toContain("shop/reviews-1 (inmesh 0.1.0) cannot honour");
    expect(await ok("services")).toContain("reviews");
    expect(await ok("endpoints reviews.shop")).toContain("127.0.0.1:8080");
    expect(await ok("routes reviews.shop")).toContain("VirtualService/shop/reviews");
    expect((await run("describe reviews.shop")).stdout).toContain("VirtualService/shop/reviews");
    expect(await ok("status")).toContain("reviews-1");
    expect(await ok("explain GET http://reviews.shop/ -o json")).toContain('"outcome": "route"');
    expect(await ok("mode off -n shop --reason night")).toContain("MeshMode/shop/");
    expect(await ok("mode -o json")).toContain('"mode": "off"');
    expect((await run("check")).stdout).toContain("can be changed with this token");
    expect((await run("analyze")).code).toBeLessThan(2);
    expect(await ok("__complete -- get virtualservice/")).toContain("virtualservice/reviews");
    expect(await ok("__complete -- describe rev")).toContain("reviews");
  });

  it("says what is wrong, where and what to do, and never the token", async () => {
    const reader = await tokenWith(
      "reader",
      'key_prefix "denied/" { policy = "read" } service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }',
    );
    await fixture("denied").ok("apply -f -", route(90));
    const denied = await fixture("denied", reader).run("apply -f -", route(50));
    expect([denied.code, denied.stdout]).toEqual([3, ""]);
    expect(denied.stderr).toMatch(
      /^inmesh: consul:\/\/127\.0\.0\.1:\d+\?prefix=denied answered 403: Permission denied.* key_prefix "denied\/"/,
    );
    expect(await fixture("denied", reader).ok("get vs -o name")).toBe("VirtualService/shop/reviews\n");
    expect((await fixture("denied", reader).run("check")).stdout).toContain("cannot be changed from here");
    for (const line of ["get", "status", "history vs/reviews", "apply -f -"]) {
      const unknown = await fixture("denied", UNKNOWN).run(line, route(50));
      expect([line, unknown.code, unknown.stdout]).toEqual([line, 3, ""]);
      expect(unknown.stderr).toMatch(
        /^inmesh: no registry at "consul:\/\/\S+": it answered 403: ACL not found.*\. \S+/,
      );
    }
    const nothing = await tokenWith("nothing", 'key_prefix "elsewhere/" { policy = "read" }');
    const blind = await fixture("denied", nothing).run("get");
    expect([blind.code, blind.stderr]).toEqual([3, expect.stringMatching(/403.*Commands need key_prefix "denied\/"/)]);
  });

  it("lets a team change its own namespace, by the rules that the reference page shows", async () => {
    const page = readFileSync(new URL("../../../../docs/reference/consul.md", import.meta.url), "utf8");
    const [, rules = ""] = /```hcl\n(key_prefix "inmesh\/policy\/"[\s\S]*?)```/.exec(page) ?? [];
    const { ok, run } = fixture("inmesh", await tokenWith("team", rules));
    const elsewhere = route(50).replace("namespace: shop", "namespace: bank");
    expect((await run("check -n bank")).stdout).toContain('policy of namespace "bank" cannot be changed from here');
    expect((await run("check -n shop")).stdout).toContain('policy of namespace "shop" can be changed with this token');
    await ok("apply -f -", route(90));
    await ok("apply -f -", route(50));
    await ok("rollback vs/reviews");
    const refused = await run("apply -f -", `${route(10)}---\n${elsewhere}`);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("403: Permission denied")]);
    expect(await ok("get -o name")).toBe("VirtualService/shop/reviews\n");
    expect(await ok("get vs/reviews -o json")).toContain('"weight": 90');
    await ok("delete vs/reviews");
  });

  it("ends with 3 when nobody is there, as a program of its own, and leaves nothing running", () => {
    const env = { ...process.env, INMESH_CONFIG: `consul://${MANAGEMENT}@127.0.0.1:1`, NO_COLOR: "1" };
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, "get"], {
      env,
      encoding: "utf8",
      timeout: 20_000,
    });
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(
      /^inmesh: no registry at "consul:\/\/127\.0\.0\.1:1": nothing listens there \(ECONNREFUSED\)\. Start it, or name another/,
    );
    expect(stderr).not.toContain(MANAGEMENT);
  });

  it("runs a program in the mesh, tells that it has joined, and shows no token", async () => {
    const { config } = fixture("program");
    const server = "require('node:http').createServer((_, answer) => answer.end()).listen(0, '127.0.0.1')";
    const env = { ...process.env, INMESH_CONFIG: config, NO_COLOR: "1" };
    const args = [BIN, "run", "-n", "shop", "--service", "joiner", "--", process.execPath, "-e", server];
    const running = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    onTestFinished(() => void running.kill("SIGKILL"));
    let said = "";
    running.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await eventually(
      async () => said,
      (text) => expect(text).toMatch(/joiner \(pid \d+\) is in the mesh: listens on \d+ as joiner\.shop/),
    );
    running.kill("SIGTERM");
    await once(running, "exit");
    expect(said).toContain(
      `inmesh: joiner joins namespace shop, registry consul://127.0.0.1:${agent.port}?prefix=program`,
    );
    expect(said).not.toContain(MANAGEMENT);
  });

  it("leaves no question behind that the server would hold", async () => {
    const { ok } = fixture("flood");
    await ok("apply -f -", route(90));
    for (let n = 0; n < 25; n++) expect(await ok("get -o name")).toContain("VirtualService/shop/reviews\n");
    // Consul refuses a client's 201st connection, and counts those whose questions it still holds.
    expect((await agent.ask("GET", "/v1/status/leader")).status).toBe(200);
  });

  it("shows what comes from config entries of Consul, and says that it is changed there", async () => {
    for (const Name of ["ratings", "legacy"]) {
      await agent.must("PUT", "/v1/config", { Kind: "service-defaults", Name, Protocol: "http" });
    }
    await agent.must("PUT", "/v1/config", {
      ...{ Kind: "service-router", Name: "ratings" },
      Routes: [{ Match: { HTTP: { PathPrefix: "/old" } }, Destination: { Service: "legacy" } }],
    });
    const { ok, run } = fixture("entries");
    const names = await ok("get vs -o name");
    const key = names.split("\n").find((name) => name.endsWith("ratings")) ?? expect.fail(names);
    const refused = await run(`delete ${key}`);
    expect([refused.code, refused.stdout]).toEqual([1, ""]);
    expect(refused.stderr).toMatch(
      /comes from Consul's own config entry service-router\/ratings.*consul config delete/,
    );
    const noted = await run(`rollback ${key}`);
    expect([noted.code, noted.stderr]).toEqual([1, expect.stringContaining("service-router/ratings")]);
  });
});
