import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const REGISTER = new URL("../../../node/dist/register.js", import.meta.url).href;
/** Another address than the one that this machine says it has, as of another machine. */
const ELSEWHERE = "127.0.0.2";
const answers = `(request, response) => response.end("the application")`;
const server = (create: string) => `
  const server = ${create};
  server.listen(0, "${ELSEWHERE}", () => console.log(server.address().port));
  process.stdin.on("end", () => process.exit()).resume();
`;
const HTTP = server(`require("node:http").createServer(${answers})`);
/** As gRPC's servers are: HTTP/2 and nothing else. */
const HTTP2 = server(`require("node:http2").createServer(${answers})`);

const policy = (path: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: views, namespace: shop }
spec:
  action: ALLOW
  rules:
    - from: [{ source: { principals: ["cluster.local/ns/ops/sa/me"] } }]
      to: [{ operation: { paths: ["${path}"] } }]
    - to: [{ operation: { paths: ["/shop*"] } }]
`;

describe("inmesh login, and processes on another address", () => {
  const folder = new TemporaryFolder();
  const { path } = folder;
  const env = { XDG_CONFIG_HOME: join(path, "config") };
  const children: ChildProcess[] = [];
  const run = (...words: string[]) => runCli(words, { cwd: path, env });
  const as = (who: string) => run("login", "--cert", `${who}.pem`, "--key", "me.key", "--roots", "roots.pem");
  const remotely = (...words: string[]) => run(...words, "--remote", "-o", "json", "--verbose");
  let cartPort = 0;

  async function serve(service: string, source: string, more: Record<string, string> = {}): Promise<number> {
    const child = spawn(process.execPath, ["--import", REGISTER, "-e", source], {
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        ...{ PATH: process.env["PATH"], INMESH_CONFIG: join(path, "mesh"), INMESH_SERVICE: service },
        ...{ INMESH_NAMESPACE: "shop", INMESH_IDENTITY: "ca", INMESH_ADDRESS: ELSEWHERE, ...more },
      },
    });
    children.push(child);
    const [port] = (await once(child.stdout!, "data")) as [Buffer]; // a pipe
    return Number(String(port));
  }

  /** Its lease, its certificate, its policy: all come by themselves. */
  async function until(words: readonly string[], text: RegExp) {
    for (let tries = 0; tries < 100; tries++) {
      const outcome = await remotely(...words);
      if (text.test(outcome.stdout + outcome.stderr)) return outcome;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return await remotely(...words);
  }

  beforeAll(async () => {
    folder.write("mesh/policy.yaml", policy("/.inmesh/*"));
    expect((await run("ca", "init")).code).toBe(0);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "me.key"];
    execFileSync("openssl", ["req", "-new", ...key, "-subj", "/", "-out", "me.csr"], { cwd: path, stdio: "ignore" });
    for (const who of ["me", "you"]) {
      const { stdout } = await run("ca", "sign", "me.csr", "--id", `spiffe://cluster.local/ns/ops/sa/${who}`);
      folder.write(`${who}.pem`, stdout);
    }
    folder.write("roots.pem", (await run("ca", "bundle")).stdout);
    const open = { INMESH_REMOTE_ADMIN: "true" };
    [cartPort] = await Promise.all([serve("cart", HTTP, open), serve("rates", HTTP2, open), serve("closed", HTTP)]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, "exit");
        child.stdin?.end();
        await exit;
      }),
    );
    folder[Symbol.dispose]();
  });

  it("says who must log in where, and asks nobody instead", async () => {
    const { stdout, stderr } = await until(["log", "cart"], /another machine/);
    expect(stdout).toContain("it is on another machine, 127.0.0.2: log in first: inmesh login");
    expect(stderr).not.toContain("asked http");
    expect((await as("me")).stdout).toMatch(/^spiffe:\/\/cluster\.local\/ns\/ops\/sa\/me until /);
    expect(statSync(join(path, "config/inmesh/login/key.pem")).mode & 0o777).toBe(0o600);
    expect((await until(["log", "cart"], /"level": "warn"/)).stderr).toMatch(/asked https:\/\/127\.0\.0\.2:\d+\/\.inm/);
  }, 60_000);

  it.each([
    ["status", /"service": "cart"[\s\S]*"state": "synced"/],
    ["stat --interval 50ms", /"name": "cart"[\s\S]*"processes": 1/],
    ["top --once --interval 50ms", /"rows": \[/],
    ["edges --interval 50ms", /"edges": /],
    ["graph --interval 50ms", /"nodes": /],
    ["describe cart", /127\.0\.0\.2/],
    ["proxy-config clusters cart", /"clusters": |\[/],
    ["proxy-config listeners cart", /"address": "127\.0\.0\.2"/],
    ["log cart", /"level": "warn"/],
    ["log rates", /"level": "warn"/],
    ["certs --remote", /ns\/shop\/sa\/cart/],
    ["endpoints cart", /127\.0\.0\.2/],
  ])(
    "%s reads there what the process shows",
    async (words, text) => {
      const { stdout, stderr } = await until(words.split(" "), text);
      expect(stdout, stderr).toMatch(text);
      expect(stderr).toMatch(/(?:asked|watching) https:\/\/127\.0\.0\.2:\d+\/\.inmesh\//);
      expect(stderr).not.toContain("asked http:");
    },
    60_000,
  );

  it("taps there, until policy shows it no longer", async () => {
    const shop = `http://${ELSEWHERE}:${cartPort}/shop/7`;
    const over = new AbortController();
    const tapping = remotely("tap", "cart", "--max", "1");
    const calling = (async () => {
      while (!over.signal.aborted) {
        await remotely("log", "cart"); // which is no request of the application's, and no event
        await fetch(shop, { headers: { "x-request-id": "id-of-mine" } });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const { stdout, stderr } = await tapping;
    over.abort();
    await calling;
    const why = await remotely("why", "id-of-mine");
    expect([why.code, why.stdout], why.stderr).toEqual([0, expect.stringContaining("id-of-mine")]);
    expect(stdout, stderr).not.toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      direction: "inbound",
      path: "/shop/7",
      status: 200,
      process: expect.stringContaining("cart"),
    });
  }, 60_000);

  it("is refused where the mesh does not show itself, for who is not named, and for a rule that names everything", async () => {
    expect((await until(["log", "closed"], /no JSON/)).stdout).toContain("INMESH_REMOTE_ADMIN=true");
    expect((await as("you")).code).toBe(0); // of the same mesh, and policy says nothing of it
    expect((await remotely("log", "cart")).stdout).toMatch(/it does not show \/logging \(403\)/);
    expect((await remotely("tap", "cart")).stderr).toMatch(/it does not show \/tap \(403\)/);
    expect((await as("me")).code).toBe(0);
    const { code, stdout } = await remotely("log", "cart", "--level", "debug");
    expect([code, stdout]).toEqual([1, expect.stringContaining("from another machine nothing is changed")]);
    const tapping = remotely("tap", "cart");
    await new Promise((resolve) => setTimeout(resolve, 500)); // it has begun, or fails below
    folder.write("mesh/policy.yaml", policy("/*")); // lets him call everything, and names no views
    const { code: ended, stderr } = await tapping;
    expect(ended, stderr).toBe(0); // by the process
    expect((await remotely("log", "cart")).stdout).toMatch(/it does not show \/logging \(403\)/);
    expect((await run("login", "--out")).stderr).toContain("Logged out");
    expect((await run("login", "--out")).stderr).toContain("Nobody was logged in");
  }, 60_000);

  it("keeps nothing that is no login", async () => {
    folder.write("no.pem", "nothing");
    const { code, stderr } = await run("login", "--cert", "no.pem", "--key", "no.pem", "--roots", "no.pem");
    expect([code, stderr]).toEqual([2, expect.stringContaining("the certificate is no PEM certificate")]);
    expect(() => statSync(join(path, "config/inmesh/login"))).toThrow("ENOENT");
  });
});
