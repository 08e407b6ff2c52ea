/**
 * ClientRequest and IncomingMessage, bare and meshed: the same checks run against Node's own and against ours, and must
 * find the same. They are what axios, got, superagent, node-fetch, follow-redirects and form-data look at.
 */

import { once } from "node:events";
import http, { type IncomingMessage, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { PassThrough, Readable, finished as whenFinished } from "node:stream";
import { pipeline } from "node:stream/promises";
import FormData from "form-data";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createHttp, type HttpFunctions } from "../src/node/index.js";
import { type FakeMesh, fakeMesh, listen, type TestServer } from "./mesh.js";

let server: TestServer;
let mesh: FakeMesh;
let meshed: HttpFunctions;

beforeAll(async () => {
  server = await listen(async (req, res) => {
    const path = req.url ?? "";
    if (path.startsWith("/hang")) return;
    if (path === "/reset-late") {
      res.writeHead(200, { "content-length": "100" });
      res.write("half");
      setImmediate(() => setTimeout(() => req.socket.destroy(), 20));
      return;
    }
    if (path === "/large-head") return void res.writeHead(200, { "x-large": "x".repeat(2 * http.maxHeaderSize) }).end();
    if (path === "/early") return void res.writeHead(413).end("too large");
    let body = "";
    for await (const chunk of req) body += chunk;
    if (path === "/hints") res.writeEarlyHints({ link: "</a>; rel=preload" });
    if (path === "/switch") return void res.writeHead(101).end();
    if (path === "/empty") return void res.writeHead(204).end();
    if (path === "/cached") return void res.writeHead(304, { etag: '"1"' }).end();
    if (path === "/trailers") {
      res.writeHead(200, { trailer: "x-end" });
      res.addTrailers({ "x-end": "yes" });
      return void res.end("with trailers");
    }
    if (path === "/slow" || path === "/slower") {
      res.writeHead(200, { "content-type": "text/plain" });
      res.write("first ");
      return void setTimeout(() => res.end("second"), path === "/slow" ? 60 : 400);
    }
    res.writeHead(path === "/404" ? 404 : 200, "Well", { "x-twice": ["1", "2"], "set-cookie": ["a", "b"], etag: "x" });
    const { connection: _c, host: _h, ...headers } = req.headers;
    res.end(JSON.stringify({ method: req.method, url: path, headers, body }));
  });
  server.server.on("upgrade", (req, socket, head) => {
    socket.write(`HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: ${req.headers.upgrade}\r\n\r\nhello`);
    socket.on("data", (chunk) => socket.end(`echo ${chunk}`));
    if (head.length > 0) socket.end(`echo ${head}`);
  });
  mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  meshed = createHttp(mesh.client);
});
afterAll(async () => {
  await mesh.close();
  for (const socket of server.sockets) socket.destroy();
  await server[Symbol.asyncDispose]();
});

/** With what it has and its types leave out. */
type ClientRequest = http.ClientRequest & {
  readonly timeout?: number;
  readonly agent?: unknown;
  readonly res?: unknown;
};
type Make = (path: string, options?: RequestOptions, listener?: (response: IncomingMessage) => void) => ClientRequest;
type Check = (make: Make) => unknown;

const REQUEST_EVENTS =
  "abort close connect continue drain error finish information pipe response socket timeout unpipe upgrade";
const RESPONSE_EVENTS = "aborted close data end error";

/** Names of events in their order; chunks of data are one. */
function record(sent: ClientRequest, also: (response: IncomingMessage) => void = () => {}): string[] {
  const heard: string[] = [];
  const note = (name: string) => {
    if (heard.at(-1) !== name) heard.push(name);
  };
  for (const name of REQUEST_EVENTS.split(" ")) {
    if (name === "response" || name === "upgrade" || name === "connect") continue;
    sent.on(name, (first?: unknown) => note(first instanceof Error ? `${name} ${told(first)}` : name));
  }
  sent.on("response", (response: IncomingMessage) => {
    note("response");
    for (const name of RESPONSE_EVENTS.split(" ")) {
      if (name === "data") continue;
      response.on(name, (first?: unknown) => note(`res.${name}${first instanceof Error ? ` ${told(first)}` : ""}`));
    }
    also(response);
  });
  return heard;
}

