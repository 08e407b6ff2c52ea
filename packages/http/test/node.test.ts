/** node:http in a mesh: what clients expect of ClientRequest and IncomingMessage, over the engine. */

import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage, request as namedRequest } from "node:http";
import https from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import axios from "axios";
import got from "got";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { patchHttp } from "../src/internal.js";
import { closedPort, type FakeMesh, type FakeService, fakeMesh, listen, listenTcp, retries, until } from "./mesh.js";

const cleanups: (() => PromiseLike<void>)[] = [];
let mesh: FakeMesh;
let port: number;
let bodies: string[];

async function meshOf(services: Record<string, FakeService> | undefined): Promise<FakeMesh> {
  const made = fakeMesh(services);
  const undo = patchHttp(made.client);
  cleanups.push(async () => {
    undo();
    await made.close();
  });
  return made;
}

beforeEach(async () => {
  bodies = [];
  const server = await listen(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    bodies.push(body);
    if (req.url === "/hints") res.writeEarlyHints({ link: "</a>; rel=preload" });
    if (req.url === "/trailers") {
      res.writeHead(200, { trailer: "x-end" });
      res.addTrailers({ "x-end": "yes" });
    } else res.writeHead(req.url === "/404" ? 404 : 200, { "x-twice": ["1", "2"], "set-cookie": ["a", "b"] });
    res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, body }));
  });
  port = server.port;
  cleanups.push(() => server[Symbol.asyncDispose]());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const reviews = async () => {
  mesh = await meshOf({
    reviews: { endpoints: [await closedPort(), port], retry: retries(2, ["connect-failure"]) },
    empty: { endpoints: [] },
  });
};

async function answer(sent: ClientRequest): Promise<{ response: IncomingMessage; text: string }> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  return { response, text };
}

