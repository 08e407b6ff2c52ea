import type { Credentials } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { CertificateAuthority, createAuthority } from "../ca/index.js";
import { parseChain } from "../x509/certificate.js";
import { CART, credentialsOf, HOUR, setup } from "./scripted-source.test.helper.js";

async function started(options?: Parameters<typeof setup>[0]) {
  const all = setup(options);
  all.identity.start();
  await all.clock.advanceAsync(0);
  return all;
}

describe("the first credentials", () => {
  it("come at once, are whole, and are told to whoever waits", async () => {
    const { clock, identity, said } = setup();
    const waiting = identity.ready(1_000);
    expect([identity.current, identity.status.state]).toEqual([undefined, "starting"]);
    identity.start();
    await clock.advanceAsync(0);
    const credentials = await waiting;
    expect(credentials).toBe(identity.current);
    expect(credentials).toMatchObject({ generation: 1, self: { id: CART, serviceAccount: "cart", namespace: "shop" } });
    expect(credentials.privateKey).toContain("BEGIN PRIVATE KEY");
    expect(parseChain(credentials.certificateChain)).toHaveLength(2);
    expect(credentials.bundles.get("cluster.local")).toHaveLength(1);
    expect(identity.status).toMatchObject({ state: "ready", source: "the test" });
    expect(said()).toEqual([
      expect.stringMatching(/^info: this process is spiffe:\/\/cluster.local\/ns\/shop\/sa\/cart/),
    ]);
    expect(await identity.ready(0)).toBe(credentials);
    expect(clock.held).toBe(0);
  });

  it("are waited for, not longer than asked, and the error says why there are none", async () => {
    const { clock, source, identity, said } = setup();
    source.trouble = "the disk is full";
    identity.start();
    const failed = expect(identity.ready(3_000)).rejects.toMatchObject({
      code: "TLS_UNAVAILABLE",
      message: expect.stringContaining("none came within 3 s: the disk is full"),
    });
    await clock.advanceAsync(3_000);
    await failed;
    expect(source.asked).toBeGreaterThan(3);
    expect(said()).toEqual(["warning: this process has no certificate yet: the disk is full"]); // once
    expect(identity.status).toMatchObject({ state: "starting", reason: "the disk is full" });
    source.trouble = "";
    const ready = identity.ready(6_000);
    await clock.advanceAsync(6_000);
    expect((await ready).generation).toBe(1);
  });

  it("are asked for again when the source does not answer", async () => {
    const { clock, source, identity } = await started();
    await identity.close();
    const silent = setup();
    silent.source.silent = true;
    silent.identity.start();
    await silent.clock.advanceAsync(60_000);
    expect(silent.identity.status.reason).toBe("the test has not answered in 60 s");
    silent.source.silent = false;
    await silent.clock.advanceAsync(1_000);
    expect(silent.identity.status.state).toBe("ready");
    expect([clock.pending, source.closed]).toEqual([0, 1]);
  });

  it.each([
    [
      "a key of somebody else",
      (one: Given, other: Given) => ({ ...one, privateKey: other.privateKey }),
      "do not belong together",
    ],
    ["half a key", (one: Given) => ({ ...one, privateKey: one.privateKey.slice(0, 90) }), "private key cannot be read"],
    ["half a chain", (one: Given) => ({ ...one, certificateChain: one.certificateChain.slice(0, -90) }), "not whole"],
    [
      "no intermediate",
      (one: Given) => ({
        ...one,
        certificateChain: `${one.certificateChain.split("-----END CERTIFICATE-----\n")[0]}-----END CERTIFICATE-----\n`,
      }),
      "does not lead to a root",
    ],
    [
      "roots of another authority",
      (one: Given, other: Given) => ({ ...one, roots: other.roots }),
      "does not lead to a root",
    ],
    ["no roots", (one: Given) => ({ ...one, roots: "" }), "holds no certificate"],
    [
      "an authority's own certificate",
      (one: Given) => ({ ...one, certificateChain: [...(one.roots as Map<string, string>).values()][0]! }),
      "do not belong together",
    ],
  ])("are refused: %s", async (_, spoil, reason) => {
    const { clock, source, identity } = setup();
    const other = createAuthority({ trustDomains: ["cluster.local"], wallTime: () => clock.wallTime() });
    source.given = spoil(credentialsOf(source.authority), credentialsOf(other));
    identity.start();
    await clock.advanceAsync(0);
    expect(identity.current).toBeUndefined();
    expect(identity.status.reason).toContain(reason);
    expect(identity.status.reason).not.toContain("BEGIN");
  });
});

