import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli, TemporaryFolder } from "../testing/run-cli.js";

const REGISTER = new URL("../../../node/dist/register.js", import.meta.url).href;
/** Another address than the one that this machine says it has, as of another machine. */
const ELSEWHERE = "127.0.0.2";
const SERVER = `
  const server = require("node:http").createServer((request, response) => response.end("the application"));
  server.listen(0, "${ELSEWHERE}", () => console.log("listening"));
  process.stdin.on("end", () => process.exit()).resume();
`;
const policy = (path: string) => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: views, namespace: shop }
spec:
  action: ALLOW
  rules:
    - from: [{ source: { principals: ["cluster.local/ns/ops/sa/me"] } }]
      to: [{ operation: { paths: ["${path}"] } }]
    - to: [{ operation: { paths: ["/shop"] } }]
`;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.stdin?.end();
  await exit;
}

describe("inmesh login", () => {
  it("lets an operator read what a process on another address shows, where policy names it, and nobody else", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    const env = { XDG_CONFIG_HOME: join(path, "config") };
    const run = (...words: string[]) => runCli(words, { cwd: path, env });
    folder.write("mesh/policy.yaml", policy("/.inmesh/*"));
    expect((await run("ca", "init")).code).toBe(0);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "me.key"];
    execFileSync("openssl", ["req", "-new", ...key, "-subj", "/", "-out", "me.csr"], { cwd: path, stdio: "ignore" });
    folder.write("me.pem", (await run("ca", "sign", "me.csr", "--id", "spiffe://cluster.local/ns/ops/sa/me")).stdout);
    folder.write("you.pem", (await run("ca", "sign", "me.csr", "--id", "spiffe://cluster.local/ns/ops/sa/you")).stdout);
    folder.write("roots.pem", (await run("ca", "bundle")).stdout);

    const child = spawn(process.execPath, ["--import", REGISTER, "-e", SERVER], {
      stdio: ["pipe", "pipe", "inherit"],
      env: {
        ...{ PATH: process.env["PATH"], INMESH_CONFIG: join(path, "mesh"), INMESH_SERVICE: "cart" },
        ...{ INMESH_NAMESPACE: "shop", INMESH_IDENTITY: "ca", INMESH_ADDRESS: ELSEWHERE, INMESH_REMOTE_ADMIN: "true" },
      },
    });
    try {
      await once(child.stdout!, "data");
      const stat = () => run("proxy-config", "listeners", "cart", "--remote", "-o", "json", "--verbose");
      const until = async (text: RegExp) => {
        for (let tries = 0; tries < 50; tries++) {
          const { stdout, stderr } = await stat();
          if (text.test(stdout + stderr)) return { stdout, stderr };
          await new Promise((resolve) => setTimeout(resolve, 100)); // its lease, its certificate, its policy: all come by themselves
        }
        return await stat();
      };
      const as = (who: string) => run("login", "--cert", `${who}.pem`, "--key", "me.key", "--roots", "roots.pem");
      const login = await as("me");
      expect(login.stdout).toMatch(/^spiffe:\/\/cluster\.local\/ns\/ops\/sa\/me until /);
      expect(statSync(join(path, "config/inmesh/login/key.pem")).mode & 0o777).toBe(0o600);
      const seen = await until(/"address":\s*"127\.0\.0\.2"/);
      expect(seen.stderr).toMatch(/asked https:\/\/127\.0\.0\.2:\d+\/\.inmesh\/\w+/);
      expect(seen.stdout).toContain(ELSEWHERE);

      expect((await as("you")).code).toBe(0); // of the same mesh, and policy says nothing of it
      expect((await stat()).stderr).toMatch(/it does not show .* \(403\)/);
      expect((await as("me")).code).toBe(0);
      folder.write("mesh/policy.yaml", policy("/*")); // lets him call everything, and names no views
      expect((await until(/it does not show/)).stderr).toMatch(/it does not show .* \(403\)/);
      expect((await run("login", "--out")).stderr).toContain("Logged out");
      expect((await run("login", "--out")).stderr).toContain("Nobody was logged in");
    } finally {
      await ended(child);
    }
  }, 60_000);

  it("keeps nothing that is no login", async () => {
    using folder = new TemporaryFolder();
    const env = { XDG_CONFIG_HOME: join(folder.path, "config") };
    folder.write("no.pem", "nothing");
    const words = ["login", "--cert", "no.pem", "--key", "no.pem", "--roots", "no.pem"];
    const { code, stderr } = await runCli(words, { cwd: folder.path, env });
    expect([code, stderr]).toEqual([2, expect.stringContaining("the certificate is no PEM certificate")]);
    expect(() => statSync(join(folder.path, "config"))).toThrow("ENOENT");
  });
});
