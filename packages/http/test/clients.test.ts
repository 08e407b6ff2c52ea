/** Every HTTP client of Node, zero code and explicit: same services, same checks. */

import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { Readable, Writable } from "node:stream";
import axios from "axios";
import FormData from "form-data";
import got from "got";
import ky from "ky";
import nodeFetch from "node-fetch";
// @ts-expect-error: its types are those of @types/node-fetch, which another name does not find
import nodeFetch2 from "node-fetch2";
import superagent from "superagent";
import * as undici from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { axiosOptions } from "../src/axios/index.js";
import { gotOptions } from "../src/got/index.js";
import { createFetch } from "../src/index.js";
import { installGlobalDispatcher, patchHttp, patchUndici } from "../src/internal.js";
import { createHttp, createHttps, MeshAgent, MeshHttpsAgent } from "../src/node/index.js";
import { closedPort, type FakeMesh, fakeMesh, listen, retries, type TestServer } from "./mesh.js";

/** What a client is asked to do. Its answer in a common form; errors of status are answers too. */
interface Ask {
  readonly url: string;
  readonly method?: "GET" | "POST" | "PUT";
  readonly body?: string | (() => Readable);
}
interface Answer {
  readonly status: number;
  readonly text: string;
}
type Client = (ask: Ask) => Promise<Answer>;

const require = createRequire(import.meta.url);

let server: TestServer;
let second: TestServer;
let mesh: FakeMesh;
/** Requests that arrived, as `first GET /path`. */
let arrived: string[] = [];
let failures = 0;

beforeAll(async () => {
  const start = (name: string) =>
    listen(async (req, res) => {
      arrived.push(`${name} ${req.method} ${req.url}`);
      let body = "";
      for await (const chunk of req) body += chunk;
      if (failures > 0) {
        failures -= 1;
        res.writeHead(503).end("sorry");
        return;
      }
      if (req.url === "/hop") return void res.writeHead(302, { location: "http://reviews/landed" }).end();
      res.writeHead(req.url === "/404" ? 404 : 200, { "content-type": "application/json" });
      res.end(JSON.stringify({ name, method: req.method, url: req.url, host: req.headers.host, body }));
    });
  server = await start("first");
  second = await start("second");
  const unused = await closedPort();
  const on = ["connect-failure", "5xx"];
  mesh = fakeMesh({
    reviews: { endpoints: [unused, server.port], retry: retries(2, on) },
    slow: { endpoints: [server.port], route: { timeoutMs: 40 } },
    split: { endpoints: [server.port, second.port] },
    empty: { endpoints: [] },
    moved: { endpoints: [], route: { action: { kind: "redirect", status: 302, location: () => "http://reviews/to" } } },
  });
});
afterAll(async () => {
  await mesh.close();
  await server[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});
beforeEach(() => {
  arrived = [];
  failures = 0;
});

async function all(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
const bodyOf = (body: Ask["body"]) => (typeof body === "function" ? body() : body);

const CLIENTS = {
  fetch:
    (send: typeof fetch): Client =>
    async ({ url, method = "GET", body }) => {
      const content = typeof body === "function" ? Readable.toWeb(body()) : body;
      const answer = await send(url, { method, body: content, duplex: "half" } as RequestInit);
      return { status: answer.status, text: await answer.text() };
    },
  undici:
    (dispatcher?: undici.Dispatcher): Client =>
    async ({ url, method = "GET", body }) => {
      const options = { method, body: bodyOf(body), ...(dispatcher && { dispatcher }) };
      const answer = await undici.request(url, options as never);
      return { status: answer.statusCode, text: await answer.body.text() };
    },
  axios:
    (instance: typeof axios | ReturnType<typeof axios.create>): Client =>
    async ({ url, method = "GET", body }) => {
      const request = { url, method, data: bodyOf(body), responseType: "text" as const, validateStatus: null };
      const answer = await instance.request({ ...request, transformResponse: (data) => data });
      return { status: answer.status, text: answer.data };
    },
  got:
    (instance: typeof got): Client =>
    async ({ url, method = "GET", body }) => {
      const options = { method, throwHttpErrors: false, retry: { limit: 0 } };
      if (typeof body === "function") {
        const stream = instance.stream(url, options);
        body().pipe(stream);
        const [answer] = (await once(stream, "response")) as [{ statusCode: number }];
        return { status: answer.statusCode, text: await all(stream) };
      }
      const answer = await instance(url, { ...options, ...(body !== undefined && { body }) });
      return { status: answer.statusCode, text: answer.body };
    },
  ky:
    (instance: typeof ky): Client =>
    async ({ url, method = "GET", body }) => {
      const content = typeof body === "function" ? Readable.toWeb(body()) : body;
      const options = { method, body: content, duplex: "half", throwHttpErrors: false, retry: 0 };
      const answer = await instance(url, options as never);
      return { status: answer.status, text: await answer.text() };
    },
  nodeFetch:
    (send: unknown, more: object = {}): Client =>
    async ({ url, method = "GET", body }) => {
      const options = { method, body: bodyOf(body), ...more };
      const answer = await (send as typeof nodeFetch)(url, options as never);
      return { status: answer.status, text: await answer.text() };
    },
  superagent:
    (agent?: http.Agent): Client =>
    async ({ url, method = "GET", body }) => {
      let request = superagent(method, url).ok(() => true);
      request = request.buffer(true).parse((response, done) => {
        all(response as unknown as AsyncIterable<unknown>).then(
          (text) => done(null, text),
          (error: Error) => done(error, ""),
        );
      });
      if (agent !== undefined) request = (request as unknown as { agent(a: unknown): typeof request }).agent(agent);
      if (typeof body === "function") body().pipe(request as unknown as NodeJS.WritableStream);
      const answer =
        typeof body === "function"
          ? await new Promise<superagent.Response>((resolve, reject) => {
              request.on("response", resolve);
              request.on("error", reject);
            })
          : await request.type("text/plain").send(body as string);
      return { status: answer.status, text: String(answer.body) };
    },
  node:
    (request: typeof http.request, options: object = {}): Client =>
    async ({ url, method = "GET", body }) => {
      const sent = request(url, { method, ...options });
      if (typeof body === "function") body().pipe(sent);
      else sent.end(body);
      const [answer] = (await once(sent, "response")) as [IncomingMessage];
      return { status: answer.statusCode ?? 0, text: await all(answer) };
    },
};

const undiciStream: Client = async ({ url, method = "GET", body }) => {
  const chunks: Buffer[] = [];
  let status = 0;
  await undici.stream(url, { method, body: bodyOf(body) } as never, ({ statusCode }) => {
    status = statusCode;
    return new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(chunk);
        done();
      },
    });
  });
  return { status, text: String(Buffer.concat(chunks)) };
};
const undiciPipeline: Client = async ({ url, method = "GET", body }) => {
  let status = 0;
  const through = undici.pipeline(url, { method }, ({ statusCode, body: answer }) => {
    status = statusCode;
    return answer;
  });
  if (typeof body === "function") body().pipe(through);
  else through.end(body);
  return { text: await all(through), status };
};