describe("http.request to a host of the mesh", () => {
  beforeEach(reviews);

  it.each<[string, () => ClientRequest, object]>([
    ["a string", () => http.get("http://reviews/a?b=c"), { url: "/a?b=c", method: "GET" }],
    [
      "a URL and options",
      () => http.request(new URL("http://reviews/a"), { method: "put" }).end("x"),
      { method: "PUT", body: "x" },
    ],
    [
      "options",
      () => http.get({ hostname: "reviews", path: "/a", headers: { A: ["1", "2"] } }),
      { headers: { a: "1, 2" } },
    ],
    [
      "flat headers",
      () => http.get({ host: "reviews", headers: ["A", "1", "B", "2"] }),
      { headers: { a: "1", b: "2" } },
    ],
    ["auth", () => http.get("http://user:pass@reviews/"), { headers: { authorization: "Basic dXNlcjpwYXNz" } }],
    [
      "a Host header",
      () => http.get("http://reviews/", { headers: { Host: "other" } }),
      { headers: { host: "other" } },
    ],
    ["a named import", () => namedRequest("http://reviews/n").end(), { url: "/n" }],
    [
      "a constructor",
      () => new (http.ClientRequest as unknown as new (url: string) => ClientRequest)("http://reviews/c").end(),
      { url: "/c" },
    ],
    ["https", () => https.get("https://reviews/s"), { url: "/s", headers: { host: "reviews" } }],
    ["an agent of the application's", () => http.get("http://reviews/g", { agent: new http.Agent() }), { url: "/g" }],
  ])("takes %s", async (_, make, expected) => {
    const sent = make();
    const { response, text } = await answer(sent);
    expect(response.statusCode).toBe(200);
    expect(JSON.parse(text)).toMatchObject(expected);
    expect(sent).toBeInstanceOf(http.ClientRequest);
    expect(mesh.calls).toHaveLength(1);
  });

  it("hands out a real IncomingMessage", async () => {
    const { response } = await answer(http.get("http://reviews/"));
    expect(response).toBeInstanceOf(http.IncomingMessage);
    expect(response).toMatchObject({
      statusMessage: "OK",
      httpVersion: "1.1",
      httpVersionMajor: 1,
      complete: true,
      aborted: false,
    });
    expect(response.headers).toMatchObject({ "x-twice": "1, 2", "set-cookie": ["a", "b"] });
    expect(response.headersDistinct["x-twice"]).toEqual(["1", "2"]);
    expect(response.rawHeaders.slice(0, 4)).toEqual(["x-twice", "1", "x-twice", "2"]);
    const { remoteAddress, remotePort, remoteFamily } = response.socket;
    expect([remoteAddress, remotePort, remoteFamily]).toEqual(["127.0.0.1", port, "IPv4"]); // of the attempt that was answered
  });

  it("tells what happens in the order that Node does", async () => {
    const events: string[] = [];
    const sent = http.request("http://reviews/", { method: "POST" });
    for (const event of ["socket", "finish", "response", "close", "error", "abort", "timeout"]) {
      sent.on(event, () => events.push(event));
    }
    sent.on("response", (response) => {
      for (const event of ["end", "close", "aborted"]) response.on(event, () => events.push(`response ${event}`));
      response.resume();
    });
    sent.end("x");
    await once(sent, "close");
    expect(events.filter((event) => event !== "response close")).toEqual(
      ["socket", "finish", "response", "response end", "close"].sort((a, b) => events.indexOf(a) - events.indexOf(b)),
    );
    expect(sent.destroyed).toBe(true);
  });

  it("has the header methods of a request that was not sent yet", async () => {
    const sent = http.request("http://reviews/", { method: "POST", headers: { First: "1" } });
    sent.setHeader("Second", ["2", "3"]);
    sent.appendHeader("Second", "4");
    sent.setHeader("Third", "gone");
    sent.removeHeader("third");
    expect([sent.getHeader("first"), sent.hasHeader("THIRD"), sent.getHeaderNames()]).toEqual([
      "1",
      false,
      ["first", "host", "second"],
    ]);
    expect(sent.getRawHeaderNames()).toEqual(["First", "Host", "Second"]);
    expect(() => sent.setHeader("bad name", "x")).toThrow(expect.objectContaining({ code: "ERR_INVALID_HTTP_TOKEN" }));
    expect(() => sent.setHeader("a", "b\nc")).toThrow(expect.objectContaining({ code: "ERR_INVALID_CHAR" }));
    expect([sent.method, sent.path, sent.host, sent.protocol, sent.headersSent]).toEqual([
      "POST",
      "/",
      "reviews",
      "http:",
      false,
    ]);
    sent.end();
    const { text } = await answer(sent);
    expect(JSON.parse(text).headers).toMatchObject({ first: "1", second: "2, 3, 4" });
  });

  it("sends chunks as they are written", async () => {
    const sent = http.request("http://reviews/", { method: "POST" });
    for (const chunk of ["one ", "two ", "three"]) {
      sent.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    sent.end();
    expect(JSON.parse((await answer(sent)).text).body).toBe("one two three");
  });

  it("takes a large stream, at the pace of its reader", async () => {
    const sent = http.request("http://reviews/", { method: "PUT" });
    const answered = answer(sent);
    await pipeline(Readable.from(Array.from({ length: 160 }, () => Buffer.alloc(64 * 1024, "x"))), sent);
    await answered;
    expect(bodies[0]?.length).toBe(160 * 64 * 1024);
  });

  it("sends of a body what its Content-Length has room for, as a server would read no more of it", async () => {
    for (const [length, chunks, expected] of [
      ["0", ["text"], ""],
      ["2", ["text"], "te"],
      ["3", ["te", "xt", "more"], "tex"],
    ] as const) {
      const sent = http.request("http://reviews/", { method: "POST", headers: { "Content-Length": length } });
      for (const chunk of chunks) sent.write(chunk);
      sent.end();
      const { headers, body } = JSON.parse((await answer(sent)).text);
      expect([headers["content-length"], body]).toEqual([length, expected]);
    }
  });

  it("sends a whole body in chunks where that is asked for", async () => {
    for (const [headers, length] of [
      [{ "Transfer-Encoding": "chunked" }, undefined],
      [{ "Transfer-Encoding": "chunked", "Content-Length": "4" }, "4"],
      [{}, "4"],
    ] as const) {
      const sent = http.request("http://reviews/", { method: "POST", headers }).end("text");
      const { headers: got, body } = JSON.parse((await answer(sent)).text);
      expect([got["content-length"], body]).toEqual([length, "text"]);
      expect(got["transfer-encoding"]).toBe(length === undefined ? "chunked" : undefined);
    }
  });

  it("calls back for what was written and for the end", async () => {
    const called: string[] = [];
    const sent = http.request("http://reviews/", { method: "POST" });
    sent.write("a", () => called.push("write"));
    sent.end("b", () => called.push("end"));
    expect([sent.writableEnded, sent.finished]).toEqual([true, true]);
    expect(JSON.parse((await answer(sent)).text).body).toBe("ab");
    expect(called).toEqual(["write", "end"]);
  });

  it("is answered by the mesh when there is nobody else", async () => {
    const { response, text } = await answer(http.get("http://empty/"));
    expect([response.statusCode, response.headers["x-inmesh-error"]]).toEqual([503, "NO_ENDPOINT"]);
    expect(text).toMatch(/^no healthy upstream\n/);
    expect((await answer(http.request("http://empty/", { method: "HEAD" }).end())).text).toBe("");
  });

  it("passes on hints and trailers", async () => {
    const hinted = http.get("http://reviews/hints");
    const information: { statusCode: number; headers: object }[] = [];
    hinted.on("information", (each) => information.push(each));
    await answer(hinted);
    expect(information).toMatchObject([
      { statusCode: 103, headers: { link: "</a>; rel=preload" }, httpVersion: "1.1" },
    ]);
    const { response } = await answer(http.get("http://reviews/trailers"));
    expect([response.trailers, response.rawTrailers]).toEqual([{ "x-end": "yes" }, ["x-end", "yes"]]);
  });

  it("goes on at once for who expects to be asked", async () => {
    const sent = http.request("http://reviews/", { method: "POST", headers: { Expect: "100-continue" } });
    sent.flushHeaders();
    sent.on("continue", () => sent.end("body"));
    sent.write("");
    await new Promise((resolve) => setImmediate(resolve));
    expect(JSON.parse((await answer(sent)).text).body).toBe("body");
  });

  it("keeps the caller's context in every event", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[][] = [];
    // One after the other, so that they share the connection that the first one opened.
    for (const name of ["one", "two", "three"]) {
      await storage.run(name, async () => {
        const contexts: (string | undefined)[] = [];
        const sent = http.get("http://reviews/hints");
        sent.on("information", () => contexts.push(storage.getStore()));
        sent.on("response", (response) => {
          contexts.push(storage.getStore());
          response.on("data", () => contexts.push(storage.getStore()));
          response.on("end", () => contexts.push(storage.getStore()));
        });
        await new Promise((resolve) => sent.on("close", resolve));
        seen.push(contexts);
      });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(seen).toEqual(["one", "two", "three"].map((name) => [name, name, name, name]));
  });

  it("reads an answer nobody listens to, so that its connection serves again", async () => {
    for (let count = 0; count < 3; count++) await once(http.get("http://reviews/"), "close");
    expect(mesh.calls.map((call) => call.status)).toEqual([200, 200, 200]);
  });
});

describe("ending a request early", () => {
  const hang = async () => {
    const server = await listenTcp(() => {});
    cleanups.push(() => server[Symbol.asyncDispose]());
    await meshOf({ reviews: { endpoints: [server.port] } });
  };

  const failure = (sent: ClientRequest) => once(sent, "error").then(([error]) => error as Error & { code?: string });

  it("destroy() is a hang-up", async () => {
    await hang();
    const sent = http.get("http://reviews/");
    setTimeout(() => sent.destroy(), 20);
    expect(await failure(sent)).toMatchObject({ code: "ECONNRESET", message: "socket hang up" });
    await until(() => sent.closed);
  });

  it("destroy(error) is that error", async () => {
    await hang();
    const sent = http.get("http://reviews/");
    const reason = new Error("mine");
    setTimeout(() => sent.destroy(reason), 20);
    expect(await failure(sent)).toBe(reason);
  });

  it("abort() says so first", async () => {
    await hang();
    const sent = http.get("http://reviews/");
    const events: string[] = [];
    for (const event of ["abort", "error", "close"]) sent.on(event, () => events.push(event));
    setTimeout(() => sent.abort(), 20);
    await until(() => sent.closed);
    expect([events, sent.aborted]).toEqual([["abort", "error", "close"], true]);
  });

  it("a signal is an AbortError", async () => {
    await hang();
    const controller = new AbortController();
    const sent = http.get("http://reviews/", { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    expect(await failure(sent)).toMatchObject({ name: "AbortError", code: "ABORT_ERR" });
  });

  it("a timeout is told, and ends nothing by itself", async () => {
    await hang();
    const sent = http.get("http://reviews/", { timeout: 30 });
    await once(sent, "timeout");
    expect(sent.destroyed).toBe(false);
    sent.destroy();
    await failure(sent);
  });

  it("a broken answer is an error of its stream", async () => {
    const server = await listenTcp((socket) => {
      socket.on("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        setTimeout(() => socket.destroy(), 20);
      });
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    await meshOf({ reviews: { endpoints: [server.port] } });
    const sent = http.get("http://reviews/");
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const aborted = once(response, "aborted");
    response.resume();
    await expect(once(response, "end")).rejects.toMatchObject({
      code: "ECONNRESET",
      cause: { code: "RESPONSE_TRUNCATED" },
    });
    await aborted;
    expect([response.complete, response.aborted]).toEqual([false, true]);
    await until(() => sent.closed);
  });

  it("what follows it on its connection is no answer to the next request", async () => {
    const forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    const server = await listenTcp((socket, number) => {
      const extra = number === 1 ? forged : "";
      socket.on("data", () => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright${extra}`));
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    await meshOf({ reviews: { endpoints: [server.port] } });
    const first = await answer(http.get("http://reviews/").end());
    const second = await answer(http.get("http://reviews/").end());
    expect([first.text, second.text, server.accepted()]).toEqual(["right", "right", 2]);
  });

  it("dropping the answer drops the call", async () => {
    const server = await listen((_, res) => void res.write("half"));
    cleanups.push(() => server[Symbol.asyncDispose]());
    const made = await meshOf({ reviews: { endpoints: [server.port] } });
    const sent = http.get("http://reviews/");
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    response.destroy();
    await until(() => made.calls.length === 1 && sent.closed);
    expect(made.calls[0]?.noRetry).toBe("aborted");
  });
});

describe("an upgrade", () => {
  it("hands over the socket of one endpoint", async () => {
    const server = await listen(() => {});
    server.server.on("upgrade", (_, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
      socket.pipe(socket);
    });
    cleanups.push(() => server[Symbol.asyncDispose]());
    await meshOf({ reviews: { endpoints: [server.port] } });
    const sent = http.get("http://reviews/", { headers: { Connection: "Upgrade", Upgrade: "echo" } });
    const [response, socket, head] = await once(sent, "upgrade");
    expect([response.statusCode, response.headers.upgrade, head.length]).toEqual([101, "echo", 0]);
    socket.write("hello");
    expect(String((await once(socket, "data"))[0])).toBe("hello");
    socket.destroy();
  });
});

describe("before the first snapshot", () => {
  it("waits, and hands over to Node what is none of the mesh's, with the caller's own agent", async () => {
    const made = await meshOf(undefined);
    let lookups = 0;
    const lookup = (_: string, options: { all?: boolean }, done: (...result: unknown[]) => void): void => {
      lookups += 1;
      if (options.all) done(null, [{ address: "127.0.0.1", family: 4 }]);
      else done(null, "127.0.0.1", 4);
    };
    const asked = ["small", "large"].map((size) => {
      const sent = http.request(`http://outside.example:${port}/x`, {
        method: "POST",
        headers: { a: "1" },
        lookup: lookup as never,
      });
      sent.write(size);
      if (size === "small") sent.end();
      else setTimeout(() => sent.end(" later"), 40);
      return answer(sent);
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    made.publish({});
    const answers = await Promise.all(asked);
    expect(answers.map(({ text }) => JSON.parse(text))).toMatchObject([
      { body: "small", method: "POST", headers: { a: "1", host: `outside.example:${port}` } },
      { body: "large later" },
    ]);
    expect([lookups > 0, made.calls.length]).toEqual([true, 0]);
  });
});

describe("timeouts of the caller's that wait for a connection", () => {
  const events = (sent: ClientRequest): string[] => {
    const heard: string[] = [];
    sent.once("socket", (socket) => {
      for (const name of ["lookup", "connect", "ready"]) socket.once(name, () => heard.push(name));
    });
    sent.once("response", () => heard.push("response"));
    return heard;
  };

  it("run until the call has one", async () => {
    await meshOf(undefined);
    const late = got("http://reviews/", { timeout: { connect: 50 }, retry: { limit: 0 } });
    await expect(late).rejects.toThrow("Timeout awaiting 'connect' for 50ms");
  });

  it("end with it, once Node has the request instead of the mesh", async () => {
    const made = await meshOf(undefined);
    const lookup = ((_: string, _options: object, done: (...result: unknown[]) => void): void =>
      done(null, [{ address: "127.0.0.1", family: 4 }])) as never;
    const sent = http.get(`http://outside.example:${port}/`, { lookup });
    const heard = events(sent);
    setTimeout(() => made.publish({}), 20);
    await answer(sent);
    expect(heard).toEqual(["lookup", "connect", "ready", "response"]);
  });

  it("end before an answer of the mesh's own", async () => {
    await reviews();
    const sent = http.get("http://empty/");
    const heard = events(sent);
    expect((await answer(sent)).response.statusCode).toBe(503);
    expect(heard).toEqual(["lookup", "connect", "ready", "response"]);
  });

  it("start anew after the mesh could not connect", async () => {
    const made = await meshOf({ reviews: { endpoints: [port] } });
    const connecting = async (): Promise<boolean> => {
      const sent = http.get("http://reviews/");
      let found = false;
      sent.once("socket", (socket) => {
        found = socket.connecting;
      });
      await answer(sent);
      return found;
    };
    const first = [await connecting(), await connecting()];
    made.publish({ reviews: { endpoints: [await closedPort()] } });
    expect([first, await connecting(), await connecting()]).toEqual([[true, false], false, true]);
  });
});

describe("libraries", () => {
  beforeEach(reviews);

  it("axios: bodies, errors, streams, timeouts, cancellation", async () => {
    const posted = await axios.post("http://reviews/a", { k: 1 }, { params: { q: 2 } });
    expect(posted.data).toMatchObject({
      url: "/a?q=2",
      body: '{"k":1}',
      headers: { "content-type": "application/json" },
    });
    await expect(axios.get("http://reviews/404")).rejects.toMatchObject({ response: { status: 404 } });
    await expect(axios.get("http://empty/")).rejects.toMatchObject({ response: { status: 503 } });
    const streamed = await axios.put("http://reviews/", Readable.from(["a", "b"]), { responseType: "stream" });
    let text = "";
    for await (const chunk of streamed.data) text += chunk;
    expect(JSON.parse(text).body).toBe("ab");
    const controller = new AbortController();
    const cancelled = axios.get("http://reviews/", { signal: controller.signal });
    controller.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "ERR_CANCELED" });
    const hanging = await listenTcp(() => {});
    mesh.publish({ reviews: { endpoints: [hanging.port] } });
    await expect(axios.get("http://reviews/", { timeout: 50 })).rejects.toMatchObject({ code: "ECONNABORTED" });
    await hanging[Symbol.asyncDispose]();
  });

  it("axios follows redirects of the mesh", async () => {
    const location = () => "http://reviews/landed";
    mesh.publish({
      reviews: { endpoints: [port] },
      old: { endpoints: [], route: { action: { kind: "redirect", status: 302, location } } },
    });
    expect((await axios.get("http://old/")).data.url).toBe("/landed");
  });

  it("got measures every phase, of an answer of the mesh's own, too", async () => {
    for (const url of ["http://reviews/", "http://reviews/", "http://empty/"]) {
      const { timings } = await got(url, { throwHttpErrors: false, retry: { limit: 0 } });
      const { tls: _, ...phases } = timings.phases;
      expect(Object.entries(phases).filter(([, ms]) => !((ms ?? -1) >= 0))).toEqual([]);
    }
  });

  it("got: bodies, errors, streams, timings, timeouts", async () => {
    expect(await got.post("http://reviews/a", { json: { k: 1 } }).json()).toMatchObject({ body: '{"k":1}' });
    await expect(got("http://reviews/404")).rejects.toMatchObject({ response: { statusCode: 404 } });
    const plain = await got("http://reviews/", { searchParams: { a: 1 } });
    expect([plain.statusCode, plain.timings.phases.total !== undefined]).toEqual([200, true]);
    const stream = got.stream.put("http://reviews/", { body: "streamed" });
    let text = "";
    for await (const chunk of stream) text += chunk;
    expect(JSON.parse(text).body).toBe("streamed");
    const hanging = await listenTcp(() => {});
    mesh.publish({ reviews: { endpoints: [hanging.port] } });
    const late = got("http://reviews/", { timeout: { request: 50 }, retry: { limit: 0 } });
    await expect(late).rejects.toMatchObject({ code: "ETIMEDOUT" });
    await hanging[Symbol.asyncDispose]();
  });
});
