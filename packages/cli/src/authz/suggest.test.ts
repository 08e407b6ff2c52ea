import { join } from "node:path";
import type { ObservedCall } from "@inmesh/core/admin";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const WEB = "cluster.local/ns/shop/sa/web";
const CART = "cluster.local/ns/shop/sa/cart";

function call(caller: string, method: string, path: string, more: Partial<ObservedCall> = {}): ObservedCall {
  return { caller, method, path, count: 5, denied: 0, firstAgoMs: 60_000, lastAgoMs: 1_000, ...more };
}

async function suggested(calls: readonly ObservedCall[], args: readonly string[] = [], policy = "{}\n") {
  using folder = new TemporaryFolder();
  const { path } = folder;
  folder.write("mesh/mesh.yaml", "{}\n");
  folder.write("mesh/policy.yaml", policy === "{}\n" ? "# none\n" : policy);
  const reviews = { service: "reviews", instance: "reviews-1", labels: { app: "reviews", version: "v1" } };
  await using _ = await FakeProcess.start(join(path, "mesh"), reviews, { "/observed": { calls, beyond: 0 } });
  return await runCli(["authz", "suggest", ...args], { cwd: path });
}

function specOf(stdout: string) {
  const [document] = parseAllDocuments(stdout);
  return document?.toJSON() as { metadata: object; spec: { rules: unknown[] } };
}

describe("inmesh authz suggest", () => {
  it("lets in who came with an identity, by method and template; callers alike share a rule", async () => {
    const { code, stdout, stderr } = await suggested([
      call(WEB, "GET", "/api/reviews/{*}"),
      call(WEB, "HEAD", "/api/reviews/{*}"),
      call(CART, "GET", "/api/reviews/{*}"),
      call(CART, "HEAD", "/api/reviews/{*}"),
      call("cluster.local/ns/shop/sa/admin", "DELETE", "/api/reviews/{*}"),
    ]);
    expect(code).toBe(0);
    const { metadata, spec } = specOf(stdout);
    expect(metadata).toEqual({ name: "reviews-callers", namespace: "shop" });
    expect(spec).toEqual({
      selector: { matchLabels: { app: "reviews" } },
      action: "ALLOW",
      rules: [
        {
          from: [{ source: { principals: ["cluster.local/ns/shop/sa/admin"] } }],
          to: [{ operation: { methods: ["DELETE"], paths: ["/api/reviews/{*}"] } }],
        },
        {
          from: [{ source: { principals: [CART, WEB] } }],
          to: [{ operation: { methods: ["GET", "HEAD"], paths: ["/api/reviews/{*}"] } }],
        },
      ],
    });
    expect(stderr).toContain("shop/reviews: from 25 requests of 3 callers");
    expect(stderr).not.toContain("would deny");
  });

  it("says what it would deny: who has no identity, what is older, and what is denied by other policy", async () => {
    const deny = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
`;
    const calls = [
      call(WEB, "GET", "/"),
      call("", "GET", "/metrics"),
      call(WEB, "POST", "/yearly", { lastAgoMs: 7_200_000 }),
      call(WEB, "GET", "/admin", { denied: 5 }),
    ];
    const { stdout, stderr } = await suggested(calls, ["--since", "1h"], deny);
    expect(specOf(stdout).spec.rules).toEqual([
      { from: [{ source: { principals: [WEB] } }], to: [{ operation: { methods: ["GET"], paths: ["/"] } }] },
    ]);
    expect(stderr).toContain("would deny: GET /metrics from a caller in plaintext, 5 requests, last 1s ago");
    expect(stderr).toContain(`would deny: POST /yearly from ${WEB}`);
    expect(stderr).toContain(`would deny, as it was: GET /admin from ${WEB}`);
    const json = (await suggested(calls, ["-o", "json"], deny)).json<{ services: { wouldDeny: object[] }[] }>();
    expect(json.services[0]?.wouldDeny).toHaveLength(2); // the yearly one is within a day
  });

  it("writes policies to be tried first, judged as if they were in force", async () => {
    const { stdout, stderr } = await suggested([call(WEB, "GET", "/"), call("", "GET", "/")], ["--dry-run"]);
    expect(specOf(stdout).metadata).toMatchObject({ annotations: { "istio.io/dry-run": "true" } });
    expect(stderr).toContain("would deny: GET / from a caller in plaintext");
  });

  it("suggests nothing where a policy could name nobody", async () => {
    const plain = await suggested([call("", "GET", "/")]);
    expect([plain.code, plain.stdout]).toEqual([1, ""]);
    expect(plain.stderr).toContain("all its callers are in plaintext");
    expect((await suggested([])).stderr).toContain("nobody was seen calling it");
    const unknown = await suggested([], ["payments"]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("no process that serves")]);
  });
});
