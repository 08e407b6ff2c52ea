/** Real istiod as the authority: the certificate of a process comes from it, over the connection that policy comes over, too. */

import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock, systemRandom } from "@inmesh/core";
import { createCsr, generateKey, privateKeyPem } from "@inmesh/identity";
import { IstioCaSource } from "@inmesh/xds/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthorityFiles, makeAuthority, TokenIssuer } from "./authority.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { meshAt } from "./shop.js";

const binary = findIstiod("certificates of an Istio CA");
const SERVER_NAME = "istiod.istio-system.svc";

describe.skipIf(binary === undefined)("the CA of a real istiod", () => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-istio-ca-"));
  let issuer: TokenIssuer;
  let authority: AuthorityFiles;
  let istiod: Istiod;
  beforeAll(async () => {
    issuer = await TokenIssuer.start();
    authority = makeAuthority("lab");
    istiod = await Istiod.start({
      ...{ binary: binary ?? "", files: authority.files },
      env: { XDS_AUTH: "true", JWT_RULE: issuer.rule, PILOT_CERT_PROVIDER: "istiod", ISTIOD_CUSTOM_HOST: SERVER_NAME },
    });
    writeFileSync(join(folder, "root.pem"), authority.root);
    writeFileSync(join(folder, "token"), issuer.token("system:serviceaccount:shop:app"));
  });
  afterAll(async () => {
    await istiod?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  function source(token: () => string | undefined, clock: Clock = systemClock): IstioCaSource {
    return new IstioCaSource({
      ...{ address: istiod.secureAddress, cluster: "Kubernetes", clock, random: systemRandom },
      access: async () => {
        const given = token();
        return {
          tls: { roots: authority.root, serverName: SERVER_NAME },
          ...(given !== undefined && { token: given }),
        };
      },
      makeRequest: () => {
        const key = generateKey();
        return { csr: createCsr(key), privateKey: privateKeyPem(key) };
      },
    });
  }
  const obtain = (from: IstioCaSource) => from.obtain(AbortSignal.timeout(20_000));

  it("signs for the account of the token, and the next time for the certificate that it signed", async () => {
    let token: string | undefined = issuer.token("system:serviceaccount:shop:app");
    const from = source(() => token);
    const first = await obtain(from);
    token = undefined;
    const second = await obtain(from);
    for (const { certificateChain, roots } of [first, second]) {
      const leaf = new X509Certificate(certificateChain);
      expect(leaf.subjectAltName).toBe("URI:spiffe://cluster.local/ns/shop/sa/app");
      expect(certificateChain.match(/BEGIN/g)).toHaveLength(2);
      expect(String(roots).trim()).toBe(authority.root.trim());
    }
    expect(second.privateKey).not.toBe(first.privateKey);
  });

  it("refuses a token for somebody else, and a process without any, at once", async () => {
    const began = performance.now();
    await expect(obtain(source(() => issuer.token("system:serviceaccount:shop:app", "other")))).rejects.toThrow(
      /request authenticate failure/,
    );
    await expect(obtain(source(() => undefined))).rejects.toThrow(/request authenticate failure/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("gives a process its name by the same token and root as its policy", async () => {
    const at = `xds://${istiod.secureAddress}?server-name=${SERVER_NAME}&ca=${folder}/root.pem&token=${folder}/token`;
    await using mesh = await meshAt(at, { serviceAccount: "app" });
    await expect
      .poll(() => mesh.status.identity?.id, { timeout: 15_000 })
      .toBe("spiffe://cluster.local/ns/shop/sa/app");
    expect(mesh.status.registry.state).toBe("fresh");
  });

  it("takes a client certificate in place of a token, for the policy as for the name", async () => {
    const { certificateChain, privateKey } = await obtain(source(() => issuer.token("system:serviceaccount:shop:app")));
    writeFileSync(join(folder, "cert.pem"), certificateChain);
    writeFileSync(join(folder, "key.pem"), privateKey);
    const shown = `cert=${folder}/cert.pem&key=${folder}/key.pem`;
    const at = `xds://${istiod.secureAddress}?server-name=${SERVER_NAME}&ca=${folder}/root.pem&${shown}`;
    await using mesh = await meshAt(at, { serviceAccount: "app" });
    await expect
      .poll(() => mesh.status.identity?.id, { timeout: 15_000 })
      .toBe("spiffe://cluster.local/ns/shop/sa/app");
    expect(mesh.status.registry.state).toBe("fresh");
  });

  it("tells nothing to who shows neither, nor to who says that it is somebody else", async () => {
    const at = `xds://${istiod.secureAddress}?server-name=${SERVER_NAME}&ca=${folder}/root.pem`;
    for (const [url, account] of [
      [at, "app"],
      [`${at}&token=${folder}/token`, "other"],
    ] as const) {
      await using mesh = await meshAt(url, { serviceAccount: account, identity: "off" }, false);
      await expect
        .poll(() => mesh.status.registry.reason, { timeout: 15_000 })
        .toMatch(/authentication failure|no identities/);
    }
  });
});
