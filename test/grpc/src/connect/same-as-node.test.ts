/** Sessions of node:http2 and those of the mesh: one table of checks runs against both. */

import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { type RawCall, type RawServer, rawServer } from "../lib/raw-server.js";
import { meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function text(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe.each(["Node's", "the mesh's"])("%s", (whose) => {
  async function setUp(
    handle: (call: RawCall, number: number) => unknown,
  ): Promise<{ server: RawServer; session: ClientHttp2Session }> {
    const server = await rawServer(handle, closing);
    const connect = async (): Promise<ClientHttp2Session> => {
      if (whose === "Node's") return http2.connect(`http://127.0.0.1:${server.port}`);
      const mesh = await meshOfYaml([serviceAt("any.shop", [server.port], "HTTP2")], closing);
      return mesh.http2.connect("http://any.shop:50051");
    };
    const session = await connect();
    session.on("error", () => {});
    closing.push(() => session.destroy());
    return { server, session };
  }

  it("tells of its connection, then carries head, body and trailers", async () => {
    const { session } = await setUp(({ stream }) => {
      stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
      stream.respond({ ":status": 201, "set-cookie": ["a=1", "b=2"], seen: "yes" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ sum: "7" }));
      stream.end("body");
    });
    await once(session, "connect");
    expect([session.connecting, session.closed, session.destroyed, session.encrypted, session.type]).toEqual([
      ...[false, false, false, false, 1],
    ]);
    const stream = session.request({ ":path": "/x" });
    const [hints, response, trailers] = [once(stream, "headers"), once(stream, "response"), once(stream, "trailers")];
    const [early] = await hints;
    expect([early[":status"], early["link"]]).toEqual([103, "</style.css>"]);
    const [head] = await response;
    expect([head[":status"], head["set-cookie"], head["seen"]]).toEqual([201, ["a=1", "b=2"], "yes"]);
    expect(await text(stream)).toBe("body");
    expect((await trailers)[0]["sum"]).toBe("7");
    expect([stream.rstCode, stream.aborted]).toEqual([constants.NGHTTP2_NO_ERROR, false]);
  });

  it("sends the head at once, and a body as it comes", async () => {
    const { server, session } = await setUp(async (call) => {
      call.stream.respond({ ":status": 200 });
      call.stream.end(await call.body());
    });
    const stream = session.request({ ":method": "POST", ":path": "/x", user: ["ann", "bob"] });
    await once(stream, "response"); // before a byte of the body
    const { headers } = server.calls[0]!;
    expect([headers[":method"], headers[":path"], headers["user"]]).toEqual(["POST", "/x", "ann, bob"]);
    stream.write("one,");
    stream.end("two");
    expect(await text(stream)).toBe("one,two");
  });

  it("follows a body with trailers, when it is asked for them and once", async () => {
    const heard: unknown[] = [];
    const { session } = await setUp(async (call) => {
      call.stream.on("trailers", (trailers) => heard.push([trailers["sum"], trailers["sum2"]]));
      const body = await call.body();
      call.stream.respond({ ":status": 200 });
      call.stream.end(body);
    });
    const post = { ":method": "POST", ":path": "/x" };
    const codeOf = (work: () => void): string => {
      try {
        work();
        return "";
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? "";
      }
    };
    const stream = session.request(post, { waitForTrailers: true });
    const codes = [codeOf(() => stream.sendTrailers({ early: "1" }))];
    const wanted = once(stream, "wantTrailers");
    stream.end("body");
    await wanted;
    stream.sendTrailers({ sum: "7", Sum2: ["a", "b"] });
    codes.push(codeOf(() => stream.sendTrailers({ sum: "8" })));
    expect(await text(stream)).toBe("body");
    expect(codes).toEqual(["ERR_HTTP2_TRAILERS_NOT_READY", "ERR_HTTP2_TRAILERS_ALREADY_SENT"]);
    expect(heard).toEqual([["7", "a, b"]]);
    expect(stream.sentTrailers).toMatchObject({ sum: "7" });
    const without = session.request(post, { waitForTrailers: true });
    without.end("none"); // nobody has any
    expect(await text(without)).toBe("none");
  });

  it("holds a body back that nobody reads", async () => {
    let written = 0;
    const { session } = await setUp(({ stream }) => {
      stream.respond({ ":status": 200 });
      const more = (): void => {
        let flows = true;
        while (written < 64 && flows) {
          flows = stream.write(Buffer.alloc(256 * 1024));
          written += 1;
        }
        if (written < 64) stream.once("drain", more);
        else stream.end();
      };
      more();
    });
    const stream = session.request({ ":path": "/x" });
    await once(stream, "response");
    await new Promise((resolve) => session.ping(resolve as never)); // the server had its turns
    expect(written).toBeLessThan(64);
    expect((await text(stream)).length).toBe(64 * 256 * 1024);
  });

  it("brings a body to whoever iterates before there is an answer", async () => {
    const { session } = await setUp(({ stream }) => {
      stream.respond({ ":status": 200 });
      stream.end("body");
    });
    expect(await text(session.request({}))).toBe("body");
  });

  it("resets what is closed, and the server hears the code", async () => {
    let told = (_: number): void => {};
    const heard = new Promise<number>((resolve) => {
      told = resolve;
    });
    const { server, session } = await setUp(({ stream }) => stream.on("close", () => told(stream.rstCode)));
    const stream = session.request({ ":method": "POST" });
    while (server.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stream.close(constants.NGHTTP2_CANCEL);
    await once(stream, "close");
    expect([stream.rstCode, stream.destroyed]).toEqual([constants.NGHTTP2_CANCEL, true]);
    expect(await heard).toBe(constants.NGHTTP2_CANCEL);
  });

  it("fails by its signal", async () => {
    const { session } = await setUp(() => {});
    const controller = new AbortController();
    const stream = session.request({}, { signal: controller.signal });
    const failed = once(stream, "error");
    controller.abort();
    expect((await failed)[0]).toMatchObject({ name: "AbortError", code: "ABORT_ERR" });
  });

  it("fails an answer that is cut off", async () => {
    const { session } = await setUp(({ stream }) => {
      stream.respond({ ":status": 200 });
      stream.write("half", () => stream.destroy(new Error("cut off")));
    });
    const stream = session.request({});
    const failed = once(stream, "error");
    stream.resume();
    expect((await failed)[0]).toMatchObject({ code: "ERR_HTTP2_STREAM_ERROR" });
    expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  });

  it("closes once its streams are over, and takes no further ones", async () => {
    const { session } = await setUp(({ stream }) => {
      stream.respond({ ":status": 200 });
      stream.end("body");
    });
    await once(session, "connect");
    const stream = session.request({});
    await once(stream, "response");
    const closed = once(session, "close");
    session.close();
    expect(() => session.request({})).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_HTTP2_(GOAWAY|INVALID)_SESSION$/) }),
    );
    expect(await text(stream)).toBe("body");
    await closed;
    expect([session.closed, session.destroyed]).toEqual([true, true]);
  });

  it("refuses what is no header, and answers a ping", async () => {
    const { session } = await setUp(() => {});
    await once(session, "connect");
    const payload = Buffer.from("12345678");
    const [error, duration, back] = await new Promise<unknown[]>((resolve) => {
      session.ping(payload, (...said) => resolve(said));
    });
    expect([error, typeof duration, back]).toEqual([null, "number", payload]);
    expect(() => session.request({ "bad name": "x" })).toThrowError(
      expect.objectContaining({ code: "ERR_INVALID_HTTP_TOKEN" }),
    );
  });

  it("tells of a stream that nothing happens on", async () => {
    const { session } = await setUp(() => {});
    await once(session, "connect"); // what waits for one fails when its session goes
    const stream = session.request({ ":method": "POST" });
    stream.setTimeout(30);
    await once(stream, "timeout");
  });
});

it("passes on what the mesh does not know, and what comes with a connection of its own", async () => {
  const server = await rawServer(({ stream }) => {
    stream.respond({ ":status": 200 });
    stream.end("without");
  }, closing);
  const mesh = await meshOfYaml([serviceAt("any.shop", [1], "HTTP2")], closing);
  const plain = mesh.http2.connect(`http://127.0.0.1:${server.port}`);
  const { connect } = await import("node:net");
  const own = mesh.http2.connect("http://any.shop:50051", {
    createConnection: () => connect(server.port, "127.0.0.1"),
  });
  for (const session of [plain, own]) {
    closing.push(() => session.destroy());
    expect(await text(session.request({}))).toBe("without");
  }
});
