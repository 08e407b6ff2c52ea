import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authority, cluster, EnvoyProcess, findEnvoy, judge, listener } from "./index.js";

const envoyPath = findEnvoy("Envoy beside itself, with certificates of openssl");
const authority = new Authority({ trustDomain: "cluster.local", intermediate: true });
afterAll(() => authority[Symbol.dispose]());

it("an authority signs leaves that openssl verifies, and the ones that it should not", () => {
  const good = authority.workload("web");
  const past = Date.now() - 60_000;
  const expired = authority.workload("web", { notBefore: past - 60_000, notAfter: past });
  const verify = (file: string) =>
    judge(["verify", "-x509_strict", "-CAfile", authority.rootFile, "-untrusted", file, file]);
  expect(verify(good.chainFile)).toMatchObject({ accepted: true });
  expect(verify(expired.chainFile).said).toContain("certificate has expired");
  expect(new X509Certificate(good.chain).subjectAltName).toBe("URI:spiffe://cluster.local/ns/shop/sa/web");
  expect(
    new X509Certificate(
      authority.workload("ca", { authority: true, keyUsage: "critical,digitalSignature,keyCertSign" }).chain,
    ).ca,
  ).toBe(true);
});

describe.skipIf(envoyPath === undefined)("an Envoy", () => {
  let envoy: EnvoyProcess;
  let client: EnvoyProcess;

  beforeAll(async () => {
    const [web, payments, stranger] = ["web", "payments", "stranger"].map((name) => authority.workload(name));
    const roots = authority.rootFile;
    const own = (leaf = web!) => ({ chain: leaf.chainFile, key: leaf.keyFile });
    const names = ["spiffe://cluster.local/ns/shop/sa/payments"];
    envoy = await EnvoyProcess.start(envoyPath!, {
      listeners: [listener({ name: "payments", tls: { own: own(payments), roots } })],
      clusters: [],
    });
    const port = envoy.port("payments");
    client = await EnvoyProcess.start(envoyPath!, {
      listeners: ["mesh", "nobody", "wrong"].map((name) => listener({ name, cluster: name })),
      clusters: [
        cluster({ name: "mesh", port, tls: { own: own(), roots, names, sni: "payments" } }),
        cluster({ name: "nobody", port, tls: { roots } }),
        cluster({
          name: "wrong",
          port,
          tls: { own: own(stranger), roots, names: ["spiffe://cluster.local/ns/shop/sa/web"] },
        }),
      ],
    });
  }, 60_000);
  afterAll(() => Promise.all([envoy, client].map((each) => each?.[Symbol.asyncDispose]())));

  it("calls another one over mTLS, and neither takes whom it does not know", async () => {
    const ask = async (name: string) => await fetch(`http://127.0.0.1:${client.port(name)}/`);
    const answer = await ask("mesh");
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("answered by payments");
    expect(await ask("nobody")).toMatchObject({ status: 503 });
    expect(await ask("wrong")).toMatchObject({ status: 503 });
    const stats = await envoy.stats("ssl\\.(fail|handshake)");
    expect([...stats].find(([name]) => name.endsWith("fail_verify_no_cert"))?.[1]).toBeGreaterThan(0);
  });
});
