/** An authority for an istiod without Kubernetes: roots and an intermediate made by openssl, and tokens as Kubernetes issues them. */

import { execFileSync } from "node:child_process";
import { createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Files that istiod takes for its authority, by their path in its working folder. */
export interface AuthorityFiles {
  readonly files: Readonly<Record<string, string>>;
  /** PEM. */
  readonly root: string;
}

export function makeAuthority(name: string): AuthorityFiles {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-ca-"));
  const path = (file: string) => join(folder, file);
  const openssl = (...arguments_: string[]) => execFileSync("openssl", arguments_, { cwd: folder, stdio: "pipe" });
  const ca = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
  try {
    openssl(
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "root-key.pem", "-out", "root-cert.pem"],
      ...["-days", "30", "-subj", `/O=${name}/CN=${name} root`, "-addext", "basicConstraints=critical,CA:TRUE"],
      ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    );
    openssl(
      ...["req", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca-key.pem", "-out", "ca.csr"],
      ...["-subj", `/O=${name}/CN=${name} intermediate`],
    );
    writeFileSync(path("ext"), `${ca}subjectAltName=URI:spiffe://cluster.local/ns/istio-system/sa/citadel\n`);
    openssl(
      ...["x509", "-req", "-in", "ca.csr", "-CA", "root-cert.pem", "-CAkey", "root-key.pem", "-CAcreateserial"],
      ...["-days", "20", "-extfile", "ext", "-out", "ca-cert.pem"],
    );
    const [root, intermediate, key] = ["root-cert.pem", "ca-cert.pem", "ca-key.pem"].map((file) =>
      readFileSync(path(file), "utf8"),
    ) as [string, string, string];
    const files = {
      "etc/cacerts/root-cert.pem": root,
      "etc/cacerts/ca-cert.pem": intermediate,
      "etc/cacerts/ca-key.pem": key,
      "etc/cacerts/cert-chain.pem": intermediate + root,
    };
    return { files, root };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Who issues tokens of service accounts, with its keys at an address. */
export class TokenIssuer implements AsyncDisposable {
  readonly issuer = "https://issuer.test";
  readonly #key: KeyObject;
  readonly #server: ReturnType<typeof createServer>;

  private constructor(key: KeyObject, server: ReturnType<typeof createServer>) {
    this.#key = key;
    this.#server = server;
  }

  static async start(): Promise<TokenIssuer> {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" };
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json").end(JSON.stringify({ keys: [jwk] }));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new TokenIssuer(privateKey, server);
  }

  /** As istiod takes it. */
  get rule(): string {
    const { port } = this.#server.address() as AddressInfo;
    return JSON.stringify({ issuer: this.issuer, jwks_uri: `http://127.0.0.1:${port}/keys`, audiences: ["istio-ca"] });
  }

  /** @param subject `system:serviceaccount:<namespace>:<account>` */
  token(subject: string, audience = "istio-ca"): string {
    const now = Math.floor(performance.timeOrigin / 1_000 + performance.now() / 1_000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: this.issuer, sub: subject, aud: [audience], iat: now - 10, exp: now + 3_600 };
    const signed = `${part({ alg: "RS256", kid: "one", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(this.#key).toString("base64url")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
