/** The kinds of servers that Node has, each with a caller of its own that knows nothing of a mesh. */

import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import http2, { type ClientHttp2Stream, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { TestAuthority } from "../../http/test/certificates.js";
import type { Mesh } from "../src/mesh.js";

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface RunningServer {
  readonly port: number;
  ask(asked?: Asked): Promise<Answered>;
  /** Asks, and goes away when `gone` resolves; without having had an answer. */
  leave(asked: Asked, gone: Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

/** Answers with the text that the promise resolves to. */
export type Application = (path: string) => string | Promise<string>;

const authority = new TestAuthority();
const { cert, key } = authority.issue(["localhost", "127.0.0.1"]);
const trust = { ca: authority.pem, rejectUnauthorized: true };

const byRequest = (application: Application) => (request: IncomingMessage, response: ServerResponse) => {
  request.resume();
  void Promise.resolve(application(request.url ?? "")).then((text) => response.end(text));
};
const byCompat =
  (application: Application) => (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
    request.resume();
    void Promise.resolve(application(request.url)).then((text) => response.end(text));
  };
const byStream = (application: Application) => (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  stream.resume();
  stream.on("error", () => {});
  void Promise.resolve(application(headers[":path"] ?? "")).then((text) => {
    if (stream.destroyed) return;
    stream.respond({ ":status": 200 });
    stream.end(text);
  });
};

type AnyServer = http.Server | https.Server | http2.Http2Server | http2.Http2SecureServer;

/** By name: how it is made and how it is asked. */
const KINDS: Readonly<
  Record<string, readonly [make: (application: Application) => AnyServer, secure: boolean, two: boolean]>
> = {
  "node:http": [(application) => http.createServer(byRequest(application)), false, false],
  "node:https": [(application) => https.createServer({ cert, key }, byRequest(application)), true, false],
  "node:http2 in clear, request events": [(application) => http2.createServer(byCompat(application)), false, true],
  "node:http2 in clear, stream events": [
    (application) => http2.createServer().on("stream", byStream(application)),
    false,
    true,
  ],
  "node:http2 over TLS, request events": [
    (application) => http2.createSecureServer({ cert, key }, byCompat(application)),
    true,
    true,
  ],
  "node:http2 over TLS, stream events": [
    (application) => http2.createSecureServer({ cert, key }).on("stream", byStream(application)),
    true,
    true,
  ],
};
export const SERVER_KINDS = Object.keys(KINDS);

export async function startServer(kind: string, mesh: Mesh, application: Application): Promise<RunningServer> {
  const [make, secure, two] = KINDS[kind]!;
  const server = mesh.attach(make(application));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const sessions = new Set<http2.Http2Session>();
  server.on("session", (session: http2.Http2Session) => sessions.add(session));
  const callers = two ? callerByHttp2(port, secure) : callerByHttp1(port, secure);
  return {
    port,
    ask: callers.ask,
    leave: callers.leave,
    async close() {
      callers.close();
      for (const session of sessions) session.destroy();
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections();
    },
  };
}

function callerByHttp1(port: number, secure: boolean) {
  const agent = secure ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  const begin = ({ method = "GET", path = "/", headers = {}, body }: Asked) => {
    const options = { port, host: "127.0.0.1", method, path, headers, agent, ...(secure && trust) };
    const request = secure ? https.request(options) : http.request(options);
    request.end(body);
    return request;
  };
  return {
    async ask(asked: Asked = {}): Promise<Answered> {
      const [response] = (await once(begin(asked), "response")) as [IncomingMessage];
      let body = "";
      for await (const chunk of response) body += chunk;
      return { status: response.statusCode ?? 0, headers: response.headers, body };
    },
    async leave(asked: Asked, gone: Promise<unknown>) {
      const request = begin(asked).on("error", () => {});
      await gone;
      request.destroy();
    },
    close: () => agent.destroy(),
  };
}

function callerByHttp2(port: number, secure: boolean) {
  const session = http2.connect(`${secure ? "https" : "http"}://127.0.0.1:${port}`, secure ? trust : {});
  session.on("error", () => {});
  const begin = ({ method = "GET", path = "/", headers = {}, body }: Asked): ClientHttp2Stream => {
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    stream.on("error", () => {});
    stream.end(body);
    return stream;
  };
  return {
    async ask(asked: Asked = {}): Promise<Answered> {
      const stream = begin(asked);
      const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
      let body = "";
      for await (const chunk of stream) body += chunk;
      return { status: Number(headers[":status"]), headers, body };
    },
    async leave(asked: Asked, gone: Promise<unknown>) {
      const stream = begin(asked);
      await gone;
      stream.close(http2.constants.NGHTTP2_CANCEL);
    },
    close: () => session.destroy(),
  };
}