type Given = ReturnType<typeof credentialsOf>;

describe("renewal", () => {
  it("comes at half of a life, not for all at the same time, and is told to subscribers", async () => {
    const shares: number[] = [];
    for (let seed = 1; seed <= 20; seed++) {
      const { clock, source, identity, said } = await started({ seed });
      const seen: Credentials[] = [];
      identity.subscribe((credentials) => seen.push(credentials));
      const lifeMs = identity.current!.notAfter - clock.wallTime();
      while (identity.current?.generation === 1) await clock.advanceAsync(10_000);
      expect([source.asked, seen.length, seen[0]?.generation]).toEqual([2, 1, 2]);
      expect(seen[0]).toBe(identity.current);
      const from = said()[1];
      expect(from).toMatch(/^info: renewed: /);
      shares.push((clock.now() - 250) / lifeMs);
      await identity.close();
      expect(clock.pending).toBe(0);
    }
    expect(Math.min(...shares)).toBeGreaterThan(0.44);
    expect(Math.max(...shares)).toBeLessThan(0.56);
    expect(new Set(shares).size).toBeGreaterThan(5);
  });

  it("keeps up with lives of two seconds, and says nothing loud of it", async () => {
    const { clock, source, identity, said } = setup();
    source.ttlMs = 2_000;
    identity.start();
    for (let second = 0; second < 60; second++) {
      await clock.advanceAsync(1_000);
      expect(identity.status.state, `after ${second + 1} s`).toBe("ready");
    }
    expect(identity.current!.generation).toBeGreaterThan(40);
    expect(source.asked).toBeLessThan(130);
    expect(said().filter((line) => !line.startsWith("info"))).toEqual([]);
  });

  it("fails for longer than half of a life: loud early, the old ones hold, and all is well when it is over", async () => {
    const { clock, source, identity, said } = await started();
    said();
    source.trouble = "the authority is away";
    await clock.advanceAsync(0.56 * HOUR);
    expect(said()).toEqual([
      expect.stringMatching(
        /^warning: the certificate of this process is not renewed and expires in .*: the authority is away$/,
      ),
    ]);
    expect(identity.status).toMatchObject({ state: "failing", reason: "the authority is away" });
    expect((await identity.ready(0)).generation).toBe(1);
    await clock.advanceAsync(0.2 * HOUR);
    expect(said()).toEqual([expect.stringMatching(/^warning: /)]);
    await clock.advanceAsync(0.15 * HOUR);
    expect(said()).toEqual([expect.stringMatching(/^error: /)]);
    await clock.advanceAsync(0.05 * HOUR);
    expect(said()).toEqual([expect.stringMatching(/^error: .*expires in 3 min/)]);
    // Tries get denser towards the end and stay bounded.
    expect(source.asked).toBeLessThan(100);
    source.trouble = "";
    await clock.advanceAsync(60_000);
    expect(identity.status.state).toBe("ready");
    expect(said()).toEqual([expect.stringMatching(/^warning: the certificate is renewed after all: /)]);
    expect(identity.current!.generation).toBe(2);
  });

  it("does not come at all: it is said once that they expired, nobody is served by them, and the next ones count", async () => {
    const { clock, source, identity, said } = await started();
    source.trouble = "the authority is away";
    await clock.advanceAsync(HOUR);
    const expired = said().filter((line) => line.includes("has expired"));
    expect(expired).toEqual([
      expect.stringMatching(
        /^error: the certificate of this process has expired: its certificate expired at .*: the authority is away$/,
      ),
    ]);
    await clock.advanceAsync(HOUR);
    expect(said()).toEqual([]);
    expect(identity.status.state).toBe("expired");
    const failed = expect(identity.ready(100)).rejects.toThrow(/its certificate expired at 2026-01-01T01:00/);
    await clock.advanceAsync(100);
    await failed;
    source.trouble = "";
    await clock.advanceAsync(5_000);
    expect(identity.status.state).toBe("ready");
    expect(identity.current?.generation).toBe(2);
  });

  it("that gives the same again is no new generation", async () => {
    const { clock, source, identity } = setup();
    source.given = credentialsOf(source.authority);
    identity.start();
    await clock.advanceAsync(0.9 * HOUR);
    expect(source.asked).toBeGreaterThan(2);
    expect(identity.current?.generation).toBe(1);
    expect(identity.status).toMatchObject({ state: "failing", reason: "the test has given no new one" });
  });

  it("under another name is taken and said", async () => {
    const { clock, source, identity, said } = await started();
    said();
    source.id = "spiffe://cluster.local/ns/shop/sa/basket";
    await clock.advanceAsync(0.6 * HOUR);
    expect(identity.current?.self.serviceAccount).toBe("basket");
    expect(said()[0]).toMatch(/^warning: this process was spiffe:.*\/cart and is now spiffe:.*\/basket/);
  });

  it("reaches all subscribers, also when one of them fails", async () => {
    const { clock, identity, said } = await started();
    said();
    let told = 0;
    identity.subscribe(() => {
      throw new Error("no");
    });
    const end = identity.subscribe(() => {
      told += 1;
    });
    await clock.advanceAsync(0.6 * HOUR);
    expect(told).toBe(1);
    expect(said()[1]).toBe("error: a part of the mesh did not take the new certificate: Error: no");
    end();
    await clock.advanceAsync(0.6 * HOUR);
    expect(told).toBe(1);
  });
});

