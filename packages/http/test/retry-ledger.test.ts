/** R8, R9: layers of services that all retry do not multiply their attempts. Real sockets, a mesh of its own for each service. */

import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { InboundContext } from "@inmesh/core";
import { afterEach, describe, expect, it } from "vitest";
import { createFetch } from "../src/index.js";
import { Inbound } from "../src/server/inbound.js";
import { type FakeMesh, fakeMesh, listen, retries, type TestServer } from "./mesh.js";

const ATTEMPTS = 3;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

type Retry = NonNullable<Parameters<typeof fakeMesh>[0]>[string]["retry"];
type App = (ask: (path: string) => Promise<Response>, url: string) => Promise<number>;

const RETRY = retries(ATTEMPTS - 1, ["5xx"]);
/** What nearly every service does: the failure of what it calls is its own. */
const passOn: App = async (ask, url) => {
  const answer = await ask(url);
  await answer.arrayBuffer();
  return answer.status;
};

function client(
  ports: readonly number[],
  retry: Retry = RETRY,
): FakeMesh & { ask: (path: string) => Promise<Response> } {
  const mesh = fakeMesh({ next: { endpoints: ports, ...(retry && { retry }) } });
  open.push({ [Symbol.asyncDispose]: () => mesh.close() });
  const fetch = createFetch(mesh.dispatcher);
  return { ...mesh, ask: (path) => fetch(`http://next${path}`) as unknown as Promise<Response> };
}

/** A service that calls the next one for each request. */
async function service(next: readonly number[], { retry = RETRY, app = passOn }: { retry?: Retry; app?: App } = {}) {
  const mesh = client(next, retry);
  const inbound = new Inbound(mesh.engine);
  const asked: string[] = [];
  const server = await listen((request, response) => {
    asked.push(String(request.headers["x-envoy-attempt-count"] ?? "1"));
    inbound.request(request, response, () =>
      app(mesh.ask, request.url ?? "/").then(
        (status) => response.writeHead(status).end(),
        () => response.writeHead(500).end(),
      ),
    );
  });
  open.push(server);
  return { ...mesh, port: server.port, asked };
}

/** The last one: answers by `script`, counts and remembers what it was told. */
async function leaf(script: (nth: number) => number | "hang") {
  const spent: string[] = [];
  const server: TestServer = await listen((request, response) => {
    spent.push(String(request.headers["x-inmesh-attempts-spent"] ?? "0"));
    const status = script(spent.length);
    if (status !== "hang") response.writeHead(status).end();
  });
  open.push(server);
  return { port: server.port, spent };
}

describe("three hops above a service that fails", () => {
  it("ask it as often as one of them would, and each answer says that it was tried again", async () => {
    const last = await leaf(() => 503);
    const c = await service([last.port]);
    const b = await service([c.port]);
    const a = client([b.port]);
    const answer = await a.ask("/");
    expect([answer.status, answer.headers.get("x-inmesh-retried")]).toEqual([503, "1"]);
    expect([last.spent, c.asked, b.asked]).toEqual([["0", "1", "2"], ["1"], ["1"]]);
    expect([a.calls[0]?.noRetry, b.calls[0]?.noRetry, c.calls[0]?.noRetry]).toEqual([
      "retried_below",
      "retried_below",
      "attempts_exhausted",
    ]);
  });

  it("ask it once more for each further attempt where none of them waits for its answer", async () => {
    const last = await leaf(() => "hang");
    const c = await service([last.port], { retry: retries(2, ["reset"], { perTryTimeoutMs: 60 }) });
    const b = await service([c.port], { retry: retries(2, ["reset"], { perTryTimeoutMs: 80 }) });
    const a = client([b.port], retries(2, ["reset"], { perTryTimeoutMs: 100 }));
    expect((await a.ask("/")).status).toBe(504);
    expect(last.spent.length).toBeGreaterThan(0); // some five on a machine that is not busy
    expect(last.spent.length).toBeLessThanOrEqual(1 + 3 * (ATTEMPTS - 1)); // 27 without the ledger
  });

  it("get through when the lowest one does, without a word of it", async () => {
    const last = await leaf((nth) => (nth === 3 ? 200 : 503));
    const b = await service([(await service([last.port])).port]);
    const answer = await client([b.port]).ask("/");
    expect([answer.status, answer.headers.get("x-inmesh-retried"), b.asked.length]).toEqual([200, null, 1]);
  });
});

