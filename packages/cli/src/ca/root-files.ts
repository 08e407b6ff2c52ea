/** A root that is kept outside the folder of the CA: `root.pem` and `root.key` in a folder of the operator's own. */

import { lstat, mkdir, open, readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { messageOf } from "@inmesh/core";
import { certificatePem, parseChain, privateKeyPem, readPrivateKey } from "@inmesh/identity";
import type { KeyAndCertificate } from "@inmesh/identity/ca";
import type { Cli } from "../cli.js";
import { CliError, EXIT, systemReason } from "../exit.js";

type Key = KeyAndCertificate["key"];

/** Writes both, which must not exist, and returns once the disk has them. @throws {CliError} */
export async function writeRoot(directory: string, { key, certificate }: KeyAndCertificate, cli: Cli): Promise<void> {
  const folder = absolute(directory, cli);
  const write = async (name: string, text: string): Promise<void> => {
    const path = join(folder, name);
    try {
      await using file = await open(path, "wx", 0o600);
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
      const fact = exists ? "is there already" : `cannot be written: ${systemReason(error) ?? String(error)}`;
      throw new CliError(
        exists ? EXIT.usage : EXIT.unreachable,
        `${path} ${fact}`,
        "Name an empty folder: --root-out DIR.",
      );
    }
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await write("root.key", privateKeyPem(key));
  await write("root.pem", certificatePem(certificate));
}

/** @throws {CliError} */
export async function readRootKey(file: string, cli: Cli): Promise<Key> {
  const path = absolute(file, cli);
  const text = await read(path);
  if (process.platform !== "win32" && ((await lstat(path)).mode & 0o077) !== 0)
    throw new CliError(
      EXIT.bad,
      `${file} can be read or changed by others than its owner`,
      `It is the key to the whole mesh. Run: chmod 600 ${file}`,
    );
  try {
    return readPrivateKey(text);
  } catch (error) {
    throw new CliError(EXIT.usage, `${file}: ${messageOf(error)}`, "Name the root's key: --root-key FILE.");
  }
}

/** @throws {CliError} */
export async function readRoot(certificateFile: string, keyFile: string, cli: Cli): Promise<KeyAndCertificate> {
  const key = await readRootKey(keyFile, cli);
  const text = await read(absolute(certificateFile, cli));
  const fail = (fact: string): never => {
    throw new CliError(EXIT.bad, `${certificateFile}: ${fact}`, "Name the certificate of a root: --root-cert FILE.");
  };
  const [certificate, ...more] = (() => {
    try {
      return parseChain(text, "it");
    } catch (error) {
      return fail(messageOf(error));
    }
  })();
  if (certificate === undefined || more.length > 0) return fail("one certificate is expected");
  if (certificate.authority?.is !== true || !certificate.selfIssued) return fail("it is not the certificate of a root");
  if (certificate.authority.pathLength < 1) return fail("it allows no intermediate below it (path length 0)");
  if (!certificate.x509.checkPrivateKey(key)) return fail(`its key is not the one in ${keyFile}`);
  return { key, certificate };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new CliError(
      EXIT.usage,
      `${path} cannot be read: ${systemReason(error) ?? String(error)}`,
      "Check the path.",
    );
  }
}

function absolute(path: string, { io }: Cli): string {
  return isAbsolute(path) ? path : join(io.cwd, path);
}
