/** The openssl of the machine, as a judge: none of the code under test has a part in it. */

import { spawn, spawnSync } from "node:child_process";

export interface Judgement {
  readonly accepted: boolean;
  /** What it printed. */
  readonly said: string;
}

/** @throws with what it printed, where it fails */
export function openssl(args: readonly string[], input?: string | Buffer): string {
  const { status, stdout, stderr, error } = spawnSync("openssl", [...args], {
    encoding: "utf8",
    ...(input !== undefined && { input }),
  });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${error?.message ?? `${stdout}${stderr}`}`);
  return stdout;
}

/** The same, where failing is an answer. */
export function judge(args: readonly string[], input?: string | Buffer): Judgement {
  const { status, stdout, stderr, error } = spawnSync("openssl", [...args], {
    encoding: "utf8",
    ...(input !== undefined && { input }),
  });
  if (error !== undefined) throw error;
  return { accepted: status === 0, said: `${stdout}${stderr}` };
}

const HANDSHAKE_MS = 10_000;

export interface ClientOptions {
  readonly port: number;
  /** Paths. */
  readonly roots: string;
  readonly chain?: string;
  readonly key?: string;
  readonly flags?: readonly string[];
  /** Path of the request that follows the handshake. @default "/" */
  readonly path?: string;
}

/** `openssl s_client`, which verifies, shows its certificate, and sends one request after the handshake. */
export async function sClient({ port, roots, chain, key, flags = [], path = "/" }: ClientOptions): Promise<Judgement> {
  const own = chain === undefined || key === undefined ? [] : ["-cert", chain, "-cert_chain", chain, "-key", key];
  const child = spawn(
    "openssl",
    [
      ...["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", roots, "-verify_return_error", "-ign_eof"],
      ...["-nocommands", ...own, ...flags],
    ],
    { stdio: ["pipe", "pipe", "pipe"], timeout: HANDSHAKE_MS, killSignal: "SIGKILL" },
  );
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  child.stdin.on("error", () => {}); // it ends when the handshake fails
  child.stdin.write(`GET ${path} HTTP/1.1\r\nhost: openssl\r\nconnection: close\r\n\r\n`);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  child.stdin.destroy();
  return { accepted: status === 0 && said.includes("HTTP/1.1 "), said };
}