describe("a failed answer", () => {
  it("says nothing when nothing was tried twice for it: the caller may try again", async () => {
    const last = await leaf(() => 503);
    const b = await service([last.port], { retry: retries(0, []) });
    const answer = await client([b.port]).ask("/");
    expect([answer.status, answer.headers.get("x-inmesh-retried"), last.spent.length]).toEqual([503, null, ATTEMPTS]);
  });

  it("says nothing when a later call for the same request made it good", async () => {
    let calls = 0;
    const last = await leaf((nth) => (nth <= ATTEMPTS ? 503 : 200));
    const b = await service([last.port], {
      app: async (ask, url) => {
        calls += 1;
        await ask(url);
        expect((await ask(url)).status).toBe(200);
        return 500; // of its own
      },
    });
    const answer = await client([b.port]).ask("/");
    expect([answer.status, answer.headers.get("x-inmesh-retried"), calls]).toEqual([500, null, ATTEMPTS]);
  });

  it("is the only one to say so: what a call failed at need not have failed the request", async () => {
    const last = await leaf(() => 503);
    const b = await service([last.port], { app: (ask, url) => ask(url).then(() => 200) });
    const answer = await client([b.port]).ask("/");
    expect([answer.status, answer.headers.get("x-inmesh-retried"), last.spent.length]).toEqual([200, null, ATTEMPTS]);
  });

  it("keeps the headers that the application writes, in every form it can", async () => {
    const last = await leaf(() => 503);
    const mesh = client([last.port]);
    const inbound = new Inbound(mesh.engine);
    const forms = [
      { write: { "X-A": "1" } },
      { write: ["X-A", "1"] as unknown as Record<string, string> },
      { set: true },
    ];
    for (const { write, set } of forms) {
      const server = await listen((request, response) =>
        inbound.request(request, response, () =>
          mesh.ask("/").then(() => {
            if (set) response.setHeader("X-A", "1");
            if (write) response.writeHead(502, "So bad", write).end();
            else {
              response.statusCode = 502;
              response.end();
            }
          }),
        ),
      );
      open.push(server);
      const { status, headers } = await fetch(`http://127.0.0.1:${server.port}/`);
      expect([status, headers.get("x-a"), headers.get("x-inmesh-retried")]).toEqual([502, "1", "3"]);
    }
  });

  it("says so over HTTP/2, too", async () => {
    const last = await leaf(() => 503);
    const mesh = client([last.port]);
    const inbound = new Inbound(mesh.engine);
    const server: Http2Server = createHttp2Server().on("stream", (stream, headers) => {
      const head = { headers: headers as Record<string, string>, rawHeaders: [] };
      inbound.stream(stream, head, () =>
        mesh.ask("/").then(() => stream.respond({ ":status": 503 }, { endStream: true })),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { connect } = await import("node:http2");
    const session = connect(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
    const stream = session.request({ ":path": "/" });
    const head = await new Promise<Record<string, unknown>>((resolve) => stream.on("response", resolve));
    expect([head[":status"], head["x-inmesh-retried"]]).toEqual([503, "3"]);
    session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("what is said on the wire", () => {
  it.each(["99999999999999", "1", "7"])("makes a service retry less: %s", async (value) => {
    const last = await leaf(() => 503);
    const b = await service([last.port]);
    const headers = { "x-inmesh-attempts-spent": value };
    const answer = await fetch(`http://127.0.0.1:${b.port}/`, { headers });
    const attempts = value.length > 12 ? ATTEMPTS : 1; // what cannot be read says nothing
    expect([answer.status, last.spent.length]).toEqual([503, attempts]);
  });

  it.each(["-3", "0", "", "1, 2", "NaN"])("never makes it retry more: %j", async (value) => {
    const last = await leaf(() => 503);
    const b = await service([last.port]);
    await fetch(`http://127.0.0.1:${b.port}/`, { headers: { "x-inmesh-attempts-spent": value } });
    expect(last.spent).toHaveLength(ATTEMPTS);
  });

  it("is not the application's to say", async () => {
    const last = await leaf(() => 200);
    const mesh = client([last.port]);
    await createFetch(mesh.dispatcher)("http://next/", { headers: { "x-inmesh-attempts-spent": "5" } });
    expect(last.spent).toEqual(["0"]);
  });
});

describe("R9: one budget for each inbound request", () => {
  it("lets a fan-out repeat as many attempts as it has calls, and at least 16", async () => {
    const run = async (calls: number): Promise<number> => {
      const last = await leaf(() => 503);
      const mesh = client([last.port], retries(4, ["5xx"]));
      const context = new InboundContext(Number.POSITIVE_INFINITY, []);
      await mesh.engine.contexts.run(context, () =>
        Promise.all(Array.from({ length: calls }, (_, each) => mesh.ask(`/${each}`))),
      );
      return last.spent.length;
    };
    expect([await run(1), await run(4), await run(10), await run(40)]).toEqual([5, 20, 26, 80]);
  });
});
