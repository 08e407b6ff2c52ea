import { FakeClock, seededRandom } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import { ISTIO } from "../generated/istio.js";
import { decodeMessage } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";
import { CallError, type CallServer } from "./grpc-call.js";
import { type IstioCaAccess, IstioCaSource } from "./istio-ca.js";

const schema = new Schema(ISTIO);

interface Asked {
  readonly server: CallServer;
  readonly request: Record<string, unknown>;
}

/** @param answers one after the other: chains, or codes of failures */
function setup(answers: readonly (readonly string[] | number)[], access: IstioCaAccess = { token: "t" }) {
  const clock = new FakeClock();
  const asked: Asked[] = [];
  let keys = 0;
  const source = new IstioCaSource({
    ...{ address: "istiod.test:15012", cluster: "east", clock, random: seededRandom(1) },
    access: async () => access,
    makeRequest: () => ({ csr: `csr ${++keys}`, privateKey: `key ${keys}` }),
    call: async (server, _path, bytes) => {
      const request = decodeMessage(schema, "istio.v1.auth.IstioCertificateRequest", bytes);
      const answer = answers[asked.push({ server, request }) - 1] ?? [];
      if (typeof answer === "number") throw new CallError(answer, `code ${answer}`);
      return encodeMessage(schema, "istio.v1.auth.IstioCertificateResponse", { certChain: answer });
    },
  });
  const obtain = () => source.obtain(new AbortController().signal);
  return { clock, asked, obtain };
}

describe("IstioCaSource", () => {
  it("asks with token and cluster, and takes the last part of the chain for the roots", async () => {
    const { asked, obtain } = setup([["leaf\n", "root\n"]]);
    expect(await obtain()).toEqual({ certificateChain: "leaf\n", privateKey: "key 1", roots: "root\n" });
    expect(asked).toEqual([
      {
        server: { address: "istiod.test:15012", headers: { clusterid: "east", authorization: "Bearer t" } },
        request: { csr: "csr 1", validityDuration: 86_400 },
      },
    ]);
  });

  it("leaves the root out of the chain, where the authority put it there, too", async () => {
    const { obtain } = setup([["leaf\n", "intermediate\n", "root\n", "root\n"]]);
    expect(await obtain()).toMatchObject({ certificateChain: "leaf\nintermediate\n", roots: "root\n" });
  });

  it("trusts the server by the roots it was given", async () => {
    const { asked, obtain } = setup([["leaf", "root"]], { token: "t", tls: { roots: "mine", serverName: "istiod" } });
    await obtain();
    expect(asked[0]?.server.tls).toEqual({ roots: "mine", serverName: "istiod" });
  });

  it("trusts it by the roots of the last answer, where nobody gave it any", async () => {
    const { asked, obtain } = setup(
      [
        ["leaf", "root"],
        ["leaf", "next"],
      ],
      { token: "t", tls: {} },
    );
    await obtain();
    await obtain();
    expect(asked.map(({ server }) => server.tls)).toEqual([{}, { roots: "root\n" }]);
  });

  it.each([1, 4, 8, 10, 13, 14])(
    "tries code %i again, with a key of its own, waiting longer each time",
    async (code) => {
      const { clock, asked, obtain } = setup([code, code, ["leaf", "root"]]);
      const obtained = obtain();
      await clock.advanceAsync(89);
      expect(asked).toHaveLength(1);
      await clock.advanceAsync(22 + 220);
      expect(await obtained).toMatchObject({ privateKey: "key 3" });
    },
  );

  it("gives up after five tries", async () => {
    const { clock, asked, obtain } = setup([14, 14, 14, 14, 14]);
    const failed = expect(obtain()).rejects.toThrow("code 14");
    await clock.advanceAsync(5_000);
    await failed;
    expect(asked).toHaveLength(5);
  });

  it.each([3, 7, 16])("does not try code %i again: it would be the same", async (code) => {
    const { asked, obtain } = setup([code]);
    await expect(obtain()).rejects.toThrow(`code ${code}`);
    expect(asked).toHaveLength(1);
  });

  it("refuses an answer without a root", async () => {
    await expect(setup([["leaf"]]).obtain()).rejects.toThrow("answered 1 certificates");
  });
});
