import { FakeClock, seededRandom } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { CallError } from "./grpc-call.js";
import { SpiffeSource } from "./spiffe-source.js";
import type { X509Context, X509Svid } from "./workload-api.js";

/** A made-up certificate: one element of DER. */
function element(length: number, fill: number): Uint8Array {
  return Uint8Array.from([0x30, length, ...Array.from({ length }, () => fill)]);
}

function svid(spiffeId: string, fill: number): X509Svid {
  const certificates = Buffer.concat([element(4, fill), element(5, fill)]);
  return { spiffeId, certificates, privateKey: element(3, fill), bundle: element(6, fill), hint: "" };
}

const CART = svid("spiffe://inmesh.test/ns/shop/sa/cart", 1);
const WEB = svid("spiffe://inmesh.test/ns/shop/sa/web", 2);

function setup(wanted = WEB.spiffeId) {
  const clock = new FakeClock();
  const streams: { tell: (context: X509Context) => void; end: (error: CallError) => void; ended: boolean }[] = [];
  const source = new SpiffeSource({
    ...{ clock, random: seededRandom(1), prefers: (id) => id === wanted },
    api: {
      socket: "/run/agent.sock",
      watchX509: (tell, end) => {
        const stream = { tell, end, ended: false };
        streams.push(stream);
        return () => {
          stream.ended = true;
        };
      },
    },
  });
  const tell = (...svids: X509Svid[]) => streams.at(-1)?.tell({ svids, federated: new Map() });
  const obtain = () => source.obtain(new AbortController().signal);
  return { clock, streams, source, tell, obtain };
}

describe("SpiffeSource", () => {
  it("waits for what the agent tells first, and splits it into PEM", async () => {
    const { source, streams, obtain } = setup();
    const obtained = obtain();
    streams[0]?.tell({ svids: [WEB], federated: new Map([["spiffe://other.test", element(7, 9)]]) });
    const { certificateChain, privateKey, roots } = await obtained;
    expect(certificateChain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
    expect(certificateChain).toContain(Buffer.from(element(5, 2)).toString("base64"));
    expect(privateKey).toBe(
      `-----BEGIN PRIVATE KEY-----\n${Buffer.from(element(3, 2)).toString("base64")}\n-----END PRIVATE KEY-----\n`,
    );
    expect([...(roots as Map<string, string>).keys()].sort()).toEqual(["inmesh.test", "other.test"]);
    expect(source.description).toBe("the SPIFFE agent at /run/agent.sock");
  });

  it.each([
    [WEB.spiffeId, WEB],
    ["spiffe://inmesh.test/ns/shop/sa/nobody", CART],
  ])("is %s among several, if that is there, else the first", async (wanted, chosen) => {
    const { tell, obtain } = setup(wanted);
    const obtained = obtain();
    tell(CART, WEB);
    expect((await obtained).certificateChain).toContain(
      Buffer.from(chosen.certificates.subarray(0, 6)).toString("base64"),
    );
  });

  it("tells of each rotation, and not of the first answer, for which somebody waits", async () => {
    const { source, tell, obtain } = setup();
    let changes = 0;
    source.watch(() => changes++);
    const obtained = obtain();
    tell(CART);
    await obtained;
    expect(changes).toBe(0);
    tell(WEB);
    expect(changes).toBe(1);
    expect((await obtain()).certificateChain).toContain(Buffer.from(element(4, 2)).toString("base64"));
  });

  it("keeps what it has while the agent is away, asks again, and hears of the next", async () => {
    const { clock, source, streams, tell, obtain } = setup();
    const obtained = obtain();
    tell(WEB);
    const first = await obtained;
    streams[0]?.end(new CallError(14, "the agent is away"));
    expect(await obtain()).toEqual(first);
    let changes = 0;
    source.watch(() => changes++);
    clock.advance(300);
    expect(streams).toHaveLength(2);
    tell(CART);
    expect(changes).toBe(1);
  });

  it("says why there is none, and goes on asking: an entry may be made later", async () => {
    const { clock, streams, tell, obtain } = setup();
    const refused = expect(obtain()).rejects.toThrow("no identity issued");
    streams[0]?.end(new CallError(7, "no identity issued"));
    await refused;
    clock.advance(300);
    await expect(obtain()).rejects.toThrow("no identity issued"); // what comes later is told of, not waited for
    tell(WEB);
    expect((await obtain()).privateKey).toContain("PRIVATE KEY");
  });

  it("closes its stream for good", () => {
    const { clock, source, streams, obtain } = setup();
    void obtain().catch(() => {});
    source.close();
    clock.advance(60_000);
    expect(streams.map(({ ended }) => ended)).toEqual([true]);
  });
});
