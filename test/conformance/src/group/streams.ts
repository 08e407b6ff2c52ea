import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { first, type Group, rules, type Scenario } from "../scenario.js";

const LARGE = randomBytes(600_000);
/** What a system buffers between two sockets on loopback, and streams on the way, stays below. In bytes. */
const MOST_AHEAD = 32 * 1024 * 1024;

const cut = (how: string): Scenario => ({
  name: `an answer that is cut, its length ${how === "length" ? "announced" : "unknown"}`,
  asBare: true,
  waits: true,
  async run(trial) {
    const { status, text, broken } = await trial.ask(`/cut?how=${how}`);
    return { status, text, broken };
  },
  expected: { status: 200, text: "cut short", broken: true },
});

export const streams: Group = {
  name: "streams",
  about: "bodies in pieces, both ways, at the pace of whoever reads; answers that are cut",
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
    {
      name: "pieces of an answer arrive as they are sent",
      asBare: true,
      async run(trial) {
        const { body } = await trial.open("/gate");
        let text = "";
        for await (const chunk of body) {
          text += Buffer.from(chunk);
          if (text === "first ") await trial.release(); // the second one is sent for having heard the first
        }
        return text;
      },
      expected: "first second",
    },
    {
      name: "pieces of a request arrive as they are sent",
      needs: ["body"],
      asBare: true,
      async run(trial) {
        const body = Readable.from(
          (async function* () {
            yield Buffer.alloc(20_000, "a");
            await trial.until({ bytesIn: 20_000 });
            yield Buffer.alloc(30_000, "b");
          })(),
          { objectMode: false },
        );
        return (await trial.echo("/echo", { method: "POST", body })).bytes;
      },
      expected: 50_000,
    },
    {
      name: "a request of 600 KB as a stream",
      needs: ["body"],
      asBare: true,
      async run(trial) {
        const body = Readable.from([LARGE.subarray(0, 300_000), LARGE.subarray(300_000)], { objectMode: false });
        const { bytes, sha256, attempt } = await trial.echo("/echo", { method: "POST", body });
        return { bytes, sha256, attempt };
      },
      expected: { bytes: LARGE.length, sha256: createHash("sha256").update(LARGE).digest("hex"), attempt: 1 },
    },
    {
      name: "an answer nobody reads holds its source back",
      async run(trial) {
        const abort = new AbortController();
        const { body } = await trial.open("/flood", { signal: abort.signal });
        const reader = body[Symbol.asyncIterator]();
        await reader.next();
        let before = -1;
        let now = 0;
        for (; now > before; now = (await trial.seen()).bytesOut) {
          before = now;
          await delay(100);
        }
        abort.abort();
        await reader.return?.().catch(() => {});
        const { cut } = await trial.until({ cut: 1 });
        return { held: now < MOST_AHEAD, cut };
      },
      expected: { held: true, cut: 1 },
    },
    cut("length"),
    cut("chunked"),
  ],
};

/** undici lets a connection rest for a turn of the event loop before it takes it again; who calls at once gets another one. */
const FEW = 3;

export const connections: Group = {
  name: "connections",
  about: "connections are kept and used again",
  endpoints: first,
  policy: (host) => rules(host, `\n- route: [{ destination: { host: ${host} } }]`),
  scenarios: [
    {
      name: "six calls one after the other share connections",
      alone: true,
      async run(trial) {
        const ports = new Set<number>();
        for (let call = 0; call < 6; call++) ports.add((await trial.echo("/echo")).port);
        return ports.size <= FEW;
      },
      expected: true,
    },
    {
      name: "so do calls after answers without a body",
      alone: true,
      async run(trial) {
        const ports = new Set<number>();
        for (let call = 0; call < 3; call++) {
          await trial.ask("/status?code=204");
          ports.add((await trial.echo("/echo")).port);
          await trial.ask("/big?bytes=1", { method: "HEAD" });
        }
        return ports.size <= FEW;
      },
      expected: true,
    },
  ],
};
