/** What our own authority makes, as openssl sees it. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";
import { createCsr, generateKey, privateKeyPem } from "@inmesh/identity";
import { createAuthority } from "@inmesh/identity/ca";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judge, sClient } from "./index.js";

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: Date.now });
let folder: string;
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-authority-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function workload(id: string) {
  const key = generateKey();
  const csr = createCsr(key, { uri: id });
  const { certificateChain, bundles } = authority.sign(csr, id);
  const roots = [...bundles.values()].flat().join("");
  return { csr, key: privateKeyPem(key), chain: certificateChain, roots };
}

describe("openssl", () => {
  it("verifies request and chain by its strictest reading, in both roles", () => {
    const { csr, chain, roots } = workload(WEB);
    expect(judge(["req", "-verify", "-noout"], csr)).toMatchObject({ accepted: true });
    const [rootFile, chainFile] = [file("roots.pem", roots), file("chain.pem", chain)];
    for (const purpose of ["sslclient", "sslserver"])
      expect(judge(["verify", "-x509_strict", "-purpose", purpose, "-CAfile", rootFile, "-untrusted", chainFile, chainFile])).toMatchObject({ accepted: true }); // biome-ignore format: one command
    expect(judge(["x509", "-noout", "-text"], chain).said).toMatch(
      /Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web/,
    );
  });

  it.each(["-tls1_3", "-tls1_2"])("shakes hands as a client with a certificate of ours, by %s", async (version) => {
    const [server, client] = [workload(WEB), workload("spiffe://cluster.local/ns/shop/sa/job")];
    const seen: string[] = [];
    const listening: Server = createServer(
      { key: server.key, cert: server.chain, ca: server.roots, requestCert: true, rejectUnauthorized: true },
      (socket) => {
        // biome-ignore format: one line
        seen.push(socket.getPeerX509Certificate()?.subjectAltName ?? "");
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
      },
    );
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { port } = listening.address() as AddressInfo;
    const own = { chain: file("job.pem", client.chain), key: file("job.key", client.key) };
    const roots = file("roots.pem", server.roots);
    const answer = await sClient({ port, roots, ...own, flags: [version] });
    const stranger = await sClient({ port, roots, flags: [version] });
    listening.close();
    expect(answer, answer.said).toMatchObject({ accepted: true });
    expect(stranger.accepted).toBe(false);
    expect(seen).toEqual(["URI:spiffe://cluster.local/ns/shop/sa/job"]);
  });
});
