import { once } from "node:events";
import { createServer, type RequestListener, type Server, request as send } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import {
  Contexts,
  type Guard,
  type OutcomeRecord,
  OutcomeSinks,
  type Rejection,
  systemClock,
  type Tracing,
} from "@inmesh/core";
import { TimerWheel } from "@inmesh/core/internal";
import { afterEach, describe, expect, it } from "vitest";
import { attachServer } from "../handler.js";
import { Inbound } from "../inbound.js";
import { Servers } from "../servers.js";

const undos: (() => void)[] = [];
afterEach(() => {
  for (const undo of undos.splice(0)) undo();
});

type Guarding = Pick<Guard, "active" | "enter">;

function mesh({ guard, tracing }: { guard?: Guarding; tracing?: Tracing } = {}) {
  const sinks = new OutcomeSinks();
  const contexts = new Contexts();
  const inbound = new Inbound({
    ...{ clock: systemClock, wheel: new TimerWheel(systemClock), contexts, sinks, tracing },
    ...{ inForce: true, onlyObserves: false },
    ...(guard && { guard }),
  });
  const ended: Record<string, unknown>[] = [];
  const waiting: (() => void)[] = [];
  sinks.add({
    ended: (record) => {
      ended.push(seen(record)); // it is reused
      for (const go of waiting.splice(0)) go();
    },
  });
  const next = async (count: number) => {
    while (ended.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    return ended;
  };
  return { inbound, contexts, next, servers: new Servers({ inbound, clock: systemClock }) };
}

function seen(record: OutcomeRecord) {
  const { method, path, query, authority, scheme, protocol, status, flags, details, code, ledger } = record;
  const { requestBytes, responseBytes, requestId, traceId, httpRoute, remoteAddress, localAddress, grpcStatus } =
    record;
  const { requestMessages, responseMessages } = record;
  const { meshMs, waitMs, bodyMs } = ledger;
  return {
    ...{ method, path, query, authority, scheme, protocol, status, flags, details, code },
    ...{ requestBytes, responseBytes, requestId, traceId, httpRoute, remoteAddress, localAddress, grpcStatus },
    ...{ requestMessages, responseMessages },
    sum: meshMs + waitMs + bodyMs - (record.endedAt - record.startedAt),
    agent: record.requestHeader("user-agent"),
    type: record.responseHeader("content-type"),
  };
}

async function listen(server: Server): Promise<number> {
  undos.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

async function ask(port: number, { body, ...options }: Asked = {}) {
  const request = send({ port, host: "127.0.0.1", agent: false, ...options });
  request.end(body);
  const [response] = await once(request, "response");
  response.resume();
  await once(response, "end");
  return response as { statusCode: number; headers: Record<string, string> };
}

describe("the record of a request served", () => {
  it("says what was asked, what was answered, in bytes and in time, without the query in its path", async () => {
    const { servers, next } = mesh();
    const app: RequestListener = (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(201, { "content-type": "text/plain" });
        response.end("created");
      });
    };
    const port = await listen(attachServer(createServer(app), servers));
    const headers = { "x-request-id": "r1", "user-agent": "test", "transfer-encoding": "chunked" };
    const answer = await ask(port, { method: "POST", path: "/orders?card=1", headers, body: "order" });
    const [record] = await next(1);
    expect(record).toMatchObject({
      ...{ method: "POST", path: "/orders", query: "card=1", authority: `127.0.0.1:${port}`, scheme: "http" },
      ...{ protocol: "HTTP/1.1", status: 201, flags: 0, details: "via_upstream", code: "", requestBytes: 5 },
      ...{ requestId: "r1", agent: "test", type: "text/plain", grpcStatus: -1, localAddress: `127.0.0.1:${port}` },
    });
    expect(record?.["responseBytes"]).toBe("7\r\ncreated\r\n0\r\n\r\n".length);
    expect(record?.["sum"]).toBeCloseTo(0, 6);
    expect(record?.["remoteAddress"]).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(answer.headers).not.toHaveProperty("x-request-id"); // answers are the application's, as with Istio
  });

  it("gives a request without one an id, which its calls and the record agree on", async () => {
    const { servers, contexts, next } = mesh();
    const heard: unknown[] = [];
    const app: RequestListener = (request, response) => {
      heard.push(request.headers["x-request-id"], contexts.current()?.forward);
      response.end();
    };
    const port = await listen(attachServer(createServer(app), servers));
    await ask(port, { headers: { traceparent: "00-xyz", tracestate: "a=b", b3: "0" } });
    const id = (heard[1] as string[]).at(-1);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    // A traceparent that cannot be read goes no further, nor what belongs to it.
    expect(heard).toEqual([undefined, ["b3", "0", "x-request-id", id]]);
    expect((await next(1))[0]).toMatchObject({ requestId: id, traceId: "" });
  });

  it("tells a caller that left from a failure", async () => {
    const { servers, next } = mesh();
    const server = attachServer(
      createServer(() => {}),
      servers,
    );
    const port = await listen(server);
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(server, "request");
    socket.destroy();
    expect((await next(1))[0]).toMatchObject({
      ...{ status: 0, flags: 1 << 10, details: "downstream_remote_disconnect", code: "" },
    });
  });

  it("says by which rule a request was turned away", async () => {
    const denied: Rejection = {
      ...{ code: "ACCESS_DENIED", status: 403, grpcStatus: 7, headers: [], body: "RBAC: access denied" },
    };
    const policy = { kind: "AuthorizationPolicy", namespace: "shop", name: "closed" };
    const guard = {
      active: true,
      enter: (arrival: Parameters<Guard["enter"]>[0]) => {
        if (arrival.context) arrival.context.rule = { action: "DENY", policy, rule: 2 } as never;
        return denied;
      },
    };
    const { servers, next } = mesh({ guard });
    const port = await listen(attachServer(createServer(), servers));
    expect((await ask(port)).statusCode).toBe(403);
    expect((await next(1))[0]).toMatchObject({
      ...{ status: 403, flags: 0, code: "ACCESS_DENIED" },
      details: "rbac_access_denied_matched_policy[ns[shop]-policy[closed]-rule[2]]",
    });
  });

  it.each(["express", "express4"])("says the pattern of the router of %s, whatever its caller wrote", async (name) => {
    const { servers, next } = mesh();
    const express = (await import(name)).default as typeof import("express");
    const app = express();
    const users = express.Router({ mergeParams: true });
    users.get("/orders/:order", (_: unknown, response: { end(): void }) => void response.end());
    app.use("/users/:user", users);
    const port = await listen(attachServer(createServer(app), servers));
    await ask(port, { path: "/users/42/orders/7" });
    await ask(port, { path: "/nowhere" });
    const routes = (await next(2)).map(({ httpRoute, status }) => [status, httpRoute]);
    expect(routes).toEqual([
      [200, "/users/:user/orders/:order"],
      [404, ""],
    ]);
  });

  it("runs the application in the request's span, and ends that with the record", async () => {
    const ends: unknown[] = [];
    let inside = false;
    const span = {
      ...{ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true, propagates: true, headers: [] },
      run: <Result>(work: () => Result): Result => {
        inside = true;
        try {
          return work();
        } finally {
          inside = false;
        }
      },
      end: (record: OutcomeRecord) => void ends.push([record.status, record.traceId]),
    };
    const tracing: Tracing = {
      startCall: () => undefined,
      startRequest: (_, head) => (head.target === "/" && head.header("host") !== undefined ? span : undefined),
      quietly: (work) => work(),
    };
    const { servers, next } = mesh({ tracing });
    let ran = false;
    const app: RequestListener = (_, response) => {
      ran = inside;
      response.end();
    };
    await ask(await listen(attachServer(createServer(app), servers)));
    expect((await next(1))[0]).toMatchObject({ traceId: span.traceId });
    expect([ran, ends]).toEqual([true, [[200, span.traceId]]]);
  });

  it("is the same over HTTP/2, with the status of gRPC and its messages", async () => {
    const { servers, next } = mesh();
    const server = attachServer(createServer2(), servers);
    undos.push(() => server.close());
    server.on("stream", (stream) => {
      stream.respond({ "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "5" }));
      stream.resume().on("end", () => stream.end("\0\0\0\0\0\0\0\0\0\x01x"));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const session = connect2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    undos.push(() => session.close());
    const stream = session.request({ ":method": "POST", ":path": "/p.S/M?q", "content-type": "application/grpc" });
    stream.write("\0\0\0");
    stream.end("\0\x02ab");
    stream.resume();
    await once(stream, "response");
    expect((await next(1))[0]).toMatchObject({
      ...{ method: "POST", path: "/p.S/M", query: "q", protocol: "HTTP/2", status: 200, grpcStatus: 5 },
      ...{
        ...{ requestBytes: 7, responseBytes: 11, requestMessages: 1, responseMessages: 2 },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        type: "application/grpc",
      },
    });
  });
});
