/** A session outlives what it was made with: the leaf of the client, the root above it. Nobody may come in with it then. */

import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authority, type Leaf, sClient } from "../peer/index.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`;
const VERSIONS = ["-tls1_3", "-tls1_2"];
const SERVED = "HTTP/1.1 200";
/** Long enough for a few handshakes on a machine that does much else. */
const LIFE_MS = 10_000;

it("is given to nobody where tickets are switched off, nor taken", async () => {
  await using town = new Town(STRICT, { INMESH_TLS_TICKETS: "false" });
  using authority = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const folder = join(town.folder, "certificates");
  cpSync(authority.workload("app").folder, folder, { recursive: true });
  const app = await town.start("app", { INMESH_IDENTITY: `files:${folder}` });
  const { chainFile: chain, keyFile: key } = authority.workload("web");
  for (const version of VERSIONS) {
    const file = join(town.folder, `ticket${version}`);
    const come = (...flags: string[]) =>
      sClient({ port: app.port, roots: authority.rootFile, chain, key, flags: [version, ...flags] });
    expect((await come("-sess_out", file)).said).toContain(SERVED);
    if (!existsSync(file)) continue; // it heard of none
    const { said } = await come("-sess_in", file);
    expect(said).toContain(SERVED);
    expect(said).not.toContain("Reused");
  }
}, 60_000);

describe("a session", () => {
  const old = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const renewed = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const town = new Town(STRICT);
  const folder = join(town.folder, "certificates");
  let app: ServiceProcess;

  beforeAll(async () => {
    put(old.workload("app"));
    app = await town.start("app", { INMESH_IDENTITY: `files:${folder}` });
  }, 60_000);
  afterAll(async () => {
    await town[Symbol.asyncDispose]();
    for (const each of [old, renewed]) each[Symbol.dispose]();
  });

  const put = ({ folder: made }: Leaf): void => {
    mkdirSync(folder, { recursive: true });
    for (const file of ["ca.crt", "tls.key", "tls.crt"]) cpSync(join(made, file), join(folder, file));
  };
  const come = async (leaf: Leaf, flags: readonly string[], roots = old.rootFile): Promise<string> => {
    const { chainFile: chain, keyFile: key } = leaf;
    return (await sClient({ port: app.port, roots, chain, key, flags })).said;
  };
  const session = (version: string, name: string): string => join(town.folder, `${name}${version}`);

  it("ends with the leaf that it was made with", async () => {
    const leaf = old.workload("web", { notAfter: Date.now() + LIFE_MS });
    for (const version of VERSIONS) {
      expect(await come(leaf, [version, "-sess_out", session(version, "leaf")])).toContain(SERVED);
      const again = await come(leaf, [version, "-sess_in", session(version, "leaf")]);
      expect(again).toContain("Reused, TLSv1");
      expect(again).toContain(SERVED);
    }
    await delay(LIFE_MS + 1_000); // of real time, by which certificates go
    for (const version of VERSIONS) {
      expect(await come(leaf, [version, "-sess_in", session(version, "leaf")])).not.toContain(SERVED);
    }
  });

  it("ends with the root that it was made with", async () => {
    const leaf = old.workload("web");
    for (const version of VERSIONS) {
      expect(await come(leaf, [version, "-sess_out", session(version, "root")])).toContain(SERVED);
    }
    put(renewed.workload("app"));
    const known = renewed.workload("web");
    const until = Date.now() + 10_000;
    while (!(await come(known, [], renewed.rootFile)).includes(SERVED) && Date.now() < until) await delay(100);
    expect(await come(known, [], renewed.rootFile)).toContain(SERVED);
    for (const version of VERSIONS) {
      const flags = [version, "-sess_in", session(version, "root")];
      expect(await come(leaf, flags, renewed.rootFile)).not.toContain(SERVED);
    }
  });
});