/** Rows of a table of clients; those that take nothing but an agent cannot retry what was sent, nor be redirected. */
type Row = readonly [name: string, make: () => Client, limits?: "routes only"];

const ZERO_CODE: readonly Row[] = [
  ["built-in fetch", () => CLIENTS.fetch(fetch)],
  ["undici.request", () => CLIENTS.undici()],
  ["undici.request with an Agent", () => CLIENTS.undici(new undici.Agent())],
  ["undici.request with an Agent of few connections", () => CLIENTS.undici(new undici.Agent({ connections: 2 }))],
  ["undici.stream", () => undiciStream],
  ["undici.pipeline", () => undiciPipeline],
  ["undici.fetch", () => CLIENTS.fetch(undici.fetch as unknown as typeof fetch)],
  ["axios", () => CLIENTS.axios(axios)],
  ["axios with agents", () => CLIENTS.axios(axios.create({ httpAgent: new http.Agent({ keepAlive: true }) }))],
  ["axios over fetch", () => CLIENTS.axios(axios.create({ adapter: "fetch" }))],
  ["got", () => CLIENTS.got(got)],
  ["got with an agent", () => CLIENTS.got(got.extend({ agent: { http: new http.Agent({ keepAlive: true }) } }))],
  ["ky", () => CLIENTS.ky(ky)],
  ["node-fetch 3", () => CLIENTS.nodeFetch(nodeFetch)],
  ["node-fetch 2", () => CLIENTS.nodeFetch(nodeFetch2)],
  ["node-fetch with an agent", () => CLIENTS.nodeFetch(nodeFetch, { agent: new http.Agent({ keepAlive: true }) })],
  ["superagent", () => CLIENTS.superagent()],
  ["superagent with an agent", () => CLIENTS.superagent(new http.Agent())],
  ["http.request", () => CLIENTS.node(http.request)],
  ["http.request with an agent", () => CLIENTS.node(http.request, { agent: new http.Agent({ keepAlive: true }) })],
  ["http.request without an agent", () => CLIENTS.node(http.request, { agent: false })],
];

