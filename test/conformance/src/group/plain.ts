import { createHash, randomBytes } from "node:crypto";
import type { Group, Scenario } from "../scenario.js";
import type { Trial } from "../trial.js";

const BINARY = randomBytes(200_000);
const JSON_BODY = JSON.stringify({ title: "Zwölf Äpfel", tags: ["a", "b"], nested: { deep: true } });
const FORM = new URLSearchParams({ name: "O'Neill & sons", city: "Köln", empty: "" }).toString();

const body = (name: string, type: string, content: string | Buffer): Scenario => ({
  name,
  needs: ["body"],
  asBare: true,
  async run(trial) {
    const { method, bytes, sha256, headers } = await trial.echo("/echo", {
      method: "POST",
      headers: { "content-type": type },
      body: content,
    });
    return { method, bytes, sha256, type: headers["content-type"], length: Number(headers["content-length"] ?? bytes) };
  },
  expected: {
    method: "POST",
    bytes: Buffer.byteLength(content),
    sha256: createHash("sha256").update(content).digest("hex"),
    type,
    length: Buffer.byteLength(content),
  },
});

const empty = (status: number): Scenario => ({
  name: `an answer ${status} without a body`,
  asBare: true,
  run: async (trial) => {
    const answer = await trial.ask(`/status?code=${status}`);
    return { status: answer.status, text: answer.text, version: answer.headers["x-version"] };
  },
  expected: { status, text: "", version: "v1" },
});

const moved = (code: number): Scenario => ({
  name: `a redirect ${code} of the service's own`,
  asBare: true,
  run: (trial) => landing(trial, code),
  expected: (client) => landed(client.followsRedirects, code),
});

/** Where a client ends that follows redirects, and what one hears that does not. */
export async function landing(trial: Trial, code: number): Promise<object> {
  const { status, text, headers } = await trial.ask(`/moved?code=${code}`);
  // Whoever asks over https is sent to https, with the port it named.
  const shown = (url: string): string =>
    url.replace(/^https?:\/\/([^/:]+)(:\d+)?/, "http://HOST").replace(trial.key, "KEY");
  if (status !== 200) return { status, location: shown(headers["location"] ?? "") };
  const { url, method } = JSON.parse(text);
  return { status, url: shown(url), method };
}

export function landed(follows: boolean, status: number): object {
  const url = `/landed/echo?code=${status}&key=KEY`;
  return follows ? { status: 200, url, method: "GET" } : { status, location: `http://HOST${url}` };
}

export const plain: Group = {
  name: "plain",
  about: "a registered service, no policy: what goes in and out is what goes in and out without a mesh",
  endpoints: undefined,
  policy: () => "",
  scenarios: [
    {
      name: "GET by the service's name",
      async run(trial) {
        const { method, url, headers } = await trial.echo("/echo?a=1&a=%20b", { headers: { "x-own": "mine" } });
        const host = headers["host"]?.replace(/:80$/, "") === trial.host; // https to the plain port names it
        return { method, url: url.replace(trial.key, "KEY"), host, own: headers["x-own"] };
      },
      expected: { method: "GET", url: "/echo?a=1&a=%20b&key=KEY", host: true, own: "mine" },
    },
    {
      name: "HEAD",
      asBare: true,
      async run(trial) {
        const { status, text, headers } = await trial.ask("/big?bytes=10", { method: "HEAD" });
        return { status, text, big: headers["x-big"] };
      },
      expected: { status: 200, text: "", big: "bbbbbbbbbb" },
    },
    empty(204),
    empty(304),
    {
      name: "a gzip answer",
      asBare: true,
      async run(trial) {
        const { status, text } = await trial.ask("/gzip");
        return { status, text };
      },
      expected: { status: 200, text: "a text that was packed" },
    },
    body("a JSON body", "application/json", JSON_BODY),
    body("a form body", "application/x-www-form-urlencoded", FORM),
    body("a binary body of 200 KB", "application/octet-stream", BINARY),
    {
      name: "headers of 8 KB, both ways",
      asBare: true,
      async run(trial) {
        const { headers } = await trial.echo("/echo", { headers: { "x-large": "a".repeat(8_000) } });
        const answer = await trial.ask("/big?bytes=8000");
        return { sent: headers["x-large"]?.length, got: answer.headers["x-big"]?.length };
      },
      expected: { sent: 8_000, got: 8_000 },
    },
    moved(301),
    moved(302),
    {
      name: "trailers of the answer",
      needs: ["trailers"],
      asBare: true,
      async run(trial) {
        const { text, trailers } = await trial.ask("/trailers");
        return { text, sum: trailers["x-sum"] };
      },
      expected: { text: "with trailers", sum: "42" },
    },
    {
      name: "trace headers reach the calls that the service makes meanwhile, deadlines do not reach the application",
      async run(trial) {
        const headers = {
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "x-request-id": "r-7",
        };
        const { text } = await trial.ask(`/chain?to=${encodeURIComponent(`${trial.base}/echo`)}`, { headers });
        const { status, body: inner } = JSON.parse(text);
        const seen = JSON.parse(inner).headers;
        const ours = Object.keys(seen).filter((name) => name.startsWith("x-inmesh"));
        return { status, trace: seen.traceparent, id: seen["x-request-id"], ours };
      },
      expected: {
        status: 200,
        trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        id: "r-7",
        ours: [],
      },
    },
  ],
};
