/** Connect's transports over HTTP/2 through the mesh: its own protocol, gRPC and gRPC-Web. */

import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";
import { TALK, type TalkClient, type TalkServer, talkServer } from "./talk-service.js";

const HOST = "talk.shop";
const TO = `route: [{ destination: { host: ${HOST} } }]`;
const BASE = { baseUrl: `http://${HOST}:50051`, httpVersion: "2" } as const;
type Base = typeof BASE & { readonly sessionManager: never };

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function* texts(...values: string[]) {
  for (const value of values) yield { value };
}

async function all(answers: AsyncIterable<{ readonly value: string }>): Promise<string[]> {
  const found: string[] = [];
  for await (const { value } of answers) found.push(value);
  return found;
}

describe.each<[string, (base: Base) => Transport]>([
  ["Connect", createConnectTransport],
  ["gRPC", createGrpcTransport],
  ["gRPC-Web", createGrpcWebTransport],
])("%s", (_, transport) => {
  async function setUp(
    names: readonly string[],
    ...policy: string[]
  ): Promise<{ servers: TalkServer[]; client: TalkClient }> {
    const servers = await Promise.all(names.map((name) => talkServer(name, closing)));
    const ports = servers.map(({ port }) => port);
    const mesh = await meshOfYaml([serviceAt(HOST, ports), ...policy], closing);
    const sessionManager = mesh.http2.sessionManager(BASE.baseUrl) as never;
    return { servers, client: createClient(TALK, transport({ ...BASE, sessionManager })) as unknown as TalkClient };
  }

  it("carries all four kinds of calls, turn by turn", async () => {
    const { client } = await setUp(["a"]);
    expect((await client.say({ value: "hello" })).value).toBe("a: hello");
    expect((await client.gather(texts("one", "two"))).value).toBe("a: one,two");
    expect((await all(client.list({ value: "300" })))[299]).toBe("a 299");
    let answered = (): void => {};
    async function* turns() {
      for (const value of ["good", "morning"]) {
        const next = new Promise<void>((resolve) => {
          answered = resolve;
        });
        yield { value };
        await next; // the next word only after the answer to this one
      }
    }
    const heard: string[] = [];
    for await (const { value } of client.talk(turns())) {
      heard.push(value);
      answered();
    }
    expect(heard).toEqual(["a: good", "a: morning"]);
  });

  it("carries headers and trailers", async () => {
    const { servers, client } = await setUp(["a"]);
    servers[0]!.say = ({ value }, { requestHeader, responseHeader, responseTrailer }) => {
      responseHeader.set("seen", requestHeader.get("user") ?? "nobody");
      responseTrailer.set("at-last", "paint");
      return { value };
    };
    const got: (string | null)[] = [];
    await client.say({ value: "x" }, {
      headers: { user: "ann" },
      onHeader: (headers: Headers) => void got.push(headers.get("seen")),
      onTrailer: (trailers: Headers) => void got.push(trailers.get("at-last")),
    } as never);
    expect(got).toEqual(["ann", "paint"]);
  });

  it("goes elsewhere when nobody listens, and tries again what its caller says may be repeated", async () => {
    const retries = `[{ ${TO}, retries: { attempts: 2, retryOn: "503,reset" } }]`;
    const { servers, client } = await setUp(["a", "b"], rules(HOST, retries));
    let lost = 0;
    servers[0]!.say = (_text, context) => {
      lost += 1;
      if (context.protocolName === "connect") throw new ConnectError("not now", Code.Unavailable); // which is a 503
      // gRPC's servers of Connect say what failed behind a head, where nothing is tried again: a connection that breaks is.
      servers[0]!.breakConnections();
      return new Promise(() => {});
    };
    const repeatable = { headers: { "idempotency-key": "one" } } as never;
    for (let index = 0; index < 12; index++) expect((await client.say({ value: "x" }, repeatable)).value).toBe("b: x");
    expect(lost).toBeGreaterThan(0);
  });

  it("routes by method and header", async () => {
    const { client } = await setUp(
      ["a", "b"],
      destination(HOST, `subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]`),
      rules(
        HOST,
        `[{ match: [{ uri: { exact: /shop.Talk/Say }, headers: { user: { exact: ann } } }], route: [{ destination: { host: ${HOST}, subset: v2 } }] },
          { route: [{ destination: { host: ${HOST}, subset: v1 } }] }]`,
      ),
    );
    for (let index = 0; index < 3; index++) {
      expect((await client.say({ value: "x" }, { headers: { user: "ann" } } as never)).value).toBe("b: x");
      expect((await client.say({ value: "x" })).value).toBe("a: x");
    }
  });

  it("keeps its caller's deadline, and says whose it was", async () => {
    const { servers, client } = await setUp(["a"]);
    await client.say({ value: "first" });
    servers[0]!.say = () => new Promise(() => {});
    const failed = client.say({ value: "x" }, { timeoutMs: 300 } as never).catch((error: unknown) => error);
    expect(((await failed) as ConnectError).code).toBe(Code.DeadlineExceeded);
    expect(Number(servers[0]!.headers[1]!.get("x-inmesh-timeout-ms"))).toBeGreaterThan(100);
  });

  it("cancels at the server what its caller cancels", async () => {
    const { servers, client } = await setUp(["a"]);
    let cancelled = false;
    servers[0]!.say = (_, { signal }) => {
      signal.addEventListener("abort", () => {
        cancelled = true;
      });
      return new Promise(() => {});
    };
    const controller = new AbortController();
    const failed = client.say({ value: "x" }, { signal: controller.signal } as never).catch((error: unknown) => error);
    await until(() => servers[0]!.headers.length === 1);
    controller.abort();
    expect(((await failed) as ConnectError).code).toBe(Code.Canceled);
    await until(() => cancelled);
  });

  it("fails as a call does whose service has nobody", async () => {
    const { servers, client } = await setUp(["a"]);
    servers[0]!.close();
    const error = (await client.say({ value: "x" }).catch((failure: unknown) => failure)) as ConnectError;
    expect(error.code).toBe(Code.Unavailable);
  });
});

it("gets a fault of gRPC's as that status, with the story", async () => {
  const server = await talkServer("a", closing);
  const fault = `[{ fault: { abort: { percentage: { value: 100 }, grpcStatus: RESOURCE_EXHAUSTED } }, ${TO} }]`;
  const mesh = await meshOfYaml([serviceAt(HOST, [server.port]), rules(HOST, fault)], closing);
  const sessionManager = mesh.http2.sessionManager(BASE.baseUrl) as never;
  const client = createClient(TALK, createGrpcTransport({ ...BASE, sessionManager })) as unknown as TalkClient;
  const error = (await client.say({ value: "x" }).catch((failure: unknown) => failure)) as ConnectError;
  expect([error.code, error.rawMessage]).toEqual([Code.ResourceExhausted, expect.stringMatching(/on purpose/)]);
  expect(server.headers).toEqual([]);
});