describe("a source that tells", () => {
  it("is asked when it tells of a change, at once or after the answer that is under way, and not by time", async () => {
    const { clock, source, identity } = await started({ renewal: "tells" });
    expect(identity.status).not.toHaveProperty("renewsAt");
    await clock.advanceAsync(0.7 * HOUR);
    expect([source.asked, identity.status.state]).toEqual([1, "ready"]);
    source.onChange?.();
    source.onChange?.();
    await clock.advanceAsync(0);
    expect([source.asked, identity.current?.generation]).toEqual([3, 3]);
  });

  it("is late when three quarters of the life are over, and that is said although nothing failed", async () => {
    const { clock, identity, said } = await started({ renewal: "tells" });
    said();
    await clock.advanceAsync(0.76 * HOUR);
    expect(said()).toEqual([expect.stringMatching(/^warning: .*the test has given no new one$/)]);
    expect(identity.status.state).toBe("failing");
  });

  it("that gives certificates near their end is told of at once", async () => {
    const { clock, source, identity, said } = setup({ renewal: "tells" });
    source.given = credentialsOf(source.authority);
    await clock.advanceAsync(0.92 * HOUR);
    identity.start();
    await clock.advanceAsync(10);
    expect(said()).toEqual([expect.stringMatching(/^info/), expect.stringMatching(/^error: .*expires in 5 min/)]);
  });
});

describe("clocks", () => {
  it("that jump beyond the end: renewed within half a minute", async () => {
    const { clock, identity, said } = await started();
    said();
    clock.jumpWall(2 * HOUR);
    expect(identity.status.state).toBe("expired");
    await clock.advanceAsync(30_000);
    expect(identity.status.state).toBe("ready");
    expect(said()).toEqual([
      expect.stringMatching(/^error: .*has expired/),
      expect.stringMatching(/^warning: .*renewed after all|^info/),
    ]);
  });

  it("that jump back before the beginning: renewed, for peers with that clock would refuse it", async () => {
    const { clock, source, identity } = await started();
    await clock.advanceAsync(HOUR / 4);
    clock.jumpWall(-48 * 60_000);
    expect(identity.current!.notBefore).toBeGreaterThan(clock.wallTime());
    await clock.advanceAsync(30_000);
    expect(identity.current!.notBefore).toBeLessThan(clock.wallTime());
    expect(source.asked).toBe(2);
  });

  it("that differ from the authority's by a few minutes are no reason to refuse, by more they are", async () => {
    for (const [aheadMs, reason] of [
      [4 * 60_000, undefined],
      [20 * 60_000, "not valid before"],
    ] as const) {
      const { clock, source, identity } = setup();
      clock.jumpWall(HOUR + aheadMs + 120_000); // what it dates back
      source.given = credentialsOf(source.authority);
      clock.jumpWall(-HOUR - aheadMs - 120_000 + HOUR);
      identity.start();
      await clock.advanceAsync(0);
      expect(identity.status.reason ?? "").toContain(reason ?? "");
      expect(identity.current === undefined).toBe(reason !== undefined);
    }
  });
});

