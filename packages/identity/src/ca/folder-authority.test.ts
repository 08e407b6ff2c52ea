import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkSvid, createCsr, generateKey, parseChain, trustOf } from "../index.js";
import {
  type AuthorityFiles,
  AuthorityFolder,
  addRoot,
  addTrustDomain,
  authorityFiles,
  FolderAuthority,
  type IssuedCertificate,
  initAuthority,
  OVERLAP_MS,
  rotateIntermediate,
  useNextRoot,
} from "./index.js";
import { IssueLog } from "./issue-log.js";

const CART = "spiffe://cluster.local/ns/shop/sa/cart";
const DAY = 86_400_000;
let base: string;
let directory: string;
let clock: FakeClock;
let warnings: string[];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "inmesh-ca-"));
  directory = join(base, "mesh", ".ca");
  clock = new FakeClock();
  warnings = [];
});
afterEach(() => rm(base, { recursive: true, force: true }));

const options = (files: AuthorityFiles = authorityFiles) => ({ directory, clock, random: systemRandom, files });
const folder = (files?: AuthorityFiles) => new AuthorityFolder(options(files));
const opened = (files?: AuthorityFiles) =>
  FolderAuthority.open({
    ...options(files),
    make: { trustDomain: "cluster.local" },
    onWarning: (message) => warnings.push(message),
  });
const key = generateKey();
const leaf = (authority: FolderAuthority) => authority.sign(createCsr(key), CART);
const holds = (issued: IssuedCertificate, bundles = issued.bundles) => {
  const chain = parseChain(issued.certificateChain).map(({ der }) => der);
  return checkSvid(chain, trustOf(bundles), clock.wallTime()).refusal ?? "holds";
};
/** A file system in which one call fails. */
const failing = (call: keyof AuthorityFiles, code: string, when: (path: string) => boolean = () => true) => {
  const files: Record<string, unknown> = { ...authorityFiles };
  const real = authorityFiles[call] as (path: string, ...rest: unknown[]) => Promise<unknown>;
  files[call] = async (path: string, ...rest: unknown[]) => {
    if (when(path)) throw Object.assign(new Error(`${code}: said the disk`), { code });
    return real(path, ...rest);
  };
  return files as unknown as AuthorityFiles;
};
/** Of the event loop. */
const turns = async (count: number) => {
  for (let left = count; left > 0; left--) await new Promise((resolve) => setImmediate(resolve));
};
const modes = async () => {
  const names = await readdir(directory);
  return Promise.all(names.map(async (name) => ((await stat(join(directory, name))).mode & 0o777).toString(8)));
};

describe("the authority of a folder", () => {
  it("is made by whoever comes first, for his eyes alone and out of repositories, and is the same for the next", async () => {
    const [one, other] = [await opened(), await opened()];
    expect(holds(await leaf(one), other.bundles)).toBe("holds");
    expect(new Set(await modes())).toEqual(new Set(["600"]));
    expect(((await stat(directory)).mode & 0o777).toString(8)).toBe("700");
    expect(await readFile(join(directory, ".gitignore"), "utf8")).toMatch(/^\*$/m);
    expect((await readdir(directory)).filter((name) => /^(root|intermediate)-/.test(name))).toHaveLength(4);
    expect(warnings).toEqual([]);
  });

  it("is not made by a reader", async () => {
    await expect(FolderAuthority.open(options())).rejects.toThrow(/no CA in .*inmesh ca init/);
  });

  it("names the caller, whatever the request wishes, and writes down whom it named", async () => {
    const authority = await opened();
    const issued = await authority.sign(createCsr(key, { uri: "spiffe://cluster.local/ns/shop/sa/admin" }), CART);
    expect(parseChain(issued.certificateChain)[0]?.uris).toEqual([CART]);
    const [entry] = await folder().log.read(1);
    expect(entry).toMatchObject({ event: "issued", serial: issued.serial, id: CART, pid: process.pid });
    await expect(authority.sign(createCsr(key), "spiffe://other.local/ns/a/sa/b")).rejects.toThrow(/other\.local/);
    for (const id of ["spiffe://cluster.local", "https://a", `${CART}?x`, ""])
      await expect(authority.sign(createCsr(key), id)).rejects.toThrow(/no SPIFFE id/);
  });

  it("cuts a life to its own limit, and serves domains that were added", async () => {
    const authority = await opened();
    const { notAfter } = await authority.sign(createCsr(key), CART, 400 * DAY);
    expect(notAfter - clock.wallTime()).toBe(DAY);
    expect((await authority.sign(createCsr(key), CART, 3_600_000)).notAfter - clock.wallTime()).toBe(3_600_000);
    expect(await addTrustDomain(folder(), "new.local")).toBe(true);
    expect(holds(await authority.sign(createCsr(key), "spiffe://new.local/ns/a/sa/b"))).toBe("holds");
  });

  it.each([
    ["its record", "ca.json"],
    ["a key", "intermediate-"],
  ])("is refused when others can read %s", async (_, name) => {
    await opened();
    const found = (await readdir(directory)).find((each) => each.startsWith(name) && !each.endsWith(".pem"))!;
    await chmod(join(directory, found), 0o640);
    await expect(opened()).rejects.toThrow(/can be read or changed by others.*0640.*chmod 600/s);
    await chmod(join(directory, found), 0o600);
    await chmod(directory, 0o777);
    await expect(opened()).rejects.toThrow(/can be changed by others.*chmod 700/s);
  });

  it("says what is wrong with a record that it did not write", async () => {
    await opened();
    const path = join(directory, "ca.json");
    const right = JSON.parse(await readFile(path, "utf8"));
    const wrong = [
      "",
      "{",
      "[]",
      JSON.stringify({ ...right, version: 2 }),
      JSON.stringify({ ...right, trustDomains: [] }),
      JSON.stringify({ ...right, intermediate: "../../etc/passwd" }),
      JSON.stringify({ ...right, roots: [] }),
      JSON.stringify({ ...right, roots: [...right.roots, ...right.roots] }),
    ];
    for (const text of wrong) {
      await writeFile(path, text);
      await expect(opened()).rejects.toThrow(/ca\.json/);
    }
    await writeFile(path, JSON.stringify({ ...right, intermediate: "intermediate-00000000" }));
    await expect(opened()).rejects.toThrow(/is missing, which ca\.json names/);
  });

  it("says so once where several of its files are gone, and no part of it is an error that nobody waits for", async () => {
    await opened();
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    for (const name of await readdir(directory)) if (name.endsWith(".pem")) await rm(join(directory, name));
    // A slow disk: the root is looked for after all else is known.
    const slow: AuthorityFiles = {
      ...authorityFiles,
      stat: async (path) => {
        if (path.includes("root-")) await turns(2);
        return authorityFiles.stat(path);
      },
    };
    await expect(opened(slow)).rejects.toThrow(/is missing, which ca\.json names/);
    await turns(10);
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });
});

