/**
 * Of what we take, 500 are shown to the openssl of the machine: none may be refused there. Leaves in both roles, by the
 * path that a handshake takes; requests by their own signature.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CSR, certificateOf, requestOf, SVID } from "./input/certificates.js";
import { InputMutator } from "./input/input-mutator.js";
import { pkiPath, WALL_TIME } from "./input/pki.js";
import { certificateNaming, SAN_VALUE } from "./input/san.js";
import type { InputTarget } from "./input/target.js";

const SEED = 20_261_128;
const LEAVES = 125;
const REQUESTS = 250;
const MOST_TRIES = 60_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-judged-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Inputs that we take, all of them different. */
function accepted(target: InputTarget, count: number): readonly Uint8Array[] {
  const mutator = new InputMutator(target, SEED);
  const found = new Map<string, Uint8Array>();
  for (let tries = 0; found.size < count && tries < MOST_TRIES; tries++) {
    const input = mutator.next();
    const verdict = target.judge(input);
    if (verdict instanceof Promise) throw new Error("a target that waits is not for this");
    if (!verdict.accepted) continue;
    mutator.learn(input, verdict.said);
    found.set(Buffer.from(input).toString("base64"), input);
  }
  return [...found.values()];
}

it("openssl verifies each leaf that we take for somebody's, as a client's and as a server's", () => {
  const leaves = [
    ...accepted(SVID, LEAVES).map(certificateOf),
    ...accepted(SAN_VALUE, LEAVES).map(certificateNaming), // whose names alone were touched
  ];
  expect(leaves.length).toBe(2 * LEAVES);
  const files = leaves.map((leaf, at) => {
    const path = join(folder, `leaf-${at}.der.pem`);
    const body = leaf.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
    writeFileSync(path, `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`);
    return path;
  });
  for (const purpose of ["sslclient", "sslserver"]) {
    const path = ["-CAfile", pkiPath("root.pem"), "-untrusted", pkiPath("intermediate.pem")];
    const time = ["-attime", `${WALL_TIME / 1_000}`];
    const { stdout, stderr } = spawnSync("openssl", ["verify", "-purpose", purpose, ...time, ...path, ...files], {
      encoding: "utf8",
    });
    const verified = new Set(stdout.split("\n").flatMap((line) => /^(.*): OK$/.exec(line)?.[1] ?? []));
    expect(files.filter((file) => !verified.has(file)).map((file) => `${file} ${stderr.slice(0, 2_000)}`)).toEqual([]);
  }
}, 120_000);

it("openssl verifies each request that we take", () => {
  const requests = accepted(CSR, REQUESTS);
  expect(requests.length).toBe(REQUESTS);
  const refused = requests.flatMap((part) => {
    const input = requestOf(part);
    const { status, stderr } = spawnSync("openssl", ["req", "-verify", "-noout"], { encoding: "utf8", input });
    return status === 0 && /verify OK/.test(stderr) ? [] : `${stderr}\n${input}`;
  });
  expect(refused).toEqual([]);
}, 120_000);
