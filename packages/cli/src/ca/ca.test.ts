import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemClock, systemRandom } from "@inmesh/core";
import type { CertsView } from "@inmesh/core/admin";
import { createCsr, generateKey, parseChain } from "@inmesh/identity";
import { AuthorityFolder } from "@inmesh/identity/ca";
import { describe, expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";
import type { CaStatus } from "./status.js";

const openssl = (cwd: string, ...args: string[]) =>
  execFileSync("openssl", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const KEY = /PRIVATE KEY/;

async function ca(cwd: string, line: string, stdin = "") {
  const outcome = await runCli(["ca", ...line.split(" ")], { cwd, stdin });
  expect(outcome.stdout + outcome.stderr).not.toMatch(KEY);
  return outcome;
}
const status = async (cwd: string, line = "status") => (await ca(cwd, `${line} -o json`)).json<CaStatus>();
const states = ({ certificates }: CaStatus) => certificates.map(({ role, state }) => `${role} ${state}`);

describe("inmesh ca", () => {
  it("makes one for the trust domain of policy, shows it, and makes no second one", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    folder.write("mesh/mesh.yaml", "trustDomain: shop.example\n");
    const made = await ca(path, "init");
    expect([made.code, made.stdout]).toEqual([
      0,
      expect.stringMatching(/mesh\/\.ca names workloads of shop\.example, for 24h/),
    ]);
    expect(await status(path)).toMatchObject({
      ...{ trustDomains: ["shop.example"], policyTrustDomain: "shop.example", advice: [] },
      certificates: [
        { role: "root", state: "active", key: "here" },
        { role: "intermediate", state: "active", key: "here" },
      ],
    });
    expect((await ca(path, "init")).stderr).toMatch(/there is a CA in .* already/);
    folder.write("mesh/mesh.yaml", "trustDomain: new.example\n");
    const [advice = ""] = (await status(path)).advice;
    expect(advice).toContain("policy says trust domain new.example");
    expect((await ca(path, "rotate --trust-domain new.example")).code).toBe(0);
    expect(await status(path)).toMatchObject({ trustDomains: ["shop.example", "new.example"], advice: [] });
  });

  it("signs what openssl asks for, as whom the operator says, and openssl takes it", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    await ca(path, "init --dir ca --max-ttl 7d");
    openssl(path, ...["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"], ...["-keyout", "job.key", "-subj", "/CN=admin", "-addext", "subjectAltName=URI:spiffe://cluster.local/ns/shop/sa/admin", "-out", "job.csr"]); // biome-ignore format: two lists
    const signed = await ca(path, "sign job.csr --workload shop/job --ttl 48h --dir ca");
    expect(signed.stderr).toContain("spiffe://cluster.local/ns/shop/sa/job until");
    folder.write("job.pem", signed.stdout);
    folder.write("roots.pem", (await ca(path, "bundle --dir ca")).stdout);
    for (const purpose of ["sslclient", "sslserver"])
      expect(openssl(path, ...["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "roots.pem"], ...["-untrusted", "job.pem", "job.pem"])).toContain("OK"); // biome-ignore format: two lists
    const [leaf] = parseChain(signed.stdout);
    expect(leaf?.uris).toEqual(["spiffe://cluster.local/ns/shop/sa/job"]);
    expect(leaf!.notAfter - Date.now()).toBeGreaterThan(47 * 3_600_000);
    const tooLong = await ca(path, "sign - --workload shop/job --ttl 30d --dir ca", createCsr(generateKey()));
    expect(tooLong.stderr).toContain("the CA allows no more");
  });

  it("keeps the root elsewhere, and asks for its key when it rotates", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    expect((await ca(path, "init --dir ca --root-out stick")).stderr).toContain("stick only");
    expect(readdirSync(join(path, "ca")).filter((name) => /^root.*key$/.test(name))).toEqual([]);
    expect((statSync(join(path, "stick/root.key")).mode & 0o777).toString(8)).toBe("600");
    expect((await status(path, "status --dir ca")).certificates[0]).toMatchObject({ role: "root", key: "elsewhere" });
    const refused = await ca(path, "rotate --dir ca");
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("--root-key FILE")]);
    expect((await ca(path, "rotate --dir ca --root-key stick/root.key")).code).toBe(0);
    chmodSync(join(path, "stick/root.key"), 0o644);
    expect((await ca(path, "rotate --dir ca --root-key stick/root.key")).stderr).toContain("chmod 600");
    const again = await ca(path, "init --dir other --root-out stick");
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);
    expect(readdirSync(join(path, "other")).filter((name) => !name.startsWith("."))).toEqual([]);
  });

  it("signs below a root that somebody has, RSA too, and takes no certificate that is none", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    openssl(path, ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "corp.key", "-out", "corp.pem"], ...["-days", "300", "-subj", "/CN=Corp root", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]); // biome-ignore format: two lists
    chmodSync(join(path, "corp.key"), 0o600);
    expect((await ca(path, "init --dir ca --root-cert corp.pem --root-key corp.key")).code).toBe(0);
    const [root] = (await status(path, "status --dir ca")).certificates;
    expect(root).toMatchObject({ subject: "CN=Corp root", key: "elsewhere" });
    folder.write("job.pem", (await ca(path, "sign - --workload a/b --dir ca", createCsr(generateKey()))).stdout);
    expect(openssl(path, ...["verify", "-purpose", "sslclient", "-CAfile", "corp.pem", "-untrusted", "job.pem", "job.pem"])).toContain("OK"); // biome-ignore format: a list
    const leaf = await ca(path, "init --dir no --root-cert job.pem --root-key corp.key");
    expect([leaf.code, leaf.stderr]).toEqual([1, expect.stringContaining("job.pem: one certificate is expected")]);
  });

  it("rotates the root in two steps, the second when every process knows it", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    folder.write("mesh/mesh.yaml", "{}\n");
    await ca(path, "init");
    const [old] = (await status(path)).certificates;
    expect((await ca(path, "rotate --root")).stderr).toContain("trusts a new root within seconds");
    const during = await status(path);
    expect(states(during)).toEqual(["root active", "root next", "intermediate active"]);
    expect((await ca(path, "bundle")).stdout.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    const knows = (fingerprint: string): CertsView => {
      const root = { id: "", serial: "1", subject: "", issuer: "", notBefore: during.certificates[0]!.notBefore, notAfter: during.certificates[0]!.notAfter, fingerprint }; // biome-ignore format: a row
      return {
        identity: { state: "ready", id: "spiffe://cluster.local/ns/shop/sa/web", source: "", generation: 1 },
        ...{ chain: [], roots: [{ trustDomain: "cluster.local", certificates: [root] }] },
      };
    };
    await using web = await FakeProcess.start(join(path, "mesh"), {}, { "/certs": knows(old!.fingerprint) });
    expect((await ca(path, "rotate --root")).stderr).toContain("not known yet to shop/web-1");
    web.answers = { "/certs": knows(during.certificates[1]!.fingerprint.toUpperCase().replace(/..(?=.)/g, "$&:")) };
    const early = await ca(path, "rotate --root");
    expect([early.code, early.stderr]).toEqual([1, expect.stringMatching(/Run this again in \d+ s/)]);
    expect((await ca(path, "rotate --root --force")).stderr).toContain("The old one is trusted until");
    expect(states(await status(path))).toEqual(["root retired", "root active", "intermediate active"]);
  });

  it("says who can read what he should not, and that a disk is not there", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    await ca(path, "init --dir ca");
    const key = readdirSync(join(path, "ca")).find((name) => name.startsWith("intermediate") && name.endsWith(".key"))!;
    chmodSync(join(path, "ca", key), 0o644);
    const refused = await ca(path, "status --dir ca");
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/can be read or changed by others.*chmod 600/s),
    ]);
    folder.write("file", "");
    expect((await ca(path, "init --dir file/ca")).code).toBe(3);
  });
});

