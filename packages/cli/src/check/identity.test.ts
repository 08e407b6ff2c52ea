import { join } from "node:path";
import type { CertsView } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const INFO = { instance: "x", state: "ready", snapshot: { version: 1 } };

const at = (ms: number): string => new Date(Date.now() + ms).toISOString();

function certs(identity: Partial<CertsView["identity"]>, rootEndsMs: number): CertsView {
  const root = { id: "", serial: "1", subject: "", issuer: "", fingerprint: `R${rootEndsMs}` };
  return {
    identity: {
      ...{ state: "ready", id: "spiffe://cluster.local/ns/shop/sa/web", source: "the CA", generation: 1 },
      ...{ notBefore: at(-HOUR), notAfter: at(23 * HOUR), renewsAt: at(11 * HOUR), ...identity },
    },
    chain: [],
    roots: [
      {
        trustDomain: "cluster.local",
        certificates: [{ ...root, notBefore: at(-DAY), notAfter: at(rootEndsMs) }],
      },
    ],
  };
}

const PLAIN = { caller: "10.0.0.9 curl/8", secured: false, connections: 1, requests: 3, agoMs: 5 };
const stats = (callers: readonly object[]) => ({ inbound: {}, outbound: [], security: { callers } });

async function check(processes: readonly [service: string, certs: CertsView, stats: object][]) {
  using folder = new TemporaryFolder();
  folder.write("mesh/mesh.yaml", "{}\n");
  const started: FakeProcess[] = [];
  try {
    for (const [service, view, seen] of processes) {
      const lease = { service, instance: `${service}-1` };
      const answers = { "/certs": view, "/stats": seen, "/server_info": INFO };
      started.push(await FakeProcess.start(join(folder.path, "mesh"), lease, answers));
    }
    return (await runCli(["check"], { cwd: folder.path })).stdout;
  } finally {
    for (const each of started) await each[Symbol.asyncDispose]();
  }
}

it("reports how long identities and roots last, and when the next is renewed", async () => {
  const out = await check([["web", certs({}, 3_600 * DAY), stats([])]]);
  expect(out).toContain("identity\n--------\n");
  expect(out).toContain("1 process with an identity, the first ends in 23h; next renewal in 11h");
  expect(out).toContain("the root of cluster.local is 24h old and valid for 3600d");
});

it("warns of what will break, and of who has no identity where others have one", async () => {
  const out = await check([
    ["web", certs({ state: "failing", reason: "the CA is away" }, 9 * DAY), stats([PLAIN])],
    ["cart", certs({ notBefore: at(HOUR) }, 9 * DAY), stats([])],
    ["old", { ...certs({}, 9 * DAY), identity: { state: "off", id: "", source: "", generation: 0 } }, stats([])],
    ["gone", certs({ state: "expired", reason: "the CA was away" }, -DAY), stats([])],
  ]);
  expect(out).toContain("shop/web-1 cannot renew its certificate: the CA is away");
  expect(out).toContain("shop/gone-1 has an expired certificate: the CA was away");
  expect(out).toMatch(/the certificate of shop\/cart-1 begins in \d+m: its clock/);
  expect(out).toContain("1 process has no identity (shop/old-1): calls of and to them are in plaintext");
  expect(out).toContain("the root of cluster.local ends in 9d, and every certificate with it");
  expect(out).toContain("the root of cluster.local has ended");
  expect(out).toContain("shop/web-1 is called in plaintext by 1 caller: 10.0.0.9 curl/8");
});

it("does not scold a mesh that has no identities at all", async () => {
  const off = { ...certs({}, DAY), identity: { state: "off", id: "", source: "", generation: 0 }, roots: [] } as const;
  const out = await check([["web", off, stats([])]]);
  expect(out).toMatch(/(ok|√) 1 process has no identity/);
});
