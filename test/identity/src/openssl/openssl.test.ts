/** The machine's openssl looks at what our authority makes, and knocks at our servers. */

import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock, systemRandom } from "@inmesh/core";
import { FolderAuthority } from "@inmesh/identity/ca";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judge, sClient } from "../peer/index.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`;
const ID = "spiffe://cluster.local/ns/shop/sa/openssl";
const BODY = /\{"service":"app"/;

/** What the service answered. openssl goes on talking in the same line, of tickets that hold any character. */
function bodyIn(said: string): unknown {
  const start = said.search(BODY);
  for (let end = start; start >= 0; ) {
    end = said.indexOf("}", end + 1);
    if (end < 0) break;
    try {
      return JSON.parse(said.slice(start, end + 1));
    } catch {
      // the end of a part of it
    }
  }
  return undefined;
}

describe("openssl, with the authority that the folder's first process made", () => {
  const town = new Town(STRICT, { INMESH_IDENTITY: "ca" });
  let app: ServiceProcess;
  let files: { readonly chain: string; readonly key: string; readonly roots: string };

  beforeAll(async () => {
    app = await town.start("app");
    const directory = join(town.mesh, ".ca");
    const until = Date.now() + 30_000;
    while (!existsSync(join(directory, "ca.json")) && Date.now() < until) await delay(20); // it listens before
    const authority = await FolderAuthority.open({ directory, clock: systemClock, random: systemRandom });
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { certificateChain, bundles } = await authority.signKey(publicKey, ID);
    const folder = join(town.folder, "openssl");
    mkdirSync(folder);
    files = { chain: join(folder, "chain.pem"), key: join(folder, "key.pem"), roots: join(folder, "roots.pem") };
    writeFileSync(files.chain, certificateChain);
    writeFileSync(files.key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    writeFileSync(files.roots, [...bundles.values()].flat().join(""));
  }, 60_000);
  afterAll(() => town[Symbol.asyncDispose]());

  it.each(["sslclient", "sslserver"])("verifies a chain of it, strictly, as %s", (purpose) => {
    const { accepted, said } = judge([
      ...[
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        files.roots,
        "-untrusted",
        files.chain,
        files.chain,
      ],
    ]);
    expect(said).toContain("OK");
    expect(accepted).toBe(true);
  });

  it("reads what it is told to read in a leaf", () => {
    const { said } = judge(["x509", "-in", files.chain, "-noout", "-text"]);
    expect(said).toContain(`URI:${ID}`);
    expect(said).toMatch(/X509v3 Subject Alternative Name: critical/);
    expect(said).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(said).toContain("TLS Web Server Authentication, TLS Web Client Authentication");
    expect(said).toContain("ASN1 OID: prime256v1");
  });

  it.each([["-tls1_3"], ["-tls1_2"]])("is served with a certificate of the mesh: %s", async (version) => {
    const { accepted, said } = await sClient({ port: app.port, ...files, flags: [version, "-alpn", "http/1.1"] });
    expect(accepted, said).toBe(true);
    expect(said).toContain("Verify return code: 0 (ok)");
    expect(bodyIn(said)).toMatchObject({ peer: ID, encrypted: false });
  });

  it.each([
    ["without a certificate", { chain: undefined, key: undefined }, []],
    ["with a protocol that the server does not speak", {}, ["-alpn", "h2"]],
    ["with TLS 1.1", {}, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]],
  ])("is refused %s", async (_, without, flags) => {
    const { accepted, said } = await sClient({ port: app.port, ...files, ...without, flags } as never);
    expect(said).not.toMatch(BODY);
    expect(accepted).toBe(false);
  });

  it("resumes its session, and is known then, too", async () => {
    for (const version of ["-tls1_3", "-tls1_2"]) {
      const session = join(town.folder, `session${version}`);
      await sClient({ port: app.port, ...files, flags: [version, "-sess_out", session] });
      const { said } = await sClient({ port: app.port, ...files, flags: [version, "-sess_in", session] });
      expect(said).toContain("Reused, TLSv1");
      expect(bodyIn(said)).toMatchObject({ peer: ID });
    }
  });
});
