/**
 * Authorities and leaves as nobody should make them, and as everybody does, by openssl: none of the code under test has a
 * part in them. Files lie in one folder, which goes with the authority.
 */

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openssl } from "./openssl.js";

const HOUR_MS = 3_600_000;
/** Since a CA's clock may be ahead of its clients'. */
const EARLY_MS = 60_000;

export interface LeafOptions {
  /** As in a subjectAltName: `URI:spiffe://cluster.local/ns/shop/sa/web`. */
  readonly names: readonly string[];
  /** Wall ms since 1970. @default a minute ago */
  readonly notBefore?: number;
  /** @default in an hour */
  readonly notAfter?: number;
  /** `CA:TRUE`. @default false */
  readonly authority?: boolean;
  /** As openssl writes it. @default "critical,digitalSignature" */
  readonly keyUsage?: string;
  /** @default "serverAuth,clientAuth" */
  readonly extendedKeyUsage?: string;
}

/** PEM texts, and where they are. */
export interface Leaf {
  readonly name: string;
  /** Leaf first, then intermediates. */
  readonly chain: string;
  readonly key: string;
  readonly chainFile: string;
  readonly keyFile: string;
  /** A folder as cert-manager mounts it: tls.crt, tls.key, ca.crt with the root of this authority. */
  readonly folder: string;
}

export interface AuthorityOptions {
  readonly trustDomain: string;
  /** Leaves are signed by an authority between them and the root. @default false */
  readonly intermediate?: boolean;
}

export class Authority implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-pki-"));
  readonly trustDomain: string;
  /** Paths. */
  readonly rootFile: string;
  readonly rootKeyFile: string;
  readonly root: string;
  readonly #issuer: { readonly cert: string; readonly key: string };
  readonly #intermediates: string;
  #made = 0;

  constructor({ trustDomain, intermediate = false }: AuthorityOptions) {
    this.trustDomain = trustDomain;
    this.rootFile = this.#at("root.pem");
    this.rootKeyFile = this.#at("root.key");
    this.#key(this.rootKeyFile);
    openssl([
      ...["req", "-x509", "-key", this.rootKeyFile, "-out", this.rootFile, "-days", "30", "-subj", "/O=root"],
      ...["-addext", `subjectAltName=URI:spiffe://${trustDomain}`, "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
    ]);
    this.root = readFileSync(this.rootFile, "utf8");
    const root = { cert: this.rootFile, key: this.rootKeyFile };
    if (!intermediate) {
      this.#issuer = root;
      this.#intermediates = "";
      return;
    }
    this.#issuer = { cert: this.#at("intermediate.pem"), key: this.#at("intermediate.key") };
    this.#key(this.#issuer.key);
    this.#sign(this.#issuer.key, this.#issuer.cert, root, {
      names: [`URI:spiffe://${trustDomain}`],
      authority: true,
      keyUsage: "critical,keyCertSign,cRLSign",
    });
    this.#intermediates = readFileSync(this.#issuer.cert, "utf8");
  }

  /** @param name of its files */
  issue(name: string, options: LeafOptions): Leaf {
    const folder = this.#at(`${name}-${this.#made++}`);
    mkdirSync(folder);
    const [chainFile, keyFile] = [join(folder, "tls.crt"), join(folder, "tls.key")];
    this.#key(keyFile);
    this.#sign(keyFile, chainFile, this.#issuer, options);
    const chain = readFileSync(chainFile, "utf8") + this.#intermediates;
    writeFileSync(chainFile, chain);
    writeFileSync(join(folder, "ca.crt"), this.root);
    return { name, chain, key: readFileSync(keyFile, "utf8"), chainFile, keyFile, folder };
  }

  /** A leaf of a service account in namespace `shop`, as it should be. */
  workload(name: string, options: Partial<LeafOptions> = {}): Leaf {
    return this.issue(name, { names: [`URI:spiffe://${this.trustDomain}/ns/shop/sa/${name}`], ...options });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #at(file: string): string {
    return join(this.folder, file);
  }

  #key(file: string): void {
    const text = openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    writeFileSync(file, text, { mode: 0o600 });
  }

  /** `openssl ca`, because it alone lets both ends of the validity be chosen. */
  #sign(key: string, out: string, issuer: { readonly cert: string; readonly key: string }, options: LeafOptions): void {
    const { names, authority = false, extendedKeyUsage = "serverAuth,clientAuth" } = options;
    const { notBefore = Date.now() - EARLY_MS, notAfter = Date.now() + HOUR_MS } = options;
    const { keyUsage = "critical,digitalSignature" } = options;
    const [configuration, database, request] = [this.#at("ca.cnf"), this.#at("index.txt"), this.#at("request.pem")];
    const serial = this.#at("serial");
    writeFileSync(database, "");
    writeFileSync(serial, `01${randomBytes(8).toString("hex")}\n`);
    const lines = [
      ...[
        "[ca]",
        "default_ca = this",
        "[this]",
        `database = ${database}`,
        `serial = ${serial}`,
        `new_certs_dir = ${this.folder}`,
      ],
      ...["default_md = sha256", "policy = any", "unique_subject = no", "[any]", "organizationName = optional"],
      ...["[leaf]", `basicConstraints = critical,CA:${authority ? "TRUE" : "FALSE"}`],
      ...["subjectKeyIdentifier = hash", "authorityKeyIdentifier = keyid"],
      `keyUsage = ${keyUsage}`,
      ...(authority && options.extendedKeyUsage === undefined ? [] : [`extendedKeyUsage = ${extendedKeyUsage}`]),
      ...(names.length > 0 ? [`subjectAltName = ${names.join(",")}`] : []),
    ];
    writeFileSync(configuration, `${lines.join("\n")}\n`);
    openssl(["req", "-new", "-key", key, "-subj", "/O=leaf", "-out", request]);
    openssl([
      ...["ca", "-batch", "-notext", "-config", configuration, "-extensions", "leaf"],
      ...["-cert", issuer.cert, "-keyfile", issuer.key, "-in", request, "-out", out],
      ...["-startdate", asn1Time(notBefore), "-enddate", asn1Time(notAfter)],
    ]);
  }
}

/** `20261127233000Z` */
function asn1Time(ms: number): string {
  return `${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "")}`;
}