const EXPLICIT: readonly Row[] = [
  ["mesh.fetch", () => CLIENTS.fetch(createFetch(mesh.dispatcher) as unknown as typeof fetch)],
  ["mesh.dispatcher", () => CLIENTS.undici(mesh.dispatcher)],
  ["axios with mesh.axios()", () => CLIENTS.axios(axios.create({ ...axiosOptions(mesh.client) }))],
  ["got with mesh.got()", () => CLIENTS.got(got.extend(gotOptions(mesh.client)))],
  ["ky with mesh.fetch", () => CLIENTS.ky(ky.create({ fetch: createFetch(mesh.dispatcher) as never }))],
  ["mesh.http", () => CLIENTS.node(createHttp(mesh.client).request as typeof http.request)],
  [
    "superagent with mesh.http as its protocol",
    () => {
      const { protocols } = superagent as unknown as { protocols: Record<string, unknown> };
      return async (ask) => {
        const before = protocols["http:"];
        protocols["http:"] = createHttp(mesh.client);
        try {
          return await CLIENTS.superagent()(ask);
        } finally {
          protocols["http:"] = before;
        }
      };
    },
  ],
  [
    "node-fetch 3 with mesh.agent()",
    () => CLIENTS.nodeFetch(nodeFetch, { agent: new MeshAgent(mesh.client) }),
    "routes only",
  ],
  [
    "node-fetch 2 with mesh.agent()",
    () => CLIENTS.nodeFetch(nodeFetch2, { agent: new MeshAgent(mesh.client) }),
    "routes only",
  ],
  ["superagent with mesh.agent()", () => CLIENTS.superagent(new MeshAgent(mesh.client)), "routes only"],
  [
    "http.request with mesh.agent()",
    () => CLIENTS.node(http.request, { agent: new MeshAgent(mesh.client) }),
    "routes only",
  ],
  [
    "axios with mesh.agent()",
    () => CLIENTS.axios(axios.create({ httpAgent: new MeshAgent(mesh.client) })),
    "routes only",
  ],
  [
    "got with mesh.agent()",
    () => CLIENTS.got(got.extend({ agent: { http: new MeshAgent(mesh.client) } })),
    "routes only",
  ],
];

function behaves(rows: readonly Row[]): void {
  describe.each(rows.map(([name, make, limits]) => ({ name, make, limits })))("$name", ({ make, limits }) => {
    const answerOf = (text: string) => JSON.parse(text) as Record<string, unknown>;

    it("calls a service by name, past an endpoint that refuses connections", async () => {
      const client = make();
      for (let count = 0; count < 3; count++) {
        const { status, text } = await client({ url: "http://reviews/a?b=c" });
        expect([status, answerOf(text)]).toEqual([
          200,
          { name: "first", method: "GET", url: "/a?b=c", host: "reviews", body: "" },
        ]);
      }
    });

    it("sends bodies, whole and as streams", async () => {
      const client = make();
      const whole = await client({ url: "http://reviews/", method: "POST", body: "text" });
      expect(answerOf(whole.text)).toMatchObject({ method: "POST", body: "text" });
      const body = () => Readable.from(["te", "xt"].map((part) => Buffer.from(part)));
      const streamed = await client({ url: "http://reviews/", method: "PUT", body });
      expect(answerOf(streamed.text)).toMatchObject({ method: "PUT", body: "text" });
    });

    it("is told of statuses", async () => {
      expect((await make()({ url: "http://reviews/404" })).status).toBe(404);
    });

    it("spreads over the endpoints", async () => {
      const client = make();
      const names = new Set<unknown>();
      for (let count = 0; count < 6; count++) {
        names.add(answerOf((await client({ url: "http://split/" })).text)["name"]);
      }
      expect([...names].sort()).toEqual(["first", "second"]);
    });

    it("calls hosts outside the mesh as without it", async () => {
      const before = mesh.calls.length;
      const { status, text } = await make()({ url: `http://127.0.0.1:${server.port}/out`, method: "POST", body: "x" });
      expect([status, answerOf(text)["host"], mesh.calls.length]).toEqual([200, `127.0.0.1:${server.port}`, before]);
    });

    if (limits === "routes only") {
      it("is given the failure it got, without another try", async () => {
        failures = 1;
        expect((await make()({ url: "http://reviews/once" })).status).toBe(503);
        expect(arrived).toEqual(["first GET /once"]);
      });
      it.each(["http://empty/", "http://moved/"])("fails where there is no one to connect to: %s", async (url) => {
        await expect(make()({ url })).rejects.toThrow();
      });
    } else {
      it("is retried by the mesh", async () => {
        failures = 1;
        expect((await make()({ url: "http://reviews/twice" })).status).toBe(200);
        expect(arrived).toEqual(["first GET /twice", "first GET /twice"]);
      });
      it("is answered by the mesh where nobody else does", async () => {
        const { status, text } = await make()({ url: "http://empty/" });
        expect([status, text]).toEqual([503, expect.stringMatching(/^no healthy upstream\n/)]);
      });
    }
  });
}