describe("a disk that does not take it", () => {
  it.each([
    ["ENOSPC", "the disk is full", (path: string) => path.endsWith(".inmesh-new")],
    ["EROFS", "the disk is read-only", () => true],
    ["EACCES", "no permission", () => true],
  ])("%s: says so, and leaves nothing that the next one would take for an authority", async (code, words, when) => {
    const call = code === "ENOSPC" ? "createSynced" : "create";
    await expect(opened(failing(call, code, when))).rejects.toThrow(words);
    expect((await readdir(directory)).filter((name) => !name.startsWith("."))).toEqual([]);
    expect(holds(await leaf(await opened()))).toBe("holds");
  });

  it("goes on with what was half made when a process died before it counted", async () => {
    await expect(opened(failing("rename", "EIO", (path) => path.includes("ca.json")))).rejects.toThrow(/disk reports/);
    expect((await readdir(directory)).filter((name) => name.endsWith(".key"))).toHaveLength(2);
    expect(holds(await leaf(await opened()))).toBe("holds");
    expect((await readdir(directory)).filter((name) => name.endsWith(".key"))).toHaveLength(2); // of the second try
  });

  it("issues on a disk that is full, and says once that it is not written down", async () => {
    await opened();
    const authority = await opened(failing("append", "ENOSPC"));
    for (let each = 0; each < 3; each++) expect(holds(await leaf(authority))).toBe("holds");
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("log of what it issued");
  });

  it("issues from a folder that may only be read", async () => {
    await opened();
    const files = { ...authorityFiles };
    for (const call of ["create", "createSynced", "append", "rename", "remove"] as const)
      Object.assign(files, { [call]: failing(call, "EROFS")[call] });
    const authority = await opened(files);
    expect(holds(await leaf(authority))).toBe("holds");
    // Where the intermediate comes to its end, it says what has to be done.
    clock.advance(310 * DAY);
    expect(holds(await leaf(authority))).toBe("holds");
    expect(warnings.join("\n")).toMatch(/intermediate of the CA expires at .* read-only/);
  });

  it("keeps a log of bounded size", async () => {
    await opened();
    const log = new IssueLog(authorityFiles, directory);
    const at = new Date(clock.wallTime()).toISOString();
    const entry = {
      at,
      event: "issued",
      serial: "1",
      id: `${CART}${"x".repeat(900_000)}`,
      notAfter: at,
      pid: 1,
    } as const;
    for (let each = 0; each < 3; each++) {
      await log.add({ ...entry, serial: `${each}` });
      await leaf(await opened());
    }
    expect((await log.read(100)).map(({ serial }) => serial)).toHaveLength(2); // the last big one, and what followed it
    expect((await stat(join(directory, "issued.1.jsonl"))).size).toBeLessThan(1_900_000);
  });
});

