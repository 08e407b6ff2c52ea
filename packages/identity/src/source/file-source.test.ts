import { chmod, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GivenCredentials } from "@inmesh/core";
import { type Credentials, systemClock, systemRandom } from "@inmesh/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAuthority } from "../ca/index.js";
import { credentialsOf } from "../identity/scripted-source.test.helper.js";
import { type IdentityNotice, WorkloadIdentity } from "../identity/workload-identity.js";
import { FILE_LAYOUTS, type FileLayout } from "./file-layouts.js";
import { FileSource } from "./file-source.js";

const authority = createAuthority({ trustDomains: ["cluster.local"], wallTime: () => Date.now() });
const [CERT_MANAGER, AGENT] = FILE_LAYOUTS as [FileLayout, FileLayout];

let directory: string;
const open: WorkloadIdentity[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "inmesh-files-"));
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((identity) => identity.close()));
  await rm(directory, { recursive: true, force: true });
});

function fresh(): GivenCredentials {
  return credentialsOf(authority);
}

async function write(into: string, layout: FileLayout, given: GivenCredentials): Promise<void> {
  await mkdir(into, { recursive: true });
  const roots = (given.roots as ReadonlyMap<string, string>).get("cluster.local") ?? "";
  await writeFile(join(into, layout.roots), roots);
  await writeFile(join(into, layout.privateKey), given.privateKey, { mode: 0o600 });
  await writeFile(join(into, layout.certificateChain), given.certificateChain);
}

function identityIn(where = directory) {
  const notices: IdentityNotice[] = [];
  const warnings: string[] = [];
  const source = new FileSource({
    ...{ directory: where, clock: systemClock, lookMs: 200, patienceMs: 300 },
    onWarning: (message) => warnings.push(message),
  });
  const identity = new WorkloadIdentity({
    ...{ source, clock: systemClock, random: systemRandom },
    onNotice: (notice) => notices.push(notice),
  });
  open.push(identity);
  const generations: Credentials[] = [];
  identity.subscribe((credentials) => generations.push(credentials));
  identity.start();
  const next = async (generation: number): Promise<Credentials> => {
    const until = Date.now() + 10_000;
    while ((identity.current?.generation ?? 0) < generation && Date.now() < until) await turn();
    expect(identity.current?.generation, identity.status.reason).toBe(generation);
    return identity.current!; // just compared
  };
  return { identity, notices, warnings, generations, next };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

describe("files", () => {
  it.each(FILE_LAYOUTS.map((layout) => [layout.writer, layout] as const))("as %s writes them", async (_, layout) => {
    const given = fresh();
    await write(directory, layout, given);
    const { identity, next } = identityIn();
    const { certificateChain, self } = await next(1);
    expect(certificateChain).toBe(given.certificateChain);
    expect(self.id).toBe("spiffe://cluster.local/ns/shop/sa/cart");
    expect(identity.status).toMatchObject({ state: "ready", source: `files in ${directory}` });
  });

  it("that come later, and are written anew, are taken as soon as the last of them is there", async () => {
    const { identity, next, generations, notices } = identityIn();
    await write(directory, AGENT, fresh());
    await next(1);
    for (let round = 2; round <= 6; round++) {
      const given = fresh();
      await write(directory, AGENT, given);
      expect((await next(round)).privateKey).toBe(given.privateKey);
    }
    // No half was ever taken: each generation is a pair, and none is told twice.
    expect(generations.map(({ generation }) => generation)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(notices.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(identity.status.state).toBe("ready");
  });

  it("swapped by a link in the folder, as Kubernetes does it", async () => {
    const first = fresh();
    const second = fresh();
    await write(join(directory, "..2026_01"), CERT_MANAGER, first);
    await write(join(directory, "..2026_02"), CERT_MANAGER, second);
    await symlink("..2026_01", join(directory, "..data"));
    for (const file of ["tls.crt", "tls.key", "ca.crt"]) await symlink(join("..data", file), join(directory, file));
    const { next } = identityIn();
    expect((await next(1)).privateKey).toBe(first.privateKey);
    await symlink("..2026_02", join(directory, "..data_tmp"));
    await rename(join(directory, "..data_tmp"), join(directory, "..data"));
    expect((await next(2)).privateKey).toBe(second.privateKey);
  });

  it("in a folder that is itself a link to another one", async () => {
    const [one, two] = [join(directory, "one"), join(directory, "two")];
    await write(one, CERT_MANAGER, fresh());
    await write(two, CERT_MANAGER, fresh());
    const link = join(directory, "current");
    await symlink("one", link);
    const { next } = identityIn(link);
    await next(1);
    await symlink("two", `${link}.new`);
    await rename(`${link}.new`, link);
    await next(2);
  });

  it("written half keep the old ones in use, and are told of when the other half does not come", async () => {
    const given = fresh();
    await write(directory, CERT_MANAGER, given);
    const { identity, next, notices } = identityIn();
    await next(1);
    const later = fresh();
    await writeFile(join(directory, "tls.crt"), later.certificateChain);
    const until = Date.now() + 10_000;
    while (identity.status.state === "ready" && Date.now() < until) await turn();
    expect(identity.status).toMatchObject({
      state: "failing",
      reason: "certificate and private key do not belong together",
    });
    expect(identity.current?.privateKey).toBe(given.privateKey);
    expect(notices.map(({ severity }) => severity)).toEqual(["info", "warning"]);
    await writeFile(join(directory, "tls.key"), later.privateKey);
    await next(2);
    expect(identity.status.state).toBe("ready");
  });

  it("that are gone keep the old ones in use", async () => {
    await write(directory, CERT_MANAGER, fresh());
    const { identity, next } = identityIn();
    await next(1);
    await unlink(join(directory, "tls.key"));
    const until = Date.now() + 10_000;
    while (identity.status.state === "ready" && Date.now() < until) await turn();
    expect(identity.status.reason).toBe("tls.key of cert-manager is not there");
    expect(identity.current?.generation).toBe(1);
  });

  it.skipIf(process.platform === "win32")("whose key everybody may read are used, and that is said once", async () => {
    await write(directory, CERT_MANAGER, fresh());
    await chmod(join(directory, "tls.key"), 0o644);
    const { next, warnings } = identityIn();
    await next(1);
    await write(directory, CERT_MANAGER, fresh());
    await next(2);
    expect(warnings).toEqual([expect.stringContaining(`may read the private key ${join(directory, "tls.key")}`)]);
  });

  it("of two writers are not chosen from", async () => {
    await write(directory, CERT_MANAGER, fresh());
    await write(directory, AGENT, fresh());
    const { identity } = identityIn();
    const until = Date.now() + 10_000;
    while (identity.status.reason === undefined && Date.now() < until) await turn();
    expect(identity.status.reason).toMatch(/holds the files of cert-manager \(tls.crt\) and of Istio's agent/);
  });

  it("that are not there, or no folder, say what was looked for", async () => {
    const nowhere = new FileSource({ directory: join(directory, "none"), clock: systemClock });
    const signal = new AbortController().signal;
    await expect(nowhere.obtain(signal)).rejects.toThrow(/none cannot be read \(ENOENT\)/);
    const empty = new FileSource({ directory, clock: systemClock });
    await expect(empty.obtain(signal)).rejects.toThrow("it holds none of tls.crt, tls.key, ca.crt; cert-chain.pem");
  });
});