describe("zero code", () => {
  let undos: (() => void)[] = [];
  beforeAll(() => {
    undos = [installGlobalDispatcher(mesh.client), patchUndici(mesh.client), patchHttp(mesh.client)];
    require("undici"); // seen by the patch as an application's would be
  });
  afterAll(() => {
    for (const undo of undos.reverse()) undo();
  });
  behaves(ZERO_CODE);

  it.each([
    ["axios", async () => (await axios.get("https://reviews/s")).data],
    ["got", () => got("https://reviews/s").json()],
    ["fetch", async () => (await fetch("https://reviews/s")).json()],
    ["node-fetch", async () => (await nodeFetch("https://reviews/s")).json()],
    ["superagent", async () => (await superagent.get("https://reviews/s")).body],
    [
      "an https.Agent",
      async () => (await nodeFetch2("https://reviews/s", { agent: new https.Agent() } as never)).json(),
    ],
  ])("takes https URLs of services by %s", async (_, ask) => {
    expect(await ask()).toMatchObject({ url: "/s", host: "reviews" });
  });

  it.each([
    ["axios", async (url: string) => (await axios.get(url)).data],
    ["got", (url: string) => got(url).json()],
    ["fetch", async (url: string) => (await fetch(url)).json()],
    ["ky", (url: string) => ky(url).json()],
    ["node-fetch 3", async (url: string) => (await nodeFetch(url)).json()],
    ["superagent", async (url: string) => (await superagent.get(url)).body],
  ])("lets %s follow redirects of a service and of the mesh", async (_, ask) => {
    expect(await ask("http://reviews/hop")).toMatchObject({ url: "/landed" });
    expect(await ask("http://moved/")).toMatchObject({ url: "/to" });
  });

  it("sends forms of the form-data package by axios, got and node-fetch", async () => {
    const form = () => {
      const made = new FormData();
      made.append("k", "v");
      return made;
    };
    const sent = [
      (await axios.post("http://reviews/", form())).data,
      await got.post("http://reviews/", { body: form() }).json(),
      await (await nodeFetch2("http://reviews/", { method: "POST", body: form() } as never)).json(),
      (await superagent.post("http://reviews/").field("k", "v")).body,
    ];
    for (const { body } of sent as { body: string }[]) expect(body).toMatch(/name="k"\r\n\r\nv\r\n/);
  });
});

describe("explicit", () => {
  behaves(EXPLICIT);

  it("axios follows redirects, as often as it is told, and says so before", async () => {
    const seen: unknown[] = [];
    const following = axios.create({
      ...axiosOptions(mesh.client, { beforeRedirect: (_, { statusCode }) => void seen.push(statusCode) }),
    });
    expect((await following.get("http://reviews/hop")).data).toMatchObject({ url: "/landed" });
    expect((await following.get("http://moved/")).data).toMatchObject({ url: "/to" });
    expect((await following.post("http://reviews/hop", { a: 1 })).data).toMatchObject({ method: "GET" });
    expect(seen).toEqual([302, 302, 302]);
    const none = axios.create({ ...axiosOptions(mesh.client, { maxRedirects: 0 }), validateStatus: null });
    expect((await none.get("http://reviews/hop")).status).toBe(302);
  });

  it("got retries and follows redirects as ever", async () => {
    const extended = got.extend(gotOptions(mesh.client));
    expect(await extended("http://reviews/hop").json()).toMatchObject({ url: "/landed" });
    expect(await extended("https://reviews/s").json()).toMatchObject({ url: "/s" });
  });

  it("https functions reach services", async () => {
    const { text } = await CLIENTS.node(createHttps(mesh.client).request as never)({ url: "https://reviews/s" });
    expect(JSON.parse(text)).toMatchObject({ url: "/s", host: "reviews" });
  });

  it("an https agent reaches services", async () => {
    const client = CLIENTS.nodeFetch(nodeFetch, { agent: new MeshHttpsAgent(mesh.client) });
    expect(JSON.parse((await client({ url: "https://split/s" })).text)).toMatchObject({ url: "/s", host: "split" });
  });
});
