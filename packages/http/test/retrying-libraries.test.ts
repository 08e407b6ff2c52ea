/** R9, R19: libraries that try again themselves share the rule's attempts with the mesh instead of multiplying them. */

import { createRequire } from "node:module";
import { InboundContext } from "@inmesh/core";
import axios from "axios";
import axiosRetry from "axios-retry";
import got from "got";
import ky from "ky";
import pRetry from "p-retry";
import superagent from "superagent";
import { fetch as undiciFetch } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { axiosOptions } from "../src/axios/index.js";
import { gotOptions } from "../src/got/index.js";
import { createFetch } from "../src/index.js";
import { installGlobalDispatcher, Notices, patchHttp, patchUndici } from "../src/internal.js";
import {
  type FakeMesh,
  type FakeService,
  fakeMesh,
  listen,
  listenTcp,
  retries,
  type TestServer,
  until,
} from "./mesh.js";

const require = createRequire(import.meta.url);
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
const COPIES = ["undici6", "undici", ...(major > 22 || (major === 22 && minor >= 19) ? ["undici8"] : [])];
/** Of the rule: the first one and two retries. */
const ATTEMPTS = 3;

let server: TestServer;
let mesh: FakeMesh;
/** `x-envoy-attempt-count` of each request that arrived; 1 without. */
let arrived: number[];
let said: string[];
/** Answered 503 first; after that 200. */
let failures: number;
const undos: (() => void)[] = [];

const SERVICES = (): Record<string, FakeService> => ({
  reviews: { endpoints: [server.port], retry: retries(ATTEMPTS - 1, ["5xx"]) },
  renamed: {
    endpoints: [server.port],
    retry: retries(ATTEMPTS - 1, ["5xx"]),
    route: { rewrite: { path: (path: string) => `/new${path}` } as never },
  },
});

beforeAll(async () => {
  server = await listen((req, res) => {
    if (req.url === "/hang") return void arrived.push(Number(req.headers["x-envoy-attempt-count"] ?? 1));
    arrived.push(Number(req.headers["x-envoy-attempt-count"] ?? 1));
    req.resume().on("end", () => res.writeHead(failures-- > 0 ? 503 : 200).end("body"));
  });
  mesh = fakeMesh(SERVICES(), { notices: new Notices((message) => said.push(message)) });
  said = [];
  undos.push(installGlobalDispatcher(mesh.client), patchUndici(mesh.client), patchHttp(mesh.client));
});
afterAll(async () => {
  for (const undo of undos.reverse()) undo();
  await mesh.close();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  arrived = [];
  failures = Number.POSITIVE_INFINITY;
  mesh.calls.length = 0;
});

/** As while an inbound request is served. */
const served = <Result>(work: () => Result): Result =>
  mesh.engine.contexts.run(new InboundContext(Number.POSITIVE_INFINITY, []), work);

const NOW = { minTimeout: 1, maxTimeout: 1, timeoutFactor: 1 };
const URL_ = "http://reviews/a";
const withRetry = (instance: ReturnType<typeof axios.create>) => {
  axiosRetry(instance, { retries: 2 });
  return instance;
};
const throwing = async (answer: { ok: boolean; status: number; text(): Promise<string> }) => {
  await answer.text();
  if (!answer.ok) throw new Error(`${answer.status}`);
};

/** Each tries three times. Without the mesh's knowledge that would be nine attempts. */
const LIBRARIES: [string, () => Promise<unknown>][] = [
  ["got, as it is", () => got(URL_, { retry: { calculateDelay: ({ computedValue }) => computedValue && 1 } })],
  ["got over mesh.got()", () => got.extend(gotOptions(mesh.client))(URL_, { retry: { backoffLimit: 1 } })],
  ["superagent", async () => superagent.get(URL_).retry(2)],
  ...COPIES.flatMap((copy): [string, () => Promise<unknown>][] => {
    const { request, Agent, RetryAgent, interceptors, getGlobalDispatcher } = require(copy) as typeof import("undici");
    const ask = (dispatcher: object, of = request) => of(URL_, { dispatcher } as never).then(({ body }) => body.text());
    return [
      [`${copy}'s RetryAgent`, () => ask(new RetryAgent(new Agent(), { maxRetries: 2, ...NOW }))],
      [`${copy}'s interceptors.retry`, () => ask(new Agent().compose(interceptors.retry({ maxRetries: 2, ...NOW })))],
      [
        `${copy}'s RetryAgent around the global dispatcher`,
        () => ask(new RetryAgent(getGlobalDispatcher(), { maxRetries: 2, ...NOW })),
      ],
    ];
  }),
  [
    "a RetryAgent around mesh.dispatcher",
    async () => {
      const { request, RetryAgent } = require("undici") as typeof import("undici");
      const { body } = await request(URL_, { dispatcher: new RetryAgent(mesh.dispatcher, { maxRetries: 2, ...NOW }) });
      return body.text();
    },
  ],
  [
    "got, in an inbound request",
    () => served(() => got(URL_, { retry: { calculateDelay: ({ computedValue }) => computedValue && 1 } })),
  ],
  [
    "a loop by hand, in an inbound request",
    () =>
      served(async () => {
        for (let left = 2; ; left--) {
          const answer = await fetch(URL_);
          await answer.text();
          if (answer.ok) return;
          if (left === 0) throw new Error(`${answer.status}`);
        }
      }),
  ],
  [
    "p-retry around fetch, in an inbound request",
    () => served(() => pRetry(() => fetch(URL_).then(throwing), { retries: 2, ...NOW })),
  ],
  ["axios-retry, in an inbound request", () => served(() => withRetry(axios.create()).get(URL_))],
  [
    "axios-retry over mesh.axios(), in an inbound request",
    () => served(() => withRetry(axios.create({ ...axiosOptions(mesh.client) })).get(URL_)),
  ],
  [
    "ky, in an inbound request",
    () =>
      served(() =>
        ky.create({ fetch: createFetch(mesh.dispatcher) as never }).get(URL_, { retry: { limit: 2, backoffLimit: 1 } }),
      ),
  ],
  [
    "p-retry as one call",
    () => mesh.engine.contexts.oneCall(() => pRetry(() => undiciFetch(URL_).then(throwing), { retries: 2, ...NOW })),
  ],
  ["axios-retry as one call", () => mesh.engine.contexts.oneCall(() => withRetry(axios.create()).get(URL_))],
];

