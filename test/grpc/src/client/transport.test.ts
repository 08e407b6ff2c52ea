/**
 * What happens on the wire, on the lowest and the highest copy of grpc-js that the mesh allows: the mesh's channels lean on parts of
 * it that it does not promise, so each claim here is a claim about both.
 */

import { AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import { constants, type Settings } from "node:http2";
import { createRequire } from "node:module";
import { Duplex } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import type * as Grpc from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ECHO, type EchoServer, echoServer } from "../lib/echo.js";
import { grpcClientOf, planeOf } from "../lib/mesh-of.js";
import { answer, framed, type RawCall, rawServer, relayTo } from "../lib/raw-server.js";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";
import { sums } from "../one-engine/twin.js";

const require = createRequire(import.meta.url);
const HOST = "echo.shop";
const TO = `route: [{ destination: { host: ${HOST} } }]`;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closing.splice(0).reverse()) await close();
});

describe.each(["@grpc/grpc-js", "grpc-js-lowest"])("%s", (copy) => {
  const grpc = require(copy) as typeof Grpc;
  const { Metadata } = grpc;

  async function clientOf(port: number, options: Grpc.ClientOptions = {}, ...policy: string[]) {
    const mesh = await meshOfYaml([serviceAt(HOST, [port]), ...policy], closing);
    const channelFactoryOverride: Grpc.ClientOptions["channelFactoryOverride"] = (address, credentials, given) =>
      grpcClientOf(mesh).hooked(grpc, address, credentials, given)!; // it is known to the mesh
    const Client = grpc.makeGenericClientConstructor(ECHO, "Echo");
    const client = new Client(`${HOST}:50051`, grpc.credentials.createInsecure(), {
      channelFactoryOverride,
      ...options,
    });
    closing.push(() => client.close());
    return { client, mesh };
  }

  type Client = Awaited<ReturnType<typeof clientOf>>["client"];

  /** Resolves with the answer's text, or with its code and details. */
  function say(client: Client, text: string, options: Grpc.CallOptions = {}, metadata = new Metadata()) {
    return new Promise<string>((resolve) => {
      client["say"]!(text, metadata, options, (error: Grpc.ServiceError | null, value: string) =>
        resolve(error === null ? value : `${error.code} ${error.details}`),
      );
    });
  }

  async function echo(options: Grpc.ClientOptions = {}): Promise<{ client: Client; server: EchoServer }> {
    const server = await echoServer("a", closing);
    return { ...(await clientOf(server.port, options)), server };
  }

  it("asks the connection that stands for a stream, past the layers of the channel", async () => {
    const asked = vi.spyOn(grpc.Channel.prototype, "createCall");
    const { client } = await echo();
    expect(await say(client, "one")).toBe("a: one"); // it waits for the connection, as the channel lets it
    const before = asked.mock.calls.length;
    const bound = vi.spyOn(AsyncResource.prototype, "bind");
    for (const word of ["two", "three"]) expect(await say(client, word)).toBe(`a: ${word}`);
    expect(asked.mock.calls.length).toBe(before);
    expect(bound).not.toHaveBeenCalled(); // what Node binds for a stream keeps it until old garbage is collected
  });

  it("goes by the channel where credentials of a call are to be made for it", async () => {
    const { client, server } = await echo();
    await say(client, "one");
    const credentials = grpc.credentials.createFromMetadataGenerator((_, callback) => {
      const metadata = new Metadata();
      metadata.set("by", "generator");
      callback(null, metadata);
    });
    expect(await say(client, "two", { credentials })).toBe("a: two");
    expect(server.calls[1]!.get("by")).toEqual(["generator"]);
  });

  it("says on every path what grpc-js says without the mesh", async () => {
    const bare = new (grpc.makeGenericClientConstructor(ECHO, "Echo"))(
      `127.0.0.1:${(await heard()).port}`,
      grpc.credentials.createInsecure(),
    );
    closing.push(() => bare.close());
    const metadata = new Metadata();
    metadata.set("one", "1");
    metadata.add("two", "a");
    metadata.add("two", "b");
    metadata.set("bytes-bin", Buffer.from([0, 255]));
    await say(bare, "x", {}, metadata);
    const [expected] = lines;
    const server = await heard();
    const { client } = await clientOf(server.port);
    await say(client, "x", {}, metadata); // by the channel
    await say(client, "x", {}, metadata); // directly
    expect([lines[1], lines[2]]).toEqual([expected, expected]);
  });

  const lines: unknown[] = [];
  async function heard() {
    return rawServer((call) => {
      const { ":authority": _, traceparent: __, ...rest } = call.headers;
      lines.push(rest);
      answer(call, framed(Buffer.from("heard")));
    }, closing);
  }

  it("takes messages that come compressed, beside such that do not", async () => {
    const server = await rawServer((call: RawCall, number) => {
      const packed = framed(gzipSync(`packed ${number}`), true);
      answer(call, number === 2 ? framed(Buffer.from("plain")) : packed, { "grpc-encoding": "gzip" });
    }, closing);
    const { client } = await clientOf(server.port);
    for (const text of ["packed 0", "packed 1", "plain"]) expect(await say(client, "x")).toBe(text);
  });

  it("fails what is compressed in no way that its head names", async () => {
    const server = await rawServer((call) => answer(call, framed(gzipSync("packed"), true)), closing);
    const { client } = await clientOf(server.port);
    await say(client, "x");
    expect(await say(client, "x")).toMatch(/^13 .*compressed/);
  });

  it("compresses what the application has compressed", async () => {
    const server = await rawServer(async (call) => {
      const body = await call.body();
      const text = body[0] === 1 ? gunzipSync(body.subarray(5)).toString() : "not compressed";
      answer(call, framed(Buffer.from(`${call.headers["grpc-encoding"]}: ${text}`)));
    }, closing);
    const { client } = await clientOf(server.port, { "grpc.default_compression_algorithm": 2 });
    for (let index = 0; index < 2; index++) expect(await say(client, "words")).toBe("gzip: words");
  });

  it("sends what is large without a copy of it", async () => {
    const { client } = await echo({ "grpc.max_receive_message_length": -1 });
    await say(client, "one");
    const written = vi.spyOn(Duplex.prototype, "write");
    const large = Buffer.alloc(1024 * 1024, "x");
    const serialised = vi.spyOn(Buffer, "from").mockReturnValueOnce(large as never);
    const answered = say(client, "replaced by the buffer above");
    serialised.mockRestore();
    expect((await answered).length).toBe("a: ".length + large.length);
    expect(written.mock.calls.some(([chunk]) => chunk === large)).toBe(true);
  });

  it.each([
    ["a message longer than it may send", { "grpc.max_send_message_length": 10 }, /^8 .*larger than 10/],
    [
      "a message longer than it may receive",
      { "grpc.max_receive_message_length": 10 },
      /^8 .*larger than max \(2\d vs 10\)/,
    ],
  ])("fails %s, and neither blames the endpoint nor tries again", async (_, options, text) => {
    const { client, server } = await echo(options);
    await say(client, "x");
    const said = server.calls.length;
    expect(await say(client, "a long line of words")).toMatch(text);
    expect(server.calls.length - said).toBeLessThanOrEqual(1);
    expect(await say(client, "y")).toBe("a: y");
  });

  it("sends a stream that was refused once more, whatever the rule", async () => {
    const server = await rawServer((call, number) => {
      if (number === 1) call.stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else answer(call, framed(Buffer.from(`call ${number}`)));
    }, closing);
    const { client } = await clientOf(server.port, {}, rules(HOST, `[{ ${TO}, retries: { attempts: 0 } }]`));
    expect(await say(client, "x")).toBe("call 0");
    expect(await say(client, "x")).toBe("call 2");
  });

  it("fails by the rule what is refused again", async () => {
    const server = await rawServer((call, number) => {
      if (number > 0) call.stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else answer(call, framed(Buffer.from("first")));
    }, closing);
    const { client } = await clientOf(server.port, {}, rules(HOST, `[{ ${TO}, retries: { attempts: 0 } }]`));
    await say(client, "x");
    expect(await say(client, "x")).toMatch(/^14 .*refused.*\(STREAM_REFUSED\)/);
    expect(server.calls.length).toBe(3);
  });

  it("goes on over a new connection where the server leaves by GOAWAY, with what it has not taken", async () => {
    const held: RawCall[] = [];
    const server = await rawServer((call, number) => {
      if (number === 1) {
        held.push(call);
        // The one after it came too late: HTTP/2 has it reset at the client, as not processed.
        server.sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, call.stream.id);
      } else answer(call, framed(Buffer.from(`call ${number}`)));
    }, closing);
    const { client } = await clientOf(server.port, {}, rules(HOST, `[{ ${TO}, retries: { attempts: 0 } }]`));
    expect(await say(client, "x")).toBe("call 0");
    const both = [say(client, "taken"), say(client, "too late")];
    expect(await both[1]).toMatch(/^call [23]$/);
    answer(held[0]!, framed(Buffer.from("taken"))); // streams that it took end well
    expect(await both[0]).toBe("taken");
    expect(server.sessions.length).toBe(2);
  });

  it("keeps to http2MaxRequests, and counts streams under way", async () => {
    const server = await echoServer("a", closing);
    const limit = destination(HOST, "trafficPolicy: { connectionPool: { http: { http2MaxRequests: 1 } } }");
    const { client } = await clientOf(server.port, {}, limit);
    expect(await say(client, "x")).toBe("a: x");
    const talk = client["talk"]!();
    talk.write("hello");
    await once(talk, "data");
    expect(await say(client, "y")).toMatch(/^\d+ .*\(OVERFLOW\)/);
    const over = once(talk, "status");
    talk.end();
    talk.resume();
    await over;
    expect(await say(client, "z")).toBe("a: z");
  });

  describe("to a server that takes ten calls at once on a connection", () => {
    const TEN = { maxConcurrentStreams: 10 };
    const pool = (text: string) => destination(HOST, `trafficPolicy: { connectionPool: { ${text} } }`);
    const many = (client: Client, count: number) => Array.from({ length: count }, (_, at) => say(client, `${at}`));

    async function holding(settings: Settings, ...policy: string[]) {
      const held: RawCall[] = [];
      const server = await rawServer((call) => held.push(call), closing, settings);
      const { client, mesh } = await clientOf(server.port, {}, ...policy);
      const letGo = () => held.splice(0).map((call) => answer(call, framed(Buffer.from("ok"))));
      return { server, client, mesh, held, letGo };
    }
    const limitsOf = (mesh: Mesh) =>
      planeOf(mesh)
        .engine.clusters.all()
        .find(({ config }) => config.host === HOST)!.limits;

    it("opens as many as three hundred need, from the first burst on, and counts them", async () => {
      const { server, client, mesh, held, letGo } = await holding(TEN);
      const answers = many(client, 300);
      await until(() => held.length === 300); // not one of them was answered
      expect([server.sessions.length, limitsOf(mesh).connections]).toEqual([30, 30]);
      letGo();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(["ok"]));
      for (const session of server.sessions.splice(0)) session.close();
      await until(() => limitsOf(mesh).connections === 0);
    });

    it("opens no more than maxConnections, where calls wait for a place and none fails", async () => {
      const { server, client, mesh, held, letGo } = await holding(TEN, pool("tcp: { maxConnections: 3 }"));
      const answers = many(client, 300);
      await until(() => held.length === 30);
      expect([server.sessions.length, limitsOf(mesh).connections]).toEqual([3, 3]);
      server.server.on("stream", () => queueMicrotask(letGo));
      letGo();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(["ok"]));
      expect(server.sessions.length).toBe(3);
    });

    it("has as many wait for a place as http1MaxPendingRequests says, in their order, and refuses the next at once", async () => {
      const ONE = "tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 5 }";
      const { client, mesh, held, letGo } = await holding(TEN, pool(ONE));
      const first = say(client, "first");
      await until(() => held.length === 1);
      const answers = [first, ...many(client, 20)];
      const refused = await Promise.all(answers.slice(15));
      const said = /^14 .*5 requests wait for a connection.*http1MaxPendingRequests: 5.*\(OVERFLOW\)/;
      for (const each of refused) expect(each).toMatch(said);
      expect(refused.length).toBe(6);
      await until(() => held.length === 10);
      expect(limitsOf(mesh)).toMatchObject({
        active: 10,
        pending: 5,
        overflows: { connections: 5, pending: 6, requests: 0 },
      });
      letGo();
      await until(() => held.length === 5);
      expect(limitsOf(mesh)).toMatchObject({ active: 5, pending: 0 });
      const bodies = await Promise.all(held.map((call) => call.body()));
      expect(bodies.map((body) => body.subarray(5).toString())).toEqual(["9", "10", "11", "12", "13"]);
      letGo();
      expect(new Set(await Promise.all(answers.slice(0, 15)))).toEqual(new Set(["ok"]));
      expect(await sums([mesh], "istio_requests_total", ["response_flags", "grpc_response_status"])).toEqual({
        "- 0": 15,
        "UO 14": 6,
      });
    });

    it("gives the place of a waiting call that is given up to the next", async () => {
      const { client, mesh, held, letGo } = await holding(
        { maxConcurrentStreams: 1 },
        pool("tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 2 }"),
      );
      const first = say(client, "first");
      await until(() => held.length === 1);
      const waiting = client["say"]!("gone", new Metadata(), {}, () => {});
      const second = say(client, "second");
      expect(await say(client, "third")).toMatch(/\(OVERFLOW\)/);
      waiting.cancel();
      await until(() => limitsOf(mesh).pending === 1);
      const fourth = say(client, "fourth");
      expect(limitsOf(mesh)).toMatchObject({ active: 1, pending: 2 });
      for (let calls = 1; calls <= 3; calls++) {
        await until(() => held.length === 1);
        letGo();
      }
      expect(await Promise.all([first, second, fourth])).toEqual(["ok", "ok", "ok"]);
      expect(limitsOf(mesh)).toMatchObject({ active: 0, pending: 0 });
    });

    it("keeps to http2MaxRequests where connections are limited: those who wait are not under way", async () => {
      const both = "tcp: { maxConnections: 1 }, http: { http2MaxRequests: 5 }";
      const { client, held, letGo } = await holding(TEN, pool(both));
      const first = say(client, "first");
      await until(() => held.length === 1);
      const answers = [first, ...many(client, 7)];
      const refused = await Promise.all(answers.slice(5));
      for (const each of refused) expect(each).toMatch(/^14 .*http2MaxRequests: 5.*\(OVERFLOW\)/);
      await until(() => held.length === 5);
      letGo();
      expect(new Set(await Promise.all(answers.slice(0, 5)))).toEqual(new Set(["ok"]));
    });

    it("goes by its one connection where another cannot be made", async () => {
      const { server, client, held, letGo } = await holding(TEN);
      const first = say(client, "first");
      await until(() => held.length === 1);
      server.server.close(); // takes no other
      const answers = [first, ...many(client, 30)];
      await until(() => held.length === 10);
      server.server.on("stream", () => queueMicrotask(letGo));
      letGo();
      expect(new Set(await Promise.all(answers))).toEqual(new Set(["ok"]));
      expect(server.sessions.length).toBe(1);
    });

    it("keeps to maxConcurrentStreams of policy where the server allows more", async () => {
      const { server, client, held, letGo } = await holding({}, pool("http: { maxConcurrentStreams: 2 }"));
      const answers = many(client, 10);
      await until(() => held.length === 10);
      expect(server.sessions.length).toBe(5);
      letGo();
      await Promise.all(answers);
      const again = many(client, 2);
      await until(() => held.length === 2);
      expect(server.sessions.length).toBe(5);
      letGo();
      expect(await Promise.all(again)).toEqual(["ok", "ok"]);
    });
  });

  it("pings a connection in use as the application asks for, and leaves one whose pings nobody answers", async () => {
    const server = await rawServer((call, number) => {
      if (number === 1)
        line.cut(); // it hears nothing any more, and says nothing
      else answer(call, framed(Buffer.from(`call ${number}`)));
    }, closing);
    const line = await relayTo(server.port, closing);
    const { client } = await clientOf(line.port, {
      "grpc.keepalive_time_ms": 100,
      "grpc.keepalive_timeout_ms": 100,
    });
    expect(await say(client, "x")).toBe("call 0");
    expect(await say(client, "x")).toMatch(/^14 .*\(UPSTREAM_RESET\)/);
    expect(await say(client, "x")).toBe("call 2");
  });
});