describe("rotation", () => {
  it("of the intermediate: old leaves hold, new ones come from the new one, its key is gone", async () => {
    const authority = await opened();
    const old = await leaf(authority);
    expect(await authority.refresh()).toBe(false);
    await rotateIntermediate(folder());
    expect(await authority.refresh()).toBe(true);
    const issued = await leaf(authority);
    expect(parseChain(issued.certificateChain)[1]?.fingerprint).not.toBe(
      parseChain(old.certificateChain)[1]?.fingerprint,
    );
    expect([holds(old, issued.bundles), holds(issued, old.bundles)]).toEqual(["holds", "holds"]);
    expect((await readdir(directory)).filter((name) => name.endsWith(".key"))).toHaveLength(2);
  });

  it("of the intermediate happens by itself before it ends, once for all processes", async () => {
    const [one, other] = [await opened(), await opened()];
    clock.advance(310 * DAY);
    const issued = await Promise.all([leaf(one), leaf(one)]);
    const intermediates = [...issued, await leaf(other)].map(
      ({ certificateChain }) => parseChain(certificateChain)[1]!,
    );
    expect(new Set(intermediates.map(({ fingerprint }) => fingerprint)).size).toBe(1);
    expect(intermediates[0]!.notAfter - clock.wallTime()).toBeGreaterThan(360 * DAY);
    expect(warnings).toEqual([]);
  });

  it("of the root: all trust the new one before it signs, and the old one until its leaves are gone", async () => {
    const authority = await opened();
    const before = await leaf(authority);
    await addRoot(folder());
    const during = await leaf(authority);
    expect([holds(during, before.bundles), holds(before, during.bundles)]).toEqual(["holds", "holds"]);
    expect(during.bundles.get("cluster.local")).toHaveLength(2);
    await expect(addRoot(folder())).rejects.toThrow(/trusted already/);
    await expect(useNextRoot(folder())).rejects.toThrow(/again in 300 s/);
    clock.advance(OVERLAP_MS);
    const { oldUntil } = await useNextRoot(folder());
    const after = await leaf(authority);
    expect(holds(after, before.bundles)).toContain("does not lead to a root");
    expect([holds(after, during.bundles), holds(during, after.bundles)]).toEqual(["holds", "holds"]);
    await expect(useNextRoot(folder())).rejects.toThrow(/no new root waits/);
    // The last leaf below the old root is gone a day later; the root an hour after that, without anybody's doing.
    expect(oldUntil - clock.wallTime()).toBe(DAY + 3_600_000);
    clock.advance(DAY + 3_600_000);
    expect(holds(during, after.bundles)).toContain("expired");
    const last = await leaf(authority);
    expect([last.bundles.get("cluster.local")?.length, holds(last, during.bundles)]).toEqual([1, "holds"]);
    await rotateIntermediate(folder());
    expect((await readdir(directory)).filter((name) => name.startsWith("root-"))).toHaveLength(2);
    const events = (await folder().log.read(20)).map(({ event }) => event).filter((event) => event !== "issued");
    expect(events).toEqual(["intermediate", "root-used", "root-added", "made"]);
  });

  it("tells whoever watches", async () => {
    const authority = await opened();
    const changed = new Promise<void>((resolve) => authority.watch(resolve));
    await rotateIntermediate(folder());
    await changed;
  });

  it("keeps what it read when the folder is lost, and warns", async () => {
    const authority = await opened();
    await rm(directory, { recursive: true });
    expect(holds(await leaf(authority))).toBe("holds");
    expect(warnings.join("\n")).toContain("stays in use");
  });

  it("with a root that is kept elsewhere needs its key, and takes no other", async () => {
    let kept: CryptoKeyHolder | undefined;
    await initAuthority(folder(), {
      trustDomains: ["cluster.local"],
      keepRoot: async ({ key: rootKey }) => {
        kept = rootKey;
      },
    });
    expect((await readdir(directory)).filter((name) => name.endsWith(".key"))).toHaveLength(1);
    await expect(rotateIntermediate(folder())).rejects.toThrow(/--root-key/);
    await expect(rotateIntermediate(folder(), { rootKey: generateKey() })).rejects.toThrow(/does not belong/);
    await rotateIntermediate(folder(), { rootKey: kept! });
    expect(holds(await leaf(await opened()))).toBe("holds");
  });
});

describe("the clock", () => {
  it("that went back an hour stops nobody; before the CA was made, it is said", async () => {
    const authority = await opened();
    clock.jumpWall(-3_599_000);
    expect(holds(await leaf(authority))).toBe("holds");
    clock.jumpWall(-3_600_000);
    await expect(leaf(authority)).rejects.toThrow(/clock here says .* set the clock right/);
    await expect(rotateIntermediate(folder())).rejects.toThrow(/Set the clock right/);
  });

  it("that runs to the end of the root is said, too", async () => {
    const authority = await opened();
    clock.advance(3_649.5 * DAY);
    const { notAfter } = await leaf(authority);
    expect(notAfter).toBeLessThanOrEqual(clock.wallTime() + DAY / 2);
    expect(warnings.join("\n")).toMatch(/root of the CA expires/);
    clock.advance(DAY);
    await expect(leaf(authority)).rejects.toThrow(/expired/);
  });
});

type CryptoKeyHolder = ReturnType<typeof generateKey>;