describe("inmesh certs", () => {
  it("shows identities, ages and roots, and who trusts no root in common", async () => {
    using folder = new TemporaryFolder();
    const { path } = folder;
    folder.write("mesh/mesh.yaml", "{}\n");
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const certificate = (fingerprint: string, ends: number) => ({ id: "", serial: "4E4B", subject: "CN=root", issuer: "", notBefore: at(-7_200_000), notAfter: at(ends), fingerprint }); // biome-ignore format: a row
    const view = (service: string, state: "ready" | "failing", root: string): CertsView => ({
      identity: {
        ...{ state, id: `spiffe://cluster.local/ns/shop/sa/${service}`, source: "the CA in mesh/.ca", generation: 3 },
        ...{
          notBefore: at(-7_200_000),
          notAfter: at(36_000_000),
          ...(state === "failing" && { reason: "no permission" }),
        },
      },
      chain: [certificate("AB:CD", 36_000_000)],
      roots: [{ trustDomain: "cluster.local", certificates: [certificate(root, 864_000_000)] }],
      tokenKeys: [{ issuer: "https://iss", source: "https://iss/keys", keys: 2, ageMs: 720_000 }],
    });
    await using _ = await FakeProcess.start(join(path, "mesh"), {}, { "/certs": view("web", "ready", "11:22") });
    const other = { service: "cart", instance: "cart-1" };
    await using __ = await FakeProcess.start(join(path, "mesh"), other, { "/certs": view("cart", "failing", "33:44") });
    await using ___ = await FakeProcess.start(join(path, "mesh"), { service: "old", instance: "old-1" }, {});
    const { stdout, stderr } = await runCli(["certs", "-o", "wide"], { cwd: path });
    expect(stdout).toMatch(/shop\/web-1 +spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web +10h +10d +ready +4E4B +2h/);
    expect(stdout).toMatch(/shop\/web-1 .* https:\/\/iss 2 keys, 12m old/);
    expect(stdout).toMatch(/shop\/cart-1 .* failing: no permission/);
    expect(stdout).toMatch(/shop\/old-1 .* unreachable: it answered \/certs with status 404/);
    expect(stderr).toContain("trust no root in common");
    const json = (await runCli(["certs", "web.shop", "-o", "json"], { cwd: path })).json<Record<string, unknown[]>>();
    expect(json["workloads"]).toMatchObject([{ name: "shop/web-1", identity: { generation: 3 } }]);
    expect(json["roots"]).toMatchObject([{ trustDomain: "cluster.local", fingerprint: "1122", trustedBy: 1 }]);
  });
});

/** Nothing here is for the command alone: a process would read the same folder. */
it("leaves a folder that the library reads", async () => {
  using folder = new TemporaryFolder();
  await ca(folder.path, "init --dir ca");
  const read = new AuthorityFolder({ directory: join(folder.path, "ca"), clock: systemClock, random: systemRandom });
  expect((await read.load())?.record.trustDomains).toEqual(["cluster.local"]);
});