describe("peers", () => {
  it("are known by the roots of their own trust domain, and by the own ones where policy calls it an alias", async () => {
    const { clock, source, identity } = await started();
    const own = { trustDomains: ["cluster.local", "old.local"], wallTime: () => clock.wallTime() };
    const chainOf = (given: Given): Uint8Array[] => parseChain(given.certificateChain).map(({ der }) => der);
    expect(identity.verifyPeer(chainOf(credentialsOf(source.authority)))).toMatchObject({ peer: { id: CART } });
    const stranger = createAuthority(own);
    expect(identity.verifyPeer(chainOf(credentialsOf(stranger)))).toMatchObject({
      refusal: expect.stringContaining("does not lead to a root"),
    });
    const old = chainOf(credentialsOf(stranger, "spiffe://old.local/ns/shop/sa/cart"));
    expect(identity.verifyPeer(old)).toMatchObject({ refusal: expect.stringContaining("old.local") });
    const aliased = await started({ aliases: ["cluster.local", "old.local"] });
    const { authority } = aliased.source;
    const renamed = createAuthority({ ...own, trustDomains: ["old.local"] });
    const { material } = authority;
    const former = new CertificateAuthority({ ...material, trustDomains: ["old.local"] }, own.wallTime);
    const id = "spiffe://old.local/ns/shop/sa/cart";
    expect(aliased.identity.verifyPeer(chainOf(credentialsOf(former, id)))).toMatchObject({ peer: { id } });
    expect(aliased.identity.verifyPeer(chainOf(credentialsOf(renamed, id)))).toHaveProperty("refusal");
    expect(identity.verifyPeer([])).toMatchObject({ refusal: "it showed no certificate" });
    expect(identity.verifyPeer([Buffer.from("x")])).toHaveProperty("refusal");
  });
});

it("knows a peer of whom only the leaf is seen, where there is one root that TLS can have found", async () => {
  const { clock, source, identity } = await started();
  const leafOf = (given: Given): Uint8Array[] =>
    parseChain(given.certificateChain, "it")
      .slice(0, 1)
      .map(({ der }) => der);
  // By the intermediate that this process has itself.
  expect(identity.verifyPeer(leafOf(credentialsOf(source.authority)))).toMatchObject({ peer: { id: CART } });
  const elsewhere = leafOf(
    credentialsOf(createAuthority({ trustDomains: ["cluster.local"], wallTime: () => clock.wallTime() })),
  );
  expect(identity.verifyPeer(elsewhere)).toHaveProperty("refusal");
  expect(identity.verifyPeer(elsewhere, true)).toMatchObject({ peer: { id: CART } }); // TLS has just said so
  expect(identity.verifyPeer(elsewhere)).toHaveProperty("refusal"); // and that is not remembered
  const wrong = createAuthority({ trustDomains: ["other.local"], wallTime: () => clock.wallTime() });
  expect(identity.verifyPeer(leafOf(credentialsOf(wrong, "spiffe://other.local/ns/a/sa/b")), true)).toHaveProperty(
    "refusal",
  );
  clock.jumpWall(2 * HOUR);
  expect(identity.verifyPeer(elsewhere, true)).toMatchObject({ refusal: expect.stringContaining("expired") });
});

it("ends: no timer is left, waiters hear of it, and nothing is asked any more", async () => {
  const { clock, source, identity } = setup();
  source.trouble = "away";
  identity.start();
  await clock.advanceAsync(10);
  const failed = expect(identity.ready(5_000)).rejects.toThrow("the mesh was closed");
  await identity.close();
  await failed;
  const { asked } = source;
  source.onChange?.();
  identity.refresh();
  await clock.advanceAsync(HOUR);
  expect([source.asked, clock.pending, source.closed]).toEqual([asked, 0, 1]);
  await expect(identity.ready(5)).rejects.toThrow("the mesh was closed");
});
