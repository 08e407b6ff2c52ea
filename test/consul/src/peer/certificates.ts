/** A CA and certificates of it, made by openssl: none of the code under test has a part in them. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Paths of PEM files. */
export interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface CertificateAuthority extends Disposable {
  /** Path and text of its certificate, PEM. */
  readonly file: string;
  readonly pem: string;
  /** @param names as in a subjectAltName: `DNS:consul.test`, `IP:127.0.0.1` */
  issue(name: string, names: readonly string[]): Certificate;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export function createAuthority(name = "test CA"): CertificateAuthority {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-ca-"));
  const at = (file: string): string => join(folder, file);
  const [file, key] = [at("ca.pem"), at("ca.key")];
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "pipe" });
  openssl("req", "-x509", ...EC, "-keyout", key, "-out", file, "-days", "30", "-subj", `/CN=${name}`);
  return {
    file,
    pem: readFileSync(file, "utf8"),
    issue(subject, names) {
      const made = { ca: file, cert: at(`${subject}.pem`), key: at(`${subject}.key`) };
      const [request, extensions] = [at(`${subject}.csr`), at(`${subject}.ext`)];
      writeFileSync(extensions, `subjectAltName=${names.join(",")}\nextendedKeyUsage=serverAuth,clientAuth\n`);
      openssl("req", ...EC, "-keyout", made.key, "-out", request, "-subj", `/CN=${subject}`);
      openssl(
        ...["x509", "-req", "-in", request, "-CA", file, "-CAkey", key, "-CAcreateserial"],
        ...["-out", made.cert, "-days", "30", "-extfile", extensions],
      );
      return made;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
