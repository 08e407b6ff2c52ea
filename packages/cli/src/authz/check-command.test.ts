import { describe, expect, it } from "vitest";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-reads, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  rules:
    - from: [{source: {principals: [cluster.local/ns/shop/sa/web]}}]
      to: [{operation: {methods: [GET], paths: [/items/*]}}]
    - from: [{source: {requestPrincipals: ["https://id.example/*"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec:
  action: DENY
  rules:
    - to: [{operation: {paths: [/admin*]}}]
    - from: [{source: {ipBlocks: [203.0.113.0/24]}}]
    - to: [{operation: {ports: ["9090"]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: tried-out, namespace: shop, annotations: {istio.io/dry-run: "true"}}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/items/1]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: watched, namespace: shop}
spec:
  action: AUDIT
  rules: [{to: [{operation: {paths: [/items/1]}}]}]
`;

const WEB = ["--principal", "cluster.local/ns/shop/sa/web"];

function mesh(policy = POLICY): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/access.yaml", policy);
  return folder;
}

async function check(folder: TemporaryFolder, argv: readonly string[]) {
  const outcome = await runCli(["authz", "check", "--to", "shop/cart", ...argv, "-o", "json"], { cwd: folder.path });
  return { code: outcome.code, answer: outcome.json<Record<string, unknown>>() };
}

describe("inmesh authz check", () => {
  it("answers with the contract's fields, and says by its exit code whether it is let in", async () => {
    using folder = mesh();
    expect(await check(folder, ["GET", "/items/%31", ...WEB])).toEqual({
      code: 0,
      answer: {
        allowed: true,
        status: 200,
        decidedBy: { action: "ALLOW", policy: "shop/web-reads", rule: 0 },
        path: "/items/1",
        audit: [{ action: "AUDIT", policy: "shop/watched", rule: 0 }],
        dryRun: [{ policy: "shop/tried-out", wouldAllow: false }],
        reason: "rule 0 of AuthorizationPolicy shop/web-reads matches, its action is ALLOW",
      },
    });
    const denied = await check(folder, ["DELETE", "/items/2", ...WEB]);
    expect(denied).toMatchObject({ code: 1, answer: { allowed: false, status: 403, decidedBy: null } });
    expect(denied.answer["reason"]).toMatch(/no rule of action ALLOW matches, and AuthorizationPolicy shop\/web-reads/);
  });

  it.each([
    ["a path in another spelling", ["GET", "/x/../%61dmin/1", ...WEB], 403, "shop/no-admin", 0],
    ["an address", ["GET", "/items/2", ...WEB, "--source-ip", "203.0.113.7"], 403, "shop/no-admin", 1],
    ["a port", ["GET", "/items/2", ...WEB, "--to", "shop/cart:9090"], 403, "shop/no-admin", 2],
    ["claims", ["GET", "/any", "--claims", '{"iss":"https://id.example","sub":"ann"}'], 200, "shop/web-reads", 1],
    ["a path that nobody may see", ["GET", "/items/%00"], 400, undefined, undefined],
    [
      "a name of another mesh",
      ["GET", "/items/2", "--principal", "other.domain/ns/shop/sa/web"],
      403,
      undefined,
      undefined,
    ],
  ])("takes %s", async (_, argv, status, policy, rule) => {
    using folder = mesh();
    const { answer } = await check(folder, argv);
    expect(answer["status"]).toBe(status);
    if (policy === undefined) expect(answer["decidedBy"]).toBeNull();
    else expect(answer["decidedBy"]).toMatchObject({ policy, rule });
  });

  it("leaves a DENY rule about HTTP wider on other connections, and lets nobody in by an ALLOW rule about HTTP", async () => {
    using folder = mesh();
    const { answer } = await check(folder, ["--tcp", ...WEB]);
    expect(answer).toMatchObject({ allowed: false, decidedBy: { policy: "shop/no-admin", rule: 0 }, path: "" });
  });

  it("denies everything that a document which is not valid selects", async () => {
    using folder = mesh(
      POLICY.replace("action: AUDIT", "action: AUDITS").replace(
        "spec:\n  action: AUDITS",
        "spec:\n  selector: {matchLabels: {app: cart}}\n  action: AUDITS",
      ),
    );
    const { answer } = await check(folder, ["GET", "/items/1", ...WEB]);
    expect(answer).toMatchObject({ status: 403, decidedBy: { policy: "shop/watched", rule: -1 } });
    const other = await check(folder, ["GET", "/items/1", ...WEB, "--to", "shop/stock"]);
    expect(other.answer["allowed"]).toBe(true);
  });

  it("judges the lines of a file, and says in its place what is no request", async () => {
    using folder = mesh();
    const lines = [
      { method: "GET", path: "/items/1", principal: "cluster.local/ns/shop/sa/web", host: "cart" },
      { method: "GET", path: "/admin/x", to: "shop/stock" },
      { path: 7 },
      { path: "/", sourceIp: "nowhere" },
      { path: "/", principal: "Web of shop" },
    ];
    folder.write("requests.jsonl", `${lines.map((line) => JSON.stringify(line)).join("\n")}\nnothing\n`);
    const argv = ["authz", "check", "--to", "shop/cart", "--requests", "requests.jsonl", "-o", "json"];
    const { code, stdout } = await runCli(argv, { cwd: folder.path });
    const answers = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect([code, answers.length]).toEqual([0, 6]);
    expect(answers.slice(0, 2).map(({ allowed }) => allowed)).toEqual([true, false]);
    expect(answers.slice(2).every(({ error }) => typeof error === "string")).toBe(true);
  });

  it.each([
    [["authz", "check", "GET", "/"], "it is not said who is called"],
    [["authz", "check", "--to", "shop/cart"], "no request was given"],
    [["authz", "check", "--to", "shop/cart", "GET", "/", "--claims", "{"], "the claims are no JSON"],
    [["authz", "check", "--to", "shop/cart", "GET", "/", "--remote-ip", "x"], "which is no address"],
  ])("says what is wrong with %j", async (argv, message) => {
    using folder = mesh();
    const { code, stderr } = await runCli(argv, { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  it("tells people which rule it was", async () => {
    using folder = mesh();
    const { stdout } = await runCli(["authz", "check", "--to", "shop/cart", "GET", "/admin"], { cwd: folder.path });
    expect(stdout).toMatch(/by +rule 0 of shop\/no-admin, action DENY\n/);
    expect(stdout).toMatch(/result +denied, the caller gets 403\n/);
  });
});

describe("inmesh explain", () => {
  it("says whether the service would let the request in, where its policy speaks", async () => {
    using folder = mesh();
    folder.write(
      "mesh/cart.yaml",
      "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: cart, namespace: shop}\nspec: {hosts: [cart.shop.svc.cluster.local], location: MESH_INTERNAL, ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1}]}\n",
    );
    const argv = ["explain", "GET", "http://cart/admin", "--from", "shop/web"];
    const { stdout } = await runCli(argv, { cwd: folder.path });
    expect(stdout).toMatch(/server +shop\/cart denies .*: rule 0 of AuthorizationPolicy shop\/no-admin/);
    const answer = (await runCli([...argv, "-o", "json"], { cwd: folder.path })).json<Record<string, unknown>>();
    expect(answer["access"]).toMatchObject([{ to: "shop/cart", allowed: false, status: 403 }]);
  });
});
