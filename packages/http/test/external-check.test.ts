import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { AccessControl, AccessRule, ExternalAuthorizer, Snapshot } from "@inmesh/model";
import { defaultSecurity, NO_ACCESS_CONTROL } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { HttpExternalCheck } from "../src/client/external-check.js";
import { attachServer } from "../src/server/handler.js";
import { Inbound } from "../src/server/inbound.js";
import type { AnyServer } from "../src/server/patch-servers.js";
import { Servers } from "../src/server/servers.js";
import { type FakeMesh, fakeMesh } from "./mesh.js";

const undos: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) await undo();
});

async function listen(server: Server | AnyServer): Promise<number> {
  undos.push(() => {
    (server as Server).close();
    (server as Partial<Server>).closeAllConnections?.();
  });
  await once((server as Server).listen(0, "127.0.0.1"), "listening");
  return ((server as Server).address() as AddressInfo).port;
}

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const HOST = "authz.default.svc.cluster.local";
const RULE: AccessRule = {
  action: "CUSTOM",
  policy: { kind: "AuthorizationPolicy", namespace: "shop", name: "ask" },
  rule: 0,
};
const AUTHORIZER: ExternalAuthorizer = {
  ...{ name: "p", host: HOST, port: 80, timeoutMs: 5_000, failOpen: false, statusOnError: 403, pathPrefix: "" },
  ...{ includeRequestHeaders: [], additionalHeaders: [], headersToUpstreamOnAllow: [] },
  ...{ headersToDownstreamOnAllow: [], headersToDownstreamOnDeny: [], refusal: "" },
};

/** Everything under /c is another's to judge. */
function asking(more: Partial<AccessControl> = {}): AccessControl {
  return {
    ...NO_ACCESS_CONTROL,
    ...{ active: true, asksProviders: true, comparesPathCase: false },
    custom: ({ http }) => (http?.path.startsWith("/c") ? { rule: RULE, provider: "p", refusal: "" } : undefined),
    ...more,
  };
}

async function mesh(
  authorizer: RequestListener,
  part: Partial<ExternalAuthorizer> = {},
  access: AccessControl = asking(),
) {
  const asked: Asked[] = [];
  const port = await listen(
    createServer(async (incoming, response) => {
      let body = "";
      for await (const chunk of incoming) body += chunk;
      asked.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body });
      authorizer(incoming, response);
    }),
  );
  const made = fakeMesh({ authz: { endpoints: [port] } });
  undos.push(() => made.close());
  const notices: string[] = [];
  made.engine.guard.external = new HttpExternalCheck({
    client: made.client,
    isOwn: (host) => host.startsWith("own."),
    onNotice: (message) => notices.push(message),
  });
  guardBy(made, { ...AUTHORIZER, ...part }, access);
  return { ...made, asked, notices };
}

function guardBy({ engine }: Pick<FakeMesh, "engine">, authorizer: ExternalAuthorizer, access: AccessControl): void {
  const security = { ...defaultSecurity("cluster.local"), access, authorizers: new Map([["p", authorizer]]) };
  engine.guard.update({ security } as unknown as Snapshot);
}

async function serve({ engine }: Pick<FakeMesh, "engine">, app: RequestListener = echo): Promise<number> {
  const inbound = new Inbound(engine);
  const servers = new Servers({ inbound, clock: engine.clock });
  return listen(attachServer(createServer(app), servers));
}

async function echo(incoming: IncomingMessage, response: Parameters<RequestListener>[1]): Promise<void> {
  let body = "";
  for await (const chunk of incoming) body += chunk;
  response.end(JSON.stringify({ url: incoming.url, headers: incoming.headers, body }));
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

function ask(port: number, path = "/c", options: Record<string, unknown> = {}): Promise<Reply> {
  const { body, ...rest } = options as { body?: string | readonly string[] };
  return new Promise((resolve, reject) => {
    const made = request({ port, host: "127.0.0.1", path, agent: false, ...rest }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, headers: response.headers, text });
    });
    made.on("error", reject);
    if (typeof body === "string" || body === undefined) made.end(body);
    else {
      for (const chunk of body) made.write(chunk);
      made.end();
    }
  });
}

