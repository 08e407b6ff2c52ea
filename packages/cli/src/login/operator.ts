/**
 * Who asks processes on other machines: a client certificate of the mesh, kept for this user alone (`inmesh login`). The files are
 * read when they are needed, so that a login ends with its certificate and not with a session of ours.
 */

import { X509Certificate } from "node:crypto";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { type PeerIdentity, parseSpiffeId } from "@inmesh/model";

export interface Operator {
  /** With those that issued it, in PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
  readonly identity: PeerIdentity;
  /** Unix ms. */
  readonly notAfter: number;
}

type Env = Readonly<Record<string, string | undefined>>;

const FILES = { certificate: "certificate.pem", key: "key.pem", roots: "roots.pem" } as const;

/** `$XDG_CONFIG_HOME/inmesh/login`, or below `~/.config`. */
export function loginDirectory(env: Env): string {
  const base = env["XDG_CONFIG_HOME"] || join(env["HOME"] || homedir(), ".config");
  return join(base, "inmesh", "login");
}

/** @throws {Error} why these are no login: a phrase */
export function operatorOf(certificate: string, key: string, roots: string): Operator {
  const leaf = parsed(certificate, "the certificate");
  parsed(roots, "the file of roots");
  const names = leaf.subjectAltName?.split(", ").filter((name) => name.startsWith("URI:")) ?? [];
  const identity = names.length === 1 ? parseSpiffeId(names[0]!.slice("URI:".length)) : undefined; // length 1
  if (identity === undefined) throw new Error("the certificate names no identity of a mesh (spiffe://…)");
  return { certificate, key, roots, identity, notAfter: Date.parse(leaf.validTo) };
}

/** @returns undefined: nobody has logged in here */
export async function readOperator(env: Env): Promise<Operator | undefined> {
  const directory = loginDirectory(env);
  try {
    const [certificate, key, roots] = await Promise.all(
      [FILES.certificate, FILES.key, FILES.roots].map((name) => readFile(join(directory, name), "utf8")),
    );
    return operatorOf(certificate ?? "", key ?? "", roots ?? "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Each file whole or not at all, and readable by this user only. */
export async function keepOperator(env: Env, operator: Operator): Promise<string> {
  const directory = loginDirectory(env);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  for (const part of ["key", "certificate", "roots"] as const) {
    const path = join(directory, FILES[part]);
    await rm(`${path}.new`, { force: true });
    await writeFile(`${path}.new`, operator[part], { mode: 0o600, flag: "wx" });
    await rename(`${path}.new`, path);
  }
  return directory;
}

/** @returns whether there was a login */
export async function forgetOperator(env: Env): Promise<boolean> {
  const directory = loginDirectory(env);
  const there = (await readOperator(env).catch(() => "unusable")) !== undefined;
  await rm(directory, { recursive: true, force: true });
  return there;
}

function parsed(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error(`${what} is no PEM certificate`);
  }
}
