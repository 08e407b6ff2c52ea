import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { first, type Group, rules, type Scenario } from "../scenario.js";
import type { Ask, Trial } from "../trial.js";

/** As much of a stream as is kept for another attempt, and more than that. */
const SMALL = randomBytes(50_000);
const LARGE = randomBytes(300_000);

/** A body that can be read once, in pieces. */
function pieces(content: Buffer, size = 10_000): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
    })(),
    { objectMode: false },
  );
}

async function outcome(trial: Trial, path: string, options: Ask = {}): Promise<object> {
  const { status, text, headers } = await trial.ask(path, options);
  const error = headers["x-inmesh-error"] ?? null;
  const { arrived } = await trial.seen();
  if (status !== 200) return { status, arrived, error };
  const { bytes, sha256 } = JSON.parse(text);
  return { status, arrived, error, ...(options.body !== undefined && { bytes, sha256 }) };
}

const whole = (content: Buffer | string) => ({
  bytes: Buffer.byteLength(content),
  sha256: createHash("sha256").update(content).digest("hex"),
});

const scenario = (name: string, path: string, options: () => Ask, expected: object): Scenario => ({
  name,
  needs: options().method === undefined ? ["retries"] : ["body", "retries"],
  run: (trial) => outcome(trial, path, options()),
  expected,
});

const NONE = { error: null };

export const retries: Group = {
  name: "retries",
  about: "retries on 503 and reset: what may be repeated is, with its body, and nothing else",
  ofCallers: true,
  endpoints: first,
  policy: (host) =>
    rules(
      host,
      `
- retries: { attempts: 2, retryOn: "5xx,reset,connect-failure", backoff: 2ms }
  route: [{ destination: { host: ${host} } }]
`,
    ),
  scenarios: [
    scenario("a GET after two 503", "/fail?times=2", () => ({}), { status: 200, arrived: 3, ...NONE }),
    scenario("attempts that run out", "/fail?times=9", () => ({}), { status: 503, arrived: 3, ...NONE }),
    scenario("a GET after a reset", "/reset?times=1", () => ({}), { status: 200, arrived: 2, ...NONE }),
    scenario("no POST after a 503", "/fail?times=1", () => ({ method: "POST", body: "order" }), {
      status: 503,
      arrived: 1,
      ...NONE,
    }),
    scenario("no POST after a reset", "/reset?times=1", () => ({ method: "POST", body: "order" }), {
      status: 503,
      arrived: 1,
      error: "UPSTREAM_RESET",
    }),
    scenario(
      "a POST with an idempotency-key",
      "/fail?times=1",
      () => ({ method: "POST", body: "order", headers: { "idempotency-key": "k-1" } }),
      { status: 200, arrived: 2, ...NONE, ...whole("order") },
    ),
    scenario("a PUT, its body whole again", "/fail?times=2", () => ({ method: "PUT", body: SMALL }), {
      status: 200,
      arrived: 3,
      ...NONE,
      ...whole(SMALL),
    }),
    scenario("a PUT with a stream of 50 KB", "/fail?times=1", () => ({ method: "PUT", body: pieces(SMALL) }), {
      status: 200,
      arrived: 2,
      ...NONE,
      ...whole(SMALL),
    }),
    scenario("no PUT with a stream of 300 KB", "/fail?times=1", () => ({ method: "PUT", body: pieces(LARGE) }), {
      status: 503,
      arrived: 1,
      ...NONE,
    }),
  ],
};