/** What the socket tells of its connection. A name of the mesh is looked up, the address that the bare request has is not. */
function recordSocket(sent: ClientRequest): unknown[] {
  const heard: unknown[] = [];
  sent.once("socket", (socket) => {
    heard.push(socket.connecting, socket.readyState);
    for (const name of ["connect", "ready"]) socket.once(name, () => heard.push(name, socket.connecting));
  });
  return heard;
}

const told = (error: Error & { code?: string }) => `${error.name} ${error.code} ${error.message}`;

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += chunk;
  return all;
}

const closed = (sent: ClientRequest): Promise<void> =>
  new Promise((resolve) => void (sent.closed ? resolve() : sent.once("close", () => resolve())));

const heardOf = (sent: ClientRequest, event: string): Promise<void> =>
  new Promise((resolve) => void sent.once(event, () => resolve()));

async function answered(sent: ClientRequest): Promise<{ response: IncomingMessage; body: string }> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { response, body: await text(response) };
}

const ignore = (sent: ClientRequest): ClientRequest => sent.on("error", () => {});

/** All but `reusedSocket`: a connection that its peer had closed is the mesh's to replace, and nobody else's to try again. */
function state(sent: ClientRequest): object {
  const { method, path, host, protocol, aborted, destroyed, writableEnded, writableFinished, finished } = sent;
  const { headersSent, maxHeadersCount, timeout, useChunkedEncodingByDefault, sendDate } = sent;
  const { writable, writableObjectMode, closed: isClosed, shouldKeepAlive } = sent;
  return {
    ...{ method, path, host: host === "reviews" ? "127.0.0.1" : host, protocol, aborted, destroyed, writableEnded },
    ...{ writableFinished, finished, headersSent, maxHeadersCount, timeout, shouldKeepAlive },
    ...{ useChunkedEncodingByDefault, sendDate, writable, writableObjectMode, isClosed },
    agent: sent.agent === undefined ? "undefined" : typeof sent.agent,
    res: sent.res === null ? "none" : "some",
    socket: sent.socket === null ? "none" : "some",
    connection: sent.connection === null ? "none" : "some",
  };
}

