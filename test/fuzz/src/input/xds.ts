/** Answers of a control plane, each to a client that watches endpoints: it uses, refuses or gives the stream up, and lives on. */

import { seededRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { AdsClient, type AdsMode, type AdsStreamListener, createEndpointType } from "@inmesh/xds/client";
import type { InputTarget } from "./target.js";

const ENDPOINTS = createEndpointType("envoy");

/** Field numbers are those of discovery.proto and endpoint.proto. */
const part = (field: number, content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.of(field * 8 + 2, (bytes.length & 127) | 128, bytes.length >> 7), bytes]);
};
const TYPE = `type.googleapis.com/${ENDPOINTS.url}`;
const endpoint = part(1, part(1, part(1, Buffer.concat([part(2, "10.0.0.1"), Buffer.of(24, 80)]))));
const metadata = part(3, part(1, Buffer.concat([part(1, "istio"), part(2, part(1, part(1, "workload")))])));
const locality = Buffer.concat([
  part(1, part(1, "eu")),
  part(2, Buffer.concat([endpoint, metadata])),
  part(3, Buffer.of(8, 1)),
]);
const any = Buffer.concat([part(1, TYPE), part(2, Buffer.concat([part(1, "a"), part(2, locality)]))]);
const SOTW = Buffer.concat([part(1, "1"), part(2, any), part(4, TYPE), part(5, "n")]);
const DELTA = Buffer.concat([
  part(2, Buffer.concat([part(3, "a"), part(1, "1"), part(2, any)])),
  part(4, TYPE),
  part(6, "b"),
]);

export const XDS: InputTarget = {
  seeds: [SOTW, DELTA],
  words: ["\u0008\u0001", "\u0012\u0002", "\u00ff\u00ff", "10.0.0.2", "a", TYPE, "\u0018\u0051"],
  judge(input) {
    const results = (["sotw", "delta"] as const).map((mode) => outcome(mode, input));
    const [fault] = results.flatMap((result) => result.faults);
    return {
      accepted: results.some(({ used }) => used),
      said: results.map(({ said }) => said).join(" "),
      ...(fault !== undefined && { fault }),
    };
  },
};

function outcome(mode: AdsMode, input: Uint8Array): { said: string; used: boolean; faults: string[] } {
  const listeners: AdsStreamListener[] = [];
  let sent = 0;
  let told = 0;
  const warnings: string[] = [];
  const transport = {
    server: "fuzz:1",
    open: (_: AdsMode, given: AdsStreamListener) => {
      listeners.push(given);
      return { send: () => (sent += 1), pause: () => {}, resume: () => {}, cancel: () => {} };
    },
  };
  const client = new AdsClient({
    servers: [{ transport, failOnDataErrors: false, slowIsNotAbsent: false }],
    ...{ mode, node: Buffer.of(10, 1, 97), clock: new FakeClock(), random: seededRandom(1) },
    warn: (text) => warnings.push(text),
  });
  client.watch(ENDPOINTS, { names: ["a", "b"], onChanges: () => (told += 1) });
  const [listener] = listeners;
  listener?.onOpen();
  const asked = sent;
  try {
    listener?.onMessage(input);
  } catch (error) {
    return { said: "thrown", used: false, faults: [`${mode}: threw ${error}`] };
  } finally {
    void client.close();
  }
  const answered = sent - asked;
  const broken = client.status.reason !== undefined;
  const faults = warnings.filter((text) => text.includes("failed"));
  if (answered > 1 || (broken && answered > 0)) faults.push(`${mode}: ${answered} replies to one answer`);
  return { said: `${answered}${told}${broken}${warnings.length}`, used: told > 0, faults };
}