describe.each(LIBRARIES)("%s", (_, run) => {
  it("adds its tries to the mesh's attempts, and each says which one of all it is", async () => {
    await expect(run()).rejects.toThrow();
    await until(() => mesh.calls.length === 3);
    // Three by the mesh for the first try of the library's, then one for each of the two others.
    expect(arrived).toEqual([1, 2, 3, 4, 5]);
  });

  it("gets through as soon as the service does", async () => {
    failures = 3;
    await run();
    expect(arrived).toEqual([1, 2, 3, 4]);
  });
});

describe("what was spent", () => {
  it("is what is missing: a try that failed early leaves the rest", async () => {
    const controller = new AbortController();
    await served(async () => {
      const first = fetch("http://reviews/hang", { signal: controller.signal }).catch(() => "aborted");
      await until(() => arrived.length === 1);
      controller.abort();
      expect(await first).toBe("aborted");
      arrived = [];
      mesh.calls.length = 0;
      const hurried = AbortSignal.timeout(5_000);
      const again = fetch("http://reviews/hang", { signal: hurried }).catch(() => "aborted");
      await until(() => arrived.length === 1);
      expect(arrived).toEqual([2]);
      await mesh.transport.destroy(new Error("enough"));
      await again;
    });
  });

  it("is forgotten with a success, and said once in the log where undici retries", async () => {
    await served(async () => {
      failures = 3;
      expect((await fetch(URL_)).status).toBe(503);
      failures = 0;
      expect((await fetch(URL_)).status).toBe(200);
      failures = 2;
      expect((await fetch(URL_)).status).toBe(200);
    });
    expect(arrived).toEqual([1, 2, 3, 4, 1, 2, 3]);
    expect(said.filter((message) => /RetryAgent/.test(message))).toHaveLength(1);
  });

  it("counts for the same request only: not for another path, method or inbound request", async () => {
    await served(async () => {
      await fetch(URL_);
      arrived = [];
      await fetch("http://reviews/other");
      await fetch(URL_, { method: "PUT" });
    });
    await served(() => fetch(URL_));
    expect(arrived).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3]);
  });

  it("is found again where the rule rewrites the path", async () => {
    await served(async () => {
      await fetch("http://renamed/a");
      await fetch("http://renamed/a");
    });
    expect(arrived).toEqual([1, 2, 3, 4]);
  });

  it("is nothing to requests that follow one another outside an inbound request", async () => {
    await fetch(URL_);
    await fetch(URL_);
    await axios.get(URL_, { validateStatus: null });
    await axios.get(URL_, { validateStatus: null });
    expect(arrived).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
  });

  it("is told in the error of a try that the mesh did not repeat", async () => {
    const cuts = await listenTcp((socket) => socket.once("data", () => socket.destroy()));
    mesh.publish({ ...SERVICES(), cuts: { endpoints: [cuts.port], retry: retries(ATTEMPTS - 1, ["reset"]) } });
    const told = await served(async () => {
      const texts = [];
      for (let count = 0; count < 2; count++) texts.push(await (await fetch("http://cuts/")).text());
      return texts;
    });
    expect(told).toEqual([
      expect.stringContaining("All 3 attempts that the rule allows were made."),
      expect.stringContaining(
        "Not tried again: the application does so itself, and of the 3 attempts that the rule allows earlier tries of this call made 3.",
      ),
    ]);
    expect(cuts.accepted()).toBe(4);
    await cuts[Symbol.asyncDispose]();
  });
});

describe("got's own timeouts", () => {
  it("are tries of the same call", async () => {
    const options = { timeout: { request: 60 }, retry: { limit: 2, backoffLimit: 1 } };
    await expect(got("http://reviews/hang", options)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(arrived).toEqual([1, 2, 3]);
  });
});
