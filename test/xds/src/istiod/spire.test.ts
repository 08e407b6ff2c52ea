/** SPIFFE's Workload API of a real SPIRE. */

import { createPublicKey, type JsonWebKey, verify, X509Certificate } from "node:crypto";
import { systemClock, systemRandom } from "@inmesh/core";
import { WorkloadIdentity } from "@inmesh/identity";
import { SpiffeSource, WorkloadApi } from "@inmesh/xds/identity";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findSpire } from "./find-istiod.js";
import { meshAt } from "./shop.js";
import { Spire } from "./spire.js";

const binaries = findSpire("identities of a SPIFFE agent");
const WEB = "spiffe://inmesh.test/ns/shop/sa/web";
const LIMIT = { timeout: 120_000 };

describe.skipIf(binaries === undefined)("a real SPIRE", () => {
  let spire: Spire;
  beforeAll(async () => {
    spire = await Spire.start({ binaries: binaries ?? "", lifetime: "24s" });
  }, LIMIT.timeout);
  afterAll(() => spire?.[Symbol.asyncDispose]());

  function identity(prefers = WEB) {
    const api = new WorkloadApi({ socket: spire.socket });
    const [clock, random] = [systemClock, systemRandom];
    const source = new SpiffeSource({ api, clock, random, prefers: (id) => id === prefers });
    const made = new WorkloadIdentity({ source, clock, random });
    made.start();
    return made;
  }

  it(
    "has no identity for this process before an entry says so, and then hears of it, of each rotation, and of the right one",
    LIMIT,
    async () => {
      const own = identity();
      await eventually("it was refused", () => /no identity issued/.test(own.status.reason ?? ""));
      spire.entry("/ns/shop/sa/other");
      spire.entry("/ns/shop/sa/web");
      await own.ready(60_000);
      await eventually("it is the one that it asked for", () => own.current?.self.id === WEB);
      const first = own.current;
      const leaf = new X509Certificate(first?.certificateChain ?? "");
      expect(leaf.subjectAltName).toBe(`URI:${WEB}`);
      expect(own.verifyPeer([leaf.raw], true).peer?.id).toBe(WEB);
      await new Promise<void>((resolve) => own.subscribe(() => resolve())); // within half of its life
      expect(own.current?.certificateChain).not.toBe(first?.certificateChain);
      await own.close();
    },
  );

  it("stays who it is while the agent is away, and goes on when it is back", LIMIT, async () => {
    const own = identity();
    await own.ready(60_000);
    const before = own.current?.certificateChain;
    await spire.stopAgent();
    await eventually("nothing is lost", () => own.current?.certificateChain === before);
    await spire.startAgent();
    await eventually("another generation came", () => own.current?.certificateChain !== before);
    await own.close();
  });

  it("gives tokens that its key set verifies, and verifies them itself", LIMIT, async () => {
    const api = new WorkloadApi({ socket: spire.socket });
    const { signal } = new AbortController();
    const soon = () => systemClock.wallTime() + 10_000;
    const [svid] = await api.fetchJwt(["shop"], WEB, soon(), signal);
    const [head = "", claims = "", signature = ""] = svid?.token.split(".") ?? [];
    const decoded = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub: string; aud: unknown };
    expect([svid?.spiffeId, decoded.sub, decoded.aud]).toEqual([WEB, WEB, ["shop"]]);
    const keys = await new Promise<string>((resolve, reject) => {
      const end = api.watchJwtBundles((bundles) => {
        end();
        resolve(bundles.get("spiffe://inmesh.test") ?? "");
      }, reject);
    });
    const { kid } = JSON.parse(Buffer.from(head, "base64url").toString()) as { kid: string };
    const jwk = (JSON.parse(keys) as { keys: { kid: string }[] }).keys.find((key) => key.kid === kid);
    const key = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" });
    const signed = Buffer.from(`${head}.${claims}`);
    const raw = Buffer.from(signature, "base64url");
    expect(verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, raw)).toBe(true);
    const judged = await api.validateJwt("shop", svid?.token ?? "", soon(), signal);
    expect([judged.spiffeId, judged.claims["sub"]]).toEqual([WEB, WEB]);
    await expect(api.validateJwt("other", svid?.token ?? "", soon(), signal)).rejects.toMatchObject({ code: 3 });
  });

  it("gives a process its name", LIMIT, async () => {
    await using mesh = await meshAt([], {
      ...{ service: "web", identity: `spiffe:${spire.socket}` },
    });
    await eventually("it has its name", () => mesh.status.identity?.id === WEB);
  });
});