function thrown(work: () => unknown): unknown {
  try {
    const result = work();
    return result === undefined ? "undefined" : typeof result;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

const CHECKS: Record<string, Check> = {
  "state of a new GET": (make) => {
    const sent = ignore(make("/a?b=c"));
    const found = state(sent);
    sent.destroy();
    return found;
  },
  "state of a new POST with a timeout": (make) => {
    const sent = ignore(make("/a", { method: "POST", timeout: 5_000 }));
    const found = state(sent);
    sent.destroy();
    return found;
  },
  "state once it is sent": async (make) => {
    const sent = make("/a", { method: "POST" });
    sent.end("x");
    const atOnce = state(sent);
    await answered(sent);
    await closed(sent);
    return [atOnce, state(sent)];
  },
  "state in a response": async (make) => {
    const sent = make("/slow").end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const found = state(sent);
    await text(response);
    return found;
  },
  "state after flushHeaders": async (make) => {
    const sent = make("/a", { method: "POST" });
    sent.flushHeaders();
    const found = state(sent);
    sent.end("x");
    return [found, (await answered(sent)).body];
  },
  "state after destroy": async (make) => {
    const sent = ignore(make("/hang").end());
    sent.destroy();
    const found = state(sent);
    await closed(sent);
    return [found, { ...state(sent), writableFinished: "as it happens" }];
  },
  "events of a GET": async (make) => {
    const sent = make("/a");
    const heard = record(sent, (response) => void response.resume());
    sent.end();
    await closed(sent);
    return heard;
  },
  "events of a POST": async (make) => {
    const sent = make("/a", { method: "POST" });
    const heard = record(sent, (response) => void response.resume());
    sent.write("one");
    sent.end("two");
    await closed(sent);
    return heard;
  },
  "events of a piped body": async (make) => {
    const sent = make("/a", { method: "PUT" });
    const heard = record(sent, (response) => void response.resume());
    Readable.from(["one", "two"]).pipe(sent);
    await closed(sent);
    return heard;
  },
  "events without a response listener": async (make) => {
    const sent = make("/a");
    const heard: string[] = [];
    for (const name of ["socket", "finish", "error", "close"]) sent.on(name, () => heard.push(name));
    sent.end();
    await closed(sent);
    return heard;
  },
  "events of hints": async (make) => {
    const sent = make("/hints");
    const heard = record(sent, (response) => void response.resume());
    sent.end();
    await closed(sent);
    return heard;
  },
  "an answer that breaks off": async (make) => {
    const sent = make("/reset-late");
    let whole: IncomingMessage | undefined;
    const heard = record(sent, (response) => {
      whole = response;
      response.resume();
    });
    sent.end();
    await closed(sent);
    const { complete, aborted, destroyed, readableEnded, readableAborted } = whole as IncomingMessage;
    return [heard, { complete, aborted, destroyed, readableEnded, readableAborted }];
  },
  "an answer that breaks off, read by iteration": async (make) => {
    const [response] = (await once(make("/reset-late").end(), "response")) as [IncomingMessage];
    return text(response).catch(told);
  },
  "an answer whose headers are larger than Node takes": async (make) => {
    const sent = make("/large-head");
    const heard = record(sent);
    sent.end();
    await closed(sent);
    return heard;
  },
  "an answer before the body's end": async (make) => {
    const sent = ignore(make("/early", { method: "POST" }));
    sent.write("x");
    const { response, body } = await answered(sent);
    sent.destroy();
    return [response.statusCode, body];
  },
  "destroy before it is sent": async (make) => {
    const sent = make("/a");
    const heard = record(sent);
    sent.destroy();
    await closed(sent);
    return [heard, sent.destroyed];
  },
  "destroy while it waits": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    await heardOf(sent, "finish");
    sent.destroy();
    await closed(sent);
    return heard;
  },
  "destroy with an error while it waits": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    await heardOf(sent, "finish");
    sent.destroy(new TypeError("mine"));
    await closed(sent);
    return heard;
  },
  "destroy in the answer": async (make) => {
    const sent = make("/slow").end();
    const heard = record(sent, (response) => {
      response.resume();
      response.once("data", () => sent.destroy());
    });
    await closed(sent);
    return heard;
  },
  "destroy of the answer": async (make) => {
    const sent = make("/slow").end();
    const heard = record(sent, (response) => void response.once("data", () => response.destroy()));
    await closed(sent);
    return heard;
  },
  "destroy of the answer with an error": async (make) => {
    const sent = make("/slow").end();
    const heard = record(sent, (response) => void response.once("data", () => response.destroy(new TypeError("mine"))));
    await closed(sent);
    await new Promise((resolve) => setImmediate(resolve));
    return heard.filter((name) => name !== "close");
  },
  "destroy of the socket": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    sent.on("socket", (socket) => void sent.on("finish", () => socket.destroy()));
    await closed(sent);
    return heard;
  },
  "destroy before there is a connection, once it is ended": async (make) => {
    const sent = make("/hang", { agent: false });
    const heard = record(sent);
    sent.on("socket", (socket) => void socket.destroy());
    sent.end("x", () => heard.push("ended"));
    await closed(sent);
    return heard;
  },
  "destroy with an error in the answer": async (make) => {
    const sent = make("/slow").end();
    const heard = record(sent, (response) => {
      response.resume();
      response.once("data", () => sent.destroy(new TypeError("mine")));
    });
    await closed(sent);
    return heard;
  },
  "events of a connection being made": async (make) => {
    const sent = make("/a", { agent: false });
    const heard = recordSocket(sent);
    sent.end();
    await answered(sent);
    return heard;
  },
  "events of a connection before anything is sent on it": async (make) => {
    const sent = make("/a", { agent: false, method: "POST" });
    const heard = recordSocket(sent);
    sent.on("socket", (socket) => void socket.once("connect", () => void sent.end("x")));
    await answered(sent);
    return heard;
  },
  "events of a kept connection": async (make) => {
    const agent = new http.Agent({ keepAlive: true });
    await answered(make("/a", { agent }).end());
    await new Promise((resolve) => setImmediate(resolve));
    const sent = make("/a", { agent });
    const heard = recordSocket(sent);
    await answered(sent.end());
    agent.destroy();
    return heard;
  },
  "a connection of the caller's own": async (make) => {
    let made = 0;
    const createConnection = () => {
      made += 1;
      return connect(server.port, "127.0.0.1");
    };
    const { response } = await answered(make("/a", { createConnection }).end());
    return [made, response.statusCode];
  },
  "abort before it is sent": async (make) => {
    const sent = make("/a");
    const heard = record(sent);
    sent.abort();
    await closed(sent);
    await new Promise((resolve) => setImmediate(resolve));
    return [heard.sort(), sent.aborted, sent.destroyed];
  },
  "abort while it waits, twice": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    await heardOf(sent, "finish");
    sent.abort();
    sent.abort();
    await closed(sent);
    return heard;
  },
  "abort in the answer": async (make) => {
    const sent = make("/slow").end();
    const heard = record(sent, (response) => {
      response.resume();
      response.once("data", () => sent.abort());
    });
    await closed(sent);
    return heard;
  },
  "a signal while it waits": async (make) => {
    const controller = new AbortController();
    const sent = make("/hang", { signal: controller.signal }).end();
    const heard = record(sent);
    await heardOf(sent, "finish");
    controller.abort(new Error("mine"));
    await closed(sent);
    return heard;
  },
  "a signal that has fired before": async (make) => {
    const sent = make("/hang", { signal: AbortSignal.abort() });
    const heard = record(sent);
    await closed(sent);
    return heard;
  },
  "timeout as option": async (make) => {
    const sent = make("/hang", { timeout: 40 }).end();
    const heard = record(sent);
    await heardOf(sent, "timeout");
    const { destroyed, timeout } = sent;
    sent.destroy();
    await closed(sent);
    return [heard, destroyed, timeout];
  },
  "setTimeout with a listener": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    let called = 0;
    const same = sent.setTimeout(40, () => {
      called += 1;
      sent.destroy(new Error("too late"));
    });
    await closed(sent);
    return [heard, called, same === sent, sent.timeout];
  },
  "what is left of a timeout": async (make) => {
    const sent = make("/a", { timeout: 5_000 });
    await answered(sent.end());
    await closed(sent);
    return (sent as { timeoutCb?: unknown }).timeoutCb === null;
  },
  "setTimeout of the socket": async (make) => {
    const sent = make("/hang").end();
    const heard = record(sent);
    sent.on("socket", (socket) => {
      socket.setTimeout(40, () => {
        heard.push("socket timeout");
        sent.destroy();
      });
    });
    await closed(sent);
    return heard.filter((name) => name !== "timeout");
  },
  "setTimeout of the answer": async (make) => {
    const sent = make("/slow").end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    let called = 0;
    response.setTimeout(20, () => {
      called += 1;
      response.destroy();
    });
    response.resume();
    await closed(sent);
    return called;
  },
  "a timeout taken back": async (make) => {
    // Long enough to connect in, on any machine.
    const sent = make("/slower", { timeout: 200 }).end();
    const heard = record(sent, (response) => void response.resume());
    sent.setTimeout(0);
    await closed(sent);
    return heard;
  },
  "an idle timeout does not hold the total": async (make) => {
    const sent = make("/slow", { timeout: 150 }).end();
    const heard = record(sent, (response) => void response.resume());
    await closed(sent);
    return heard;
  },
  "header methods": async (make) => {
    const sent = make("/a", { method: "POST", headers: { First: "1", Host: "h" } });
    sent.setHeader("Second", ["2", "3"]);
    sent.appendHeader("Second", "4");
    sent.setHeader("Third", "x");
    sent.removeHeader("third");
    const found = [sent.getHeaders(), sent.getHeaderNames(), sent.getRawHeaderNames(), sent.getHeader("second")];
    const { body } = await answered(sent.end());
    return [JSON.stringify(found), sent.hasHeader("FIRST"), JSON.parse(body).headers];
  },
  "headers that are set too late": async (make) => {
    const sent = make("/a").end();
    const found = [
      thrown(() => sent.setHeader("a", "b")),
      thrown(() => sent.removeHeader("a")),
      thrown(() => sent.appendHeader("a", "b")),
      thrown(() => sent.getHeader("host")),
      thrown(() => sent.flushHeaders()),
    ];
    await answered(sent);
    return found;
  },
  "headers that are wrong": (make) => {
    const sent = ignore(make("/a"));
    const found = [
      thrown(() => sent.setHeader("bad name", "x")),
      thrown(() => sent.setHeader("a", "b\nc")),
      thrown(() => sent.setHeader("a", undefined as never)),
      thrown(() => sent.setHeader("a", "b")),
      thrown(() => make("/a", { headers: { "bad name": "x" } })),
    ];
    sent.destroy();
    return found;
  },
  "trailers that are wrong": (make) => {
    const sent = ignore(make("/a", { method: "POST" }));
    const found = [thrown(() => sent.addTrailers({ "bad name": "x" })), thrown(() => sent.addTrailers({ a: "b" }))];
    sent.destroy();
    return found;
  },
  "the body's framing": async (make) => {
    const bodies: unknown[] = [];
    const sends: ((sent: ClientRequest) => void)[] = [
      (sent) => void sent.end("text"),
      (sent) => {
        sent.write("te");
        sent.end("xt");
      },
      (sent) => void sent.end(),
      (sent) => void sent.end(Buffer.from("text")),
      (sent) => void sent.end("74657874", "hex"),
    ];
    for (const send of sends) {
      const sent = make("/a", { method: "POST" });
      send(sent);
      const { headers, body } = JSON.parse((await answered(sent)).body);
      bodies.push([body, headers["content-type"]]);
    }
    return bodies;
  },
  "a content-length of the caller's": async (make) => {
    const sent = make("/a", { method: "DELETE", headers: { "Content-Length": "4" } });
    sent.end("text");
    return (await answered(sent)).body;
  },
  "write after end": async (make) => {
    const sent = make("/a", { method: "POST" });
    const heard = record(sent, (response) => void response.resume());
    sent.end("x");
    sent.write("y");
    await closed(sent);
    return heard.filter((name) => name.startsWith("error"));
  },
  "chunks of the wrong kind": (make) => {
    const sent = ignore(make("/a", { method: "POST" }));
    const found = [thrown(() => sent.write(1 as never)), thrown(() => sent.write(null as never))];
    sent.destroy();
    return found;
  },
  "callbacks of write and end": async (make) => {
    const called: unknown[] = [];
    const sent = make("/a", { method: "POST" });
    sent.write("a", () => called.push("write"));
    sent.end("b", () => called.push("end"));
    await answered(sent);
    return called;
  },
  "end twice": async (make) => {
    const sent = make("/a", { method: "POST" });
    const heard = record(sent, (response) => void response.resume());
    sent.end("b");
    sent.end();
    await closed(sent);
    return heard;
  },
  "what methods return": async (make) => {
    const sent = make("/a");
    const found = [
      sent.setHeader("a", "b") === sent,
      thrown(() => sent.setNoDelay(true)),
      thrown(() => sent.setSocketKeepAlive(true, 1_000)),
      sent.setTimeout(1_000) === sent,
      thrown(() => sent.cork()),
      thrown(() => sent.uncork()),
      sent.end() === sent,
    ];
    await answered(sent);
    return found;
  },
  "an answer": async (make) => {
    const sent = make("/404").end();
    const { response, body } = await answered(sent);
    const { statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, complete, aborted } = response;
    const { headers, headersDistinct, rawHeaders, trailers, rawTrailers, url, method } = response;
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    delete (headers as { date?: unknown }).date;
    delete (headersDistinct as { date?: unknown }).date;
    return [
      { statusCode, statusMessage, httpVersion, httpVersionMajor, httpVersionMinor, complete, aborted, trailers },
      { headers, headersDistinct: { ...headersDistinct }, names, rawTrailers, url, method },
      [JSON.parse(body).url, (response as unknown as { req: unknown }).req === sent, response.readableEnded],
      [response instanceof http.IncomingMessage, response instanceof Readable],
    ];
  },
  "an answer's socket": async (make) => {
    const sent = make("/slow").end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const found = [response.socket === sent.socket, response.connection === sent.connection, response.socket.destroyed];
    const { socket } = response;
    const methods = "setTimeout setNoDelay setKeepAlive ref unref address destroy on once removeListener pause resume";
    const missing = methods.split(" ").filter((name) => typeof (socket as never)[name] !== "function");
    await text(response);
    return [found, missing, socket.connecting, (socket as { encrypted?: boolean }).encrypted ?? false];
  },
  trailers: async (make) => {
    const { response, body } = await answered(make("/trailers").end());
    return [body, response.trailers, response.rawTrailers, { ...response.trailersDistinct }, response.complete];
  },
  "answers without a body": async (make) => {
    const found: unknown[] = [];
    for (const [path, method] of [
      ["/empty", "GET"],
      ["/cached", "GET"],
      ["/a", "HEAD"],
    ] as const) {
      const sent = make(path, { method });
      const heard = record(sent, (response) => void response.resume());
      sent.end();
      await closed(sent);
      found.push(heard.filter((name) => name !== "res.close")); // before or after the request's, as it happens
    }
    return found;
  },
  "information and continue": async (make) => {
    const sent = make("/a", { method: "POST", headers: { Expect: "100-continue" } });
    let continued = 0;
    sent.on("continue", () => {
      continued += 1;
      sent.end("body");
    });
    sent.flushHeaders();
    const { body } = await answered(sent);
    return [continued, JSON.parse(body).body];
  },
  hints: async (make) => {
    const sent = make("/hints");
    const found: unknown[] = [];
    sent.on("information", ({ statusCode, headers, httpVersion, rawHeaders, statusMessage }) =>
      found.push({ statusCode, headers, httpVersion, rawHeaders, statusMessage }),
    );
    await answered(sent.end());
    return found;
  },
  "what an answer says of the connection": async (make) => {
    const agents = [
      undefined,
      false,
      new http.Agent(),
      new http.Agent({ keepAlive: true }),
      new http.Agent({ maxSockets: 2 }),
    ];
    const asked = agents.flatMap((agent) =>
      ["GET", "HEAD"].map(async (method) => {
        const sent = make("/a", { method, agent });
        const { shouldKeepAlive } = sent;
        const { connection, "keep-alive": keepAlive } = (await answered(sent.end())).response.headers;
        return { method, shouldKeepAlive, connection, keepAlive };
      }),
    );
    const found = await Promise.all(asked);
    for (const agent of agents) if (agent) agent.destroy();
    return found;
  },
  "what an answer says of the connection that a header asked for": async (make) => {
    const sent = make("/a", { agent: false, headers: { connection: "keep-alive" } }).end();
    const { connection, "keep-alive": keepAlive } = (await answered(sent)).response.headers;
    return { connection, keepAlive };
  },
  "an answer 101 that nobody asked for": async (make) => {
    const sent = make("/switch");
    const heard = record(sent, (response) => void response.resume());
    const got = once(sent, "response");
    sent.end();
    const [{ statusCode, statusMessage, complete }] = (await got) as [IncomingMessage];
    await closed(sent);
    return [heard, { statusCode, statusMessage, complete }];
  },
  "an upgrade": async (make) => {
    const sent = make("/chat", { headers: { Connection: "Upgrade", Upgrade: "chat" } });
    const heard = record(sent);
    sent.end();
    const [response, socket, head] = await once(sent, "upgrade");
    socket.write("hi");
    const { statusCode, headers, complete } = response;
    const { upgrade } = headers;
    let all = String(head);
    for await (const chunk of socket) all += chunk;
    await closed(sent);
    return [{ statusCode, upgrade, complete }, all, heard];
  },
  "an upgrade nobody listens for": async (make) => {
    const sent = make("/chat", { headers: { Connection: "Upgrade", Upgrade: "chat" } });
    const heard = record(sent);
    sent.end();
    await closed(sent);
    return heard;
  },
  "stream.finished": async (make) => {
    const sent = make("/a", { method: "POST" });
    const done = new Promise((resolve) => whenFinished(sent, (error) => resolve(error?.message ?? "fine")));
    sent.on("response", (response) => void response.resume());
    sent.end("x");
    return done;
  },
  "stream.pipeline into a request": async (make) => {
    const sent = make("/a", { method: "POST" });
    const got = answered(sent);
    await pipeline(Readable.from(["a", "b"]), new PassThrough(), sent);
    return JSON.parse((await got).body).body;
  },
  "a form of the form-data package": async (make) => {
    const form = new FormData();
    form.append("k", "v");
    form.append("f", Readable.from(["file"]), { filename: "f.txt", knownLength: 4 });
    const sent = make("/a", { method: "POST", headers: form.getHeaders() });
    form.pipe(sent);
    const { body } = JSON.parse((await answered(sent)).body);
    return body.replaceAll(form.getBoundary(), "boundary");
  },
  "form.submit's way of setting a length": async (make) => {
    const form = new FormData();
    form.append("k", "v");
    const sent = make("/a", { method: "POST", headers: form.getHeaders() });
    sent.setHeader("Content-Length", form.getLengthSync());
    form.pipe(sent);
    return JSON.parse((await answered(sent)).body).headers["content-length"];
  },
  "setEncoding and read()": async (make) => {
    const [response] = (await once(make("/slow").end(), "response")) as [IncomingMessage];
    response.setEncoding("utf8");
    const kinds = new Set<string>();
    response.on("data", (chunk) => kinds.add(typeof chunk));
    await once(response, "end");
    return [...kinds];
  },
  "an answer piped on": async (make) => {
    const [response] = (await once(make("/slow").end(), "response")) as [IncomingMessage];
    const through = new PassThrough();
    response.pipe(through);
    return text(through);
  },
};

it.each(Object.keys(CHECKS))("%s is as without a mesh", async (name) => {
  const check = CHECKS[name]!; // its own keys
  const bare: Make = (path, options = {}, listener) =>
    http.request({ host: "127.0.0.1", port: server.port, path, ...options }, listener);
  const ours: Make = (path, options = {}, listener) => meshed.request({ host: "reviews", path, ...options }, listener);
  const expected = await check(bare);
  expect(expected).toBeDefined();
  expect(await check(ours)).toEqual(expected);
});