const allow: RequestListener = (_, response) => response.end();

describe("an external authorizer", () => {
  it("is told method, path, host and authorization, and nothing else of the request", async () => {
    const made = await mesh(allow);
    const port = await serve(made);
    const headers = { host: "web.example:8080", authorization: "Bearer x", cookie: "a=1", "x-a": "1" };
    expect((await ask(port, "/c/p?q=1", { method: "DELETE", headers })).status).toBe(200);
    const [asked] = made.asked;
    expect(asked).toMatchObject({ method: "DELETE", url: "/c/p?q=1", body: "" });
    expect(asked?.headers).toMatchObject({ host: "web.example:8080", authorization: "Bearer x" });
    expect(Object.keys(asked?.headers ?? {})).not.toEqual(expect.arrayContaining(["cookie"]));
    expect(asked?.headers["x-a"]).toBeUndefined();
    expect(made.calls.map(({ host }) => host)).toEqual([HOST]);
  });

  it("is told what policy names, in the spelling that the application gets", async () => {
    const made = await mesh(allow, {
      pathPrefix: "/check",
      includeRequestHeaders: ["x-a", "x-pre-*", "*-suf"],
      additionalHeaders: [
        ["X-From", "inmesh"],
        ["x-a", "ours"],
      ],
    });
    const port = await serve(made);
    const headers = {
      "x-a": "theirs",
      "X-Pre-1": ["1", "2"],
      "y-suf": "3",
      "z-other": "4",
      "x-inmesh-identity": "root",
    };
    await ask(port, "/x/../c", { headers });
    expect(made.asked[0]?.url).toBe("/check/c");
    expect(made.asked[0]?.headers).toMatchObject({ "x-a": "ours", "x-pre-1": "1,2", "y-suf": "3", "x-from": "inmesh" });
    expect(made.asked[0]?.headers["z-other"]).toBeUndefined();
  });

  it("is told of the request by commands in the values, as Envoy fills them in, and nothing where nothing is there", async () => {
    const made = await mesh(allow, {
      additionalHeaders: [
        ["x-req", "a%REQ(x-foo)%b%REQ(x-none)%"],
        ["x-first", "%REQ(x-none?x-foo):2%"],
        ["x-only-absent", "%REQ(x-none)%"],
        ["x-what", "%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %PROTOCOL%"],
        ["x-who", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%%DOWNSTREAM_PEER_URI_SAN%"],
        ["x-percent", "100%%"],
        ["x-unknown", "%UPSTREAM_CLUSTER%"],
      ],
    });
    const port = await serve(made);
    await ask(port, "/x/../c?q=1", { headers: { host: "web.example", "x-foo": "bar" } });
    expect(made.asked[0]?.headers).toMatchObject({
      ...{ "x-req": "abarb", "x-first": "ba", "x-what": "GET /c?q=1 web.example HTTP/1.1", "x-who": "127.0.0.1" },
      ...{ "x-percent": "100%", "x-unknown": "%UPSTREAM_CLUSTER%" },
    });
    expect(made.asked[0]?.headers["x-only-absent"]).toBeUndefined();
  });

  it("is not asked where no rule says so, and asked before tokens and other rules are looked at", async () => {
    const made = await mesh(
      allow,
      {},
      asking({ decide: () => ({ allowed: false, decidedBy: null, reason: "", audit: [], dryRun: [] }) }),
    );
    const port = await serve(made);
    expect(await ask(port, "/d")).toMatchObject({ status: 403, text: "RBAC: access denied" });
    expect(made.asked).toHaveLength(0);
    expect(await ask(port)).toMatchObject({ status: 403, text: "RBAC: access denied" }); // to allow is not to override
    expect(made.asked).toHaveLength(1);
  });

  it("lets a request in with its headers, and the answer out with others, as policy names them", async () => {
    const made = await mesh(
      (_, response) => {
        response.setHeader("X-User", "jane").setHeader("x-up-b", ["1", "2"]).setHeader("x-down", "d");
        response.setHeader("x-other", "o").setHeader("x-inmesh-identity", "root").end("ignored");
      },
      { headersToUpstreamOnAllow: ["x-user", "x-up-*", "x-inmesh-*"], headersToDownstreamOnAllow: ["x-down"] },
    );
    const port = await serve(made);
    const { status, headers, text } = await ask(port, "/c", { headers: { "x-user": "root", "x-keep": "k" } });
    expect(status).toBe(200);
    expect(headers["x-down"]).toBe("d");
    expect(headers["x-other"]).toBeUndefined();
    const got = JSON.parse(text).headers;
    expect(got).toMatchObject({ "x-user": "jane", "x-up-b": "1, 2", "x-keep": "k" });
    expect(got).not.toHaveProperty("x-other");
    expect(got).not.toHaveProperty("x-inmesh-identity");
  });

  it.each([401, 302, 404, 201, 204])("denies with status %i in its own words", async (status) => {
    const made = await mesh((_, response) => {
      response
        .setHeader("set-cookie", ["a=1", "b=2"])
        .setHeader("location", "/login")
        .setHeader("content-type", "text/html");
      response.writeHead(status).end(status === 204 ? undefined : "<p>ü</p>");
    });
    const port = await serve(made);
    const reply = await ask(port);
    expect(reply.status).toBe(status);
    expect(reply.headers).toMatchObject({
      "set-cookie": ["a=1", "b=2"],
      location: "/login",
      "content-type": "text/html",
    });
    expect(reply.text).toBe(status === 204 ? "" : "<p>ü</p>");
    expect(made.engine.guard.read()).toMatchObject({ denied: 1, allowed: 0 });
  });

  it("denies with the headers that policy names, and those without which nobody could do as told", async () => {
    const made = await mesh(
      (_, response) => {
        response.setHeader("x-a", "1").setHeader("x-b", "2").setHeader("www-authenticate", "Basic");
        response.writeHead(401).end("no");
      },
      { headersToDownstreamOnDeny: ["x-a"] },
    );
    const { headers } = await ask(await serve(made));
    expect(headers).toMatchObject({ "x-a": "1", "www-authenticate": "Basic", "content-type": "text/plain" });
    expect(headers["x-b"]).toBeUndefined();
  });

  it.each<[string, RequestListener]>([
    ["fails", (_, response) => response.writeHead(500).end("stack trace")],
    ["is overloaded", (_, response) => response.writeHead(503).end()],
    ["cuts the connection", ({ socket }) => socket.destroy()],
    [
      "breaks off",
      ({ socket }, response) => {
        response.writeHead(200, { "content-length": "10" }).write("x", () => socket.destroy());
      },
    ],
    ["says too much", (_, response) => response.writeHead(403).end("x".repeat(1_100_000))],
    ["is silent", () => {}],
    [
      "is another mesh's member that refuses",
      (_, response) => response.writeHead(429, { "x-inmesh-error": "RATE_LIMITED" }).end("why"),
    ],
  ])("that %s is no answer: denied, let in, or with another status, as policy says", async (_, answer) => {
    const made = await mesh(answer, { timeoutMs: 200 });
    const port = await serve(made);
    expect(await ask(port)).toMatchObject({ status: 403, text: "" });
    guardBy(made, { ...AUTHORIZER, timeoutMs: 200, statusOnError: 503 }, asking());
    expect(await ask(port)).toMatchObject({ status: 503, text: "" });
    guardBy(made, { ...AUTHORIZER, timeoutMs: 200, failOpen: true }, asking());
    expect(await ask(port)).toMatchObject({ status: 200 });
    expect(made.notices).toEqual([expect.stringMatching(/^the authorizer "p" cannot be asked: .*; .* denied$/)]);
  });

  it("that answers again is said to", async () => {
    let fails = true;
    const made = await mesh((_, response) => response.writeHead(fails ? 500 : 200).end());
    const port = await serve(made);
    await ask(port);
    fails = false;
    expect((await ask(port)).status).toBe(200);
    expect(made.notices.at(-1)).toBe('the authorizer "p" answers again');
  });

  it.each([
    ["that nobody serves", { host: "nobody.default.svc.cluster.local", failOpen: true }],
    ["on a port that nobody serves", { port: 81, failOpen: true }],
    ["that is this very service", { host: HOST, own: true, failOpen: true }],
    ["whose definition is broken", { refusal: "it is broken", failOpen: true }],
  ])(
    "%s denies, even where it may fail open",
    async (_, { own, ...part }: Partial<ExternalAuthorizer> & { own?: boolean }) => {
      const made = await mesh(allow, part);
      if (own)
        made.engine.guard.external = new HttpExternalCheck({
          client: made.client,
          isOwn: () => true,
          onNotice: () => {},
        });
      expect(await ask(await serve(made))).toMatchObject({ status: 403, text: "RBAC: access denied" });
      expect(made.asked).toHaveLength(0);
    },
  );

  it("that policy does not define denies", async () => {
    const made = await mesh(allow, {}, asking({ custom: () => ({ rule: RULE, provider: "q", refusal: "" }) }));
    expect(await ask(await serve(made))).toMatchObject({ status: 403, text: "RBAC: access denied" });
  });

  it("has no more time than the request it judges", async () => {
    const made = await mesh(() => {});
    const port = await serve(made);
    expect(await ask(port, "/c", { headers: { "x-inmesh-timeout-ms": "150" } })).toMatchObject({ status: 403 });
    expect(made.notices).toEqual([expect.stringContaining("DEADLINE_EXCEEDED")]);
  });

  it("denies HTTP/2 requests in their own form, those of gRPC too", async () => {
    const made = await mesh((_, response) =>
      response.writeHead(401, { "set-cookie": ["a=1", "b=2"] }).end("who are you"),
    );
    const inbound = new Inbound(made.engine);
    const servers = new Servers({ inbound, clock: made.engine.clock });
    const port = await listen(
      attachServer(
        createHttp2Server((_, response) => response.end("in")),
        servers,
      ),
    );
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    undos.push(() => session.destroy());
    const send = async (headers: Record<string, string>) => {
      const stream = session.request({ ":path": "/c", ...headers });
      stream.end();
      const [head] = await once(stream, "response");
      let text = "";
      for await (const chunk of stream) text += chunk;
      return { head, text };
    };
    const plain = await send({});
    expect(plain).toMatchObject({ head: { ":status": 401, "set-cookie": ["a=1", "b=2"] }, text: "who are you" });
    const grpc = await send({ ":method": "POST", "content-type": "application/grpc" });
    expect(grpc.head).toMatchObject({ ":status": 200, "grpc-status": "16", "grpc-message": "who are you" });
  });
});

describe("a body that is to be judged, too", () => {
  const BODY = { maxBytes: 20, allowPartial: false, packAsBytes: false };
  const post = (body: string | readonly string[], headers = {}) => ({ method: "POST", body, headers });

  it("is told, and reaches the application whole", async () => {
    const made = await mesh(allow, { body: BODY });
    const port = await serve(made);
    const { text } = await ask(port, "/c", post("hello"));
    expect(made.asked[0]).toMatchObject({ method: "POST", body: "hello" });
    expect(made.asked[0]?.headers).toMatchObject({ "content-length": "5", "x-envoy-auth-partial-body": "false" });
    expect(JSON.parse(text).body).toBe("hello");
  });

  it("is told up to the limit where a part will do", async () => {
    const made = await mesh(allow, { body: { ...BODY, allowPartial: true } });
    const port = await serve(made);
    const whole = "0123456789".repeat(50_000);
    const { text } = await ask(port, "/c", post(whole));
    expect(made.asked[0]).toMatchObject({ body: "01234567890123456789" });
    expect(made.asked[0]?.headers["x-envoy-auth-partial-body"]).toBe("true");
    expect(JSON.parse(text).body).toBe(whole);
  });

  it("beyond Node's own buffer is waited for", async () => {
    const made = await mesh(allow, { body: { ...BODY, maxBytes: 400_000 } });
    const port = await serve(made);
    const whole = "0123456789".repeat(40_000);
    const { text } = await ask(port, "/c", post([whole.slice(0, 7), whole.slice(7)]));
    expect(made.asked[0]?.body).toBe(whole);
    expect(JSON.parse(text).body).toBe(whole);
  });

  it("that is larger than the limit is refused where a part will not do", async () => {
    const made = await mesh(allow, { body: BODY });
    const port = await serve(made);
    expect(await ask(port, "/c", post("x".repeat(21)))).toMatchObject({ status: 413, text: "Payload Too Large" });
    expect(await ask(port, "/c", post("x".repeat(20)))).toMatchObject({ status: 200 });
    expect(made.asked).toHaveLength(1);
  });

  it.each([
    ["without a length", [""], {}],
    ["of length 0", "", { "content-length": "0" }],
  ])("that is empty, %s, ends before the application, too", async (_, body, headers) => {
    const made = await mesh(allow, { body: BODY });
    const port = await serve(made);
    const { status, text } = await ask(port, "/c", post(body, headers));
    expect([status, JSON.parse(text).body, made.asked[0]?.body]).toEqual([200, "", ""]);
    expect(made.asked[0]?.headers["x-envoy-auth-partial-body"]).toBeUndefined();
  });

  it("is asked for where its caller waits to be asked", async () => {
    const made = await mesh(allow, { body: BODY });
    const port = await serve(made);
    const reply = await new Promise<string>((resolve, reject) => {
      const headers = { expect: "100-continue", "content-length": "5" };
      const sent = request(
        { port, host: "127.0.0.1", path: "/c", method: "POST", headers, agent: false },
        async (response) => {
          let text = "";
          for await (const chunk of response) text += chunk;
          resolve(text);
        },
      );
      sent.on("error", reject).on("continue", () => sent.end("hello"));
      sent.flushHeaders();
    });
    expect(made.asked[0]?.body).toBe("hello");
    expect(JSON.parse(reply).body).toBe("hello");
  });

  it("of HTTP/2 is told, and reaches the application whole", async () => {
    const made = await mesh(allow, { body: { ...BODY, maxBytes: 200_000 } });
    const servers = new Servers({ inbound: new Inbound(made.engine), clock: made.engine.clock });
    const port = await listen(attachServer(createHttp2Server(echo as never), servers));
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    undos.push(() => session.destroy());
    for (const whole of ["0123456789".repeat(15_000), "0", ""]) {
      const stream = session.request({ ":path": "/c", ":method": "POST" });
      stream.end(whole);
      let text = "";
      for await (const chunk of stream) text += chunk;
      expect(made.asked.at(-1)?.body).toBe(whole);
      expect(JSON.parse(text).body).toBe(whole);
    }
  });

  it.each(["HTTP/1.1", "HTTP/2"])("of a caller that leaves meanwhile is nobody's, by %s", async (version) => {
    const made = await mesh(allow, { body: BODY });
    let served = 0;
    const app = () => void served++;
    const inbound = new Inbound(made.engine);
    const servers = new Servers({ inbound, clock: made.engine.clock });
    const isHttp2 = version === "HTTP/2";
    const port = await listen(attachServer(isHttp2 ? createHttp2Server(app) : createServer(app), servers));
    const session = isHttp2 ? connectHttp2(`http://127.0.0.1:${port}`) : undefined;
    const sent =
      session?.request({ ":path": "/c", ":method": "POST" }) ??
      request({ port, path: "/c", method: "POST", host: "127.0.0.1" });
    sent.on("error", () => {}).write("0");
    await expect.poll(() => inbound.arrived).toBe(1);
    sent.destroy();
    session?.destroy();
    await expect.poll(() => made.engine.guard.read()).toSatisfy(({ denied, allowed }) => denied + allowed === 1);
    await expect.poll(() => inbound.inFlight).toBe(0);
    expect(served).toBe(0);
  });
});
