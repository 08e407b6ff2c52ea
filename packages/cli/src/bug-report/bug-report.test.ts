import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";
import { Redactor, secretsOf } from "./redact.js";
import { tarGz } from "./tar.js";

/** Each is planted somewhere, and must be nowhere in the end. */
const PLANTED = {
  variable: "s3cr3t-of-a-variable",
  consul: "1f0e5c1a-7a4b-4d0e-9d8c-000000000042",
  header: "hdr-value-planted-1",
  matched: "match-value-planted-2",
  bearer: "bearer-planted-3-abcdef",
  jwt: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQ",
  key: "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCplanted",
  query: "query-planted-4",
  url: "url-password-planted-5",
  cookie: "cookie-planted-6",
  path: "0a1b2c3d4e5f6071planted8",
  jwks: "symmetric-planted-7",
  otlp: "otlp-planted-8",
  logged: "logged-planted-9",
} as const;

const POLICY = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop, annotations: { note: "password: ${PLANTED.logged}" } }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { x-api-key: { exact: ${PLANTED.matched} } } }]
      headers: { request: { set: { authorization: "Bearer ${PLANTED.bearer}", x-internal-token: ${PLANTED.header} } } }
      route: [{ destination: { host: reviews } }]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens, namespace: shop }
spec:
  jwtRules:
    - issuer: me
      jwks: '{"keys":[{"kty":"oct","k":"${PLANTED.jwks}"}]}'
`;

const PAGES = {
  "/server_info": {
    instance: "web-1",
    labels: { note: PLANTED.variable },
    registry: { url: `consul://${PLANTED.consul}@c:8500` },
  },
  "/requests": {
    requests: [
      {
        path: `/reset/${PLANTED.path}/now`,
        message: `GET http://u:${PLANTED.url}@reviews/?sig=${PLANTED.query} failed`,
      },
      { path: "/books/7", message: `sent cookie: ${PLANTED.cookie}; then "authorization: Bearer ${PLANTED.bearer}"` },
    ],
  },
  "/events": { events: [{ message: `-----BEGIN PRIVATE KEY-----\n${PLANTED.key}\n-----END PRIVATE KEY-----` }] },
  "/snapshot": { resources: {}, matches: [`header x-api-key exact "${PLANTED.matched}"`] },
  "/config_dump": {
    configs: [{ privateKey: PLANTED.key, headers: [["set-cookie", PLANTED.cookie]], jwt: PLANTED.jwt }],
  },
};

describe("inmesh bug-report", () => {
  it("has everything in it but what was secret, in a file for its owner only", async () => {
    using folder = new TemporaryFolder();
    folder.write("mesh/policy.yaml", POLICY);
    await using _ = await FakeProcess.start(join(folder.path, "mesh"), {}, PAGES);
    const env = {
      DATABASE_PASSWORD: PLANTED.variable,
      INMESH_ADMIN_TOKEN: PLANTED.variable,
      INMESH_PEER: `consul://${PLANTED.consul}@consul:8500`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-team=${PLANTED.otlp}`,
      INMESH_MODE: "on",
    };
    const made = await runCli(["bug-report", "--file", "report.tar.gz", "-o", "json"], { cwd: folder.path, env });
    expect([made.code, made.stderr]).toEqual([0, expect.stringMatching(/\d+ secrets removed/)]);
    const { file, missing } = made.json<{ file: string; missing: string[] }>();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(missing).toContain("shop/web-1 /clusters: it answered /clusters with status 404");

    execFileSync("tar", ["-xzf", file], { cwd: folder.path });
    const text = (name: string) => readFileSync(join(folder.path, name), "utf8");
    const pages = readdirSync(join(folder.path, "processes/shop_web-1")).map((page) => `processes/shop_web-1/${page}`);
    const all = ["about.json", "policy.yaml", "problems.json", "processes.json", "missing.json", ...pages]
      .map(text)
      .join("\n");
    for (const [where, secret] of Object.entries(PLANTED))
      expect([where, all.includes(secret)]).toEqual([where, false]);
    // What is needed is still there.
    expect(JSON.parse(text("about.json"))).toMatchObject({ environment: { INMESH_MODE: "on" } });
    expect(text("policy.yaml")).toMatch(/kind: VirtualService[\s\S]*x-api-key:\s+exact: "?\[removed\]/);
    expect(text("processes/shop_web-1/requests.json")).toContain("/books/7");
    expect(all).toContain("/reset/[removed]/now");

    const again = await runCli(["bug-report", "--file", "report.tar.gz"], { cwd: folder.path });
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("cannot be written")]);
  });
});

describe("Redactor", () => {
  it.each([
    "password",
    "DB_PASSWORD",
    "clientSecret",
    "x-api-key",
    "Set-Cookie",
    "proxy-authorization",
    "adminToken",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
  ])("removes the value of %s, whatever it is", (name) => {
    expect(new Redactor().data({ [name]: { exact: "abc", of: [1, "x"] } })).toEqual({
      [name]: { exact: "[removed]", of: ["[removed]", "[removed]"] },
    });
    expect(new Redactor().data([{ name, value: "abc" }])).toEqual([{ name, value: "[removed]" }]);
  });

  it.each(["author", "keyFile", "tokenUrl", "tokensRefused", "monkey", "cookieless", "secretary", "passes"])(
    "leaves %s",
    (name) => {
      expect(new Redactor().data({ [name]: "abc" })).toEqual({ [name]: "abc" });
    },
  );

  it("finds what is known to be secret anywhere, also escaped in a URL", () => {
    const known = secretsOf({ A: "redis://user:p%40ss-w0rd@host", TOKEN: "0123456789" });
    expect(new Redactor(known).text("it said p@ss-w0rd and p%40ss-w0rd, 0123456789!")).toBe(
      "it said [removed] and [removed], [removed]!",
    );
  });

  it("takes linear time with what is hostile", () => {
    const hostile = [
      `${"a-".repeat(50_000)}token`,
      `${"eyJ".repeat(50_000)}`,
      `http://${"a".repeat(100_000)}`,
      "?a=".repeat(50_000),
    ];
    const startedAt = performance.now();
    for (const text of hostile) new Redactor().text(text);
    expect(new Redactor().data({ ["token_".repeat(20_000)]: "x" })).not.toContain("x");
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

it("writes a tar that tar reads, its sizes and names right", () => {
  const files = [0, 1, 511, 512, 513].map((size) => ({ name: `a/${size}.txt`, content: "x".repeat(size) }));
  const tar = tarGz(files, 1_700_000_000_000);
  const listed = execFileSync("tar", ["-tvzf", "-"], { input: tar, encoding: "utf8" });
  expect(
    listed
      .trimEnd()
      .split("\n")
      .map((line) => [line.split(/\s+/)[2], line.split(/\s+/).at(-1)]),
  ).toEqual(files.map(({ name, content }) => [`${content.length}`, name]));
  expect(() => tarGz([{ name: "n".repeat(101), content: "" }], 0)).toThrow(RangeError);
});
