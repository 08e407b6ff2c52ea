/** AuthorizationPolicies as people write them, before every kind of server, over raw sockets. */

import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { MemoryRegistry, type TokenVerifier } from "@inmesh/core";
import { type Claims, parseDocuments } from "@inmesh/model";
import express from "express";
import express4 from "express4";
import fastify from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import { readCaseFile, whyMissing } from "../../core/src/testing/recorded-cases.test.helper.js";
import { type ConnectedMesh, PLANE } from "../src/connected-mesh.js";
import { createMesh } from "../src/create-mesh.js";
import type { Mesh } from "../src/mesh.js";
import { SERVER_KINDS, startServer } from "./server-kinds.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function policy(name: string, spec: string): string {
  const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy";
  return `${head}\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n---\n`;
}

function meshConfig(fields: string): string {
  return `apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig\n${fields}\n---\n`;
}

const ALL = policy("all", "{ rules: [{}] }");
const NO_ADMIN = policy("no-admin", '{ action: DENY, rules: [{ to: [{ operation: { paths: ["/admin*"] } }] }] }');

async function meshWith(yaml: string, options: { readonly labels?: Readonly<Record<string, string>> } = {}) {
  const registry = new MemoryRegistry();
  const apply = async (text: string) => {
    const { documents, problems } = parseDocuments(text, { file: "policy.yaml", namespace: "default" });
    expect(problems).toEqual([]);
    await registry.apply(documents);
  };
  await apply(yaml);
  const mesh = await createMesh({
    service: "web",
    config: registry,
    propagationDelayMs: 0,
    admin: "off",
    log: "error",
    ...options,
  });
  closing.push(() => mesh.close());
  await mesh.ready();
  return { mesh, apply, plane: (mesh as ConnectedMesh)[PLANE] };
}

/** What an application saw of the last request. */
interface Seen {
  url: string;
  host: string | undefined;
  requests: number;
}

type Frame = (mesh: Mesh, seen: Seen) => Promise<number>;

const FRAMES: Readonly<Record<string, Frame>> = {
  "node:http": async (mesh, seen) =>
    listen(
      mesh,
      http.createServer((request, response) => answer(seen, request, request.url, (text) => response.end(text))),
    ),
  "Express 5": async (mesh, seen) => {
    const app = express();
    app.use((request, response) => answer(seen, request, request.originalUrl, (text) => response.end(text)));
    return listen(mesh, http.createServer(app));
  },
  "Express 4": async (mesh, seen) => {
    const app = express4();
    app.use((request, response) => answer(seen, request, request.originalUrl, (text) => response.end(text)));
    return listen(mesh, http.createServer(app));
  },
  "Express 5 with the mesh's middleware only": async (mesh, seen) => {
    const app = express();
    app.use(mesh.express());
    app.use((request, response) => answer(seen, request, request.originalUrl, (text) => response.end(text)));
    const server = http.createServer(app);
    closing.push(() => server.close().closeAllConnections());
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  },
  Fastify: async (mesh, seen) => {
    const app = fastify();
    await app.register(mesh.fastify());
    app.all("/*", (request, reply) => answer(seen, request.raw, request.url, (text) => void reply.send(text)));
    closing.push(() => app.close());
    await app.listen({ port: 0, host: "127.0.0.1" });
    return (app.server.address() as AddressInfo).port;
  },
};

function answer(seen: Seen, { headers }: IncomingMessage, url: string | undefined, end: (text: string) => unknown) {
  Object.assign(seen, { url, host: headers.host, requests: seen.requests + 1 });
  end("served");
}

async function listen(mesh: Mesh, server: http.Server): Promise<number> {
  closing.push(() => server.close().closeAllConnections());
  await once(mesh.attach(server).listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** @returns all that came until the connection ended */
async function raw(port: number, text: string, localAddress = "127.0.0.1"): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  socket.write(Buffer.from(text, "latin1"));
  return received(socket);
}

async function received(socket: Socket): Promise<string> {
  let all = "";
  for await (const chunk of socket.setEncoding("latin1")) all += chunk;
  return all;
}

const get = (target: string, more = "Host: web\r\n") => `GET ${target} HTTP/1.1\r\n${more}Connection: close\r\n\r\n`;
const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);

/** Each as a real Envoy 1.40 forwards it; undefined: 400. In order: NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES. */
const PATHS: readonly (readonly [target: string, ...seen: (string | undefined)[]])[] = [
  ["/plain/path?q=/../x", "/plain/path?q=/../x"],
  ["/a/./b/../c", "/a/./b/../c", "/a/c"],
  ["/..", "/..", "/"],
  ["/a/%2e%2E/b", "/a/%2e%2E/b", "/b"],
  ["/a/b//../c", "/a/b//../c", "/a/b/c"],
  ["//a//b", "//a//b", "//a//b", "/a/b"],
  ["/a\\b", "/a\\b", "/a/b"],
  ["/a%2Fb", "/a%2Fb", "/a%2Fb", "/a%2Fb", "/a/b"],
  ["/a%5c..%5cb", "/a%5c..%5cb", "/a%5c..%5cb", "/a%5c..%5cb", "/b"],
  ["/a/..%2fb", "/a/..%2fb", "/a/..%2fb", "/a/..%2fb", "/b"],
  ["/%61dmin%7e", "/%61dmin%7e", "/admin~"],
  ["/a%252fb", "/a%252fb"],
  ["/a/..;x/b", "/a/..;x/b", "/b"],
  ["/a;x=1/b;", "/a;x=1/b;"],
  ["/a/{x}|", "/a/{x}|", "/a/%7Bx%7D%7C"],
  ["/a#f", "/a"],
  ["/a%00b", "/a%00b", undefined],
  ["/a/\u00e9", undefined],
  ["a/b", undefined],
  ["http://other:81/a/../b", "/a/../b", "/b"],
];

const MODES = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;

describe.each(Object.entries(FRAMES))("%s", (_, frame) => {
  it.each(MODES.map((mode, at) => [mode, at] as const))("sees the path that rules see under %s", async (mode, at) => {
    const { mesh } = await meshWith(`${meshConfig(`pathNormalization: { normalization: ${mode} }`)}${ALL}`);
    const seen: Seen = { url: "", host: "", requests: 0 };
    const port = await frame(mesh, seen);
    const found: unknown[] = [];
    const wanted: unknown[] = [];
    for (const [target, ...columns] of PATHS) {
      const expected = columns[Math.min(at, columns.length - 1)];
      const before = seen.requests;
      const status = statusOf(await raw(port, get(target)));
      found.push([target, status, seen.requests > before ? seen.url : undefined]);
      wanted.push([target, expected === undefined ? 400 : 200, expected]);
    }
    expect(found).toEqual(wanted);
  });

  it("denies what is denied in every spelling, says no more than that, and reads one Host only", async () => {
    const { mesh, plane } = await meshWith(NO_ADMIN);
    const seen: Seen = { url: "", host: "", requests: 0 };
    const port = await frame(mesh, seen);
    const targets = ["/admin", "/x/../admin", "/%61dmin", "/.//..\\admin", "/admin/x?y", "http://web/admin"];
    for (const target of targets) {
      const text = await raw(port, get(target));
      expect([target, statusOf(text), text.split("\r\n\r\n")[1]]).toEqual([target, 403, "RBAC: access denied"]);
      expect(text).not.toContain("no-admin");
    }
    expect(statusOf(await raw(port, get("/x", "Host: web\r\nHost: other\r\n")))).toBe(400);
    expect(statusOf(await raw(port, get("/x", "Host: web/admin\r\n")))).toBe(400);
    expect(seen.requests).toBe(0);
    expect(statusOf(await raw(port, get("http://other:81/x")))).toBe(200);
    expect(seen).toMatchObject({ url: "/x", host: "other:81", requests: 1 });
    expect(plane.engine.guard.read()).toMatchObject({
      ...{ allowed: 1, denied: targets.length, invalid: 2 },
      rules: [{ policy: "AuthorizationPolicy/default/no-admin", rule: 0, action: "DENY", count: targets.length }],
    });
    expect(plane.inbound.read()).toMatchObject({ denied: targets.length + 2, failures: 0 });
    const said = plane.events
      .view()
      .events.filter(({ kind, message }) => kind === "access" && !message.includes("without regard to case"));
    expect(said.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^DENY rule 0 of AuthorizationPolicy default\/no-admin turns requests away: .*"GET \/admin" from/,
      ),
      expect.stringMatching(/more than one Host/),
    ]);
  });
});

describe.each(SERVER_KINDS)("%s", (kind) => {
  it("answers 403 before the application sees the request, and gRPC callers by their own status", async () => {
    const { mesh } = await meshWith(NO_ADMIN);
    const seen: string[] = [];
    const server = await startServer(kind, mesh, (path) => `served ${seen.push(path)}`);
    closing.push(() => server.close());
    expect(await server.ask({ path: "/x/../admin", method: "POST", body: "x".repeat(100_000) })).toMatchObject({
      status: 403,
      body: "RBAC: access denied",
    });
    expect(await server.ask({ path: "/x/../ok/%41?q" })).toMatchObject({ status: 200, body: "served 1" });
    expect(seen).toEqual(["/ok/A?q"]);
    if (!kind.includes("http2")) return;
    const grpc = await server.ask({ path: "/admin.Service/Get", headers: { "content-type": "application/grpc" } });
    expect(grpc).toMatchObject({ status: 200, headers: { "grpc-status": "7", "grpc-message": "RBAC: access denied" } });
    expect(seen).toHaveLength(1);
  });
});

describe("what leaves HTTP, or asks before it sends", () => {
  it.each([
    ["an upgrade", "GET /admin/ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
    ["CONNECT", "CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n"],
    [
      "a request that waits for 100",
      `POST /admin HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    ],
    [
      "one that expects something else",
      `POST /admin HTTP/1.1\r\nHost: web\r\nExpect: cake\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    ],
  ])("%s is denied like any other", async (_, text) => {
    const connects = policy("no-connect", "{ action: DENY, rules: [{ to: [{ operation: { methods: [CONNECT] } }] }] }");
    const { mesh } = await meshWith(NO_ADMIN + connects);
    const reached: string[] = [];
    const server = http.createServer(() => reached.push("request"));
    for (const event of ["upgrade", "connect", "checkContinue", "checkExpectation"]) {
      server.on(event, () => reached.push(event));
    }
    const port = await listen(mesh, server);
    const answered = await raw(port, text);
    expect(answered.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "")).toMatch(
      /^HTTP\/1\.1 403 [\s\S]*RBAC: access denied$/,
    );
    expect(reached).toEqual([]);
  });

  it("an upgrade that may pass is the application's, its path in one spelling", async () => {
    const { mesh } = await meshWith(NO_ADMIN);
    const server = http.createServer().on("upgrade", ({ url }, socket) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\nx-url: ${url}\r\n\r\n`);
    });
    const port = await listen(mesh, server);
    const text = "GET /x/../ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    expect(await raw(port, text)).toMatch(/^HTTP\/1\.1 101 [\s\S]*x-url: \/ws\r\n/);
  });
});

it("holds while MeshMode is off, and a change of policy holds for the next request on the same connection", async () => {
  const off =
    "apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\nmetadata: { name: mode, namespace: default }\nspec: { mode: off }\n---\n";
  const { mesh, apply, plane } = await meshWith(off + NO_ADMIN);
  const seen: Seen = { url: "", host: "", requests: 0 };
  const port = await (FRAMES["node:http"] as Frame)(mesh, seen);
  expect(plane.store.current?.mode).toBe("off");
  expect(statusOf(await raw(port, get("/admin")))).toBe(403);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  closing.push(() => agent.destroy());
  const ask = async (path: string): Promise<[number, number]> => {
    const request = http.get({ port, host: "127.0.0.1", path, agent });
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    return [response.statusCode ?? 0, request.reusedSocket ? 1 : 0];
  };
  expect(await ask("/x")).toEqual([200, 0]);
  await apply(policy("none", "{}"));
  await expect.poll(() => plane.store.current?.security.access.decide({} as never).allowed).toBe(false);
  expect(await ask("/x")).toEqual([403, 1]);
});

it("takes the client's address from as many proxies as policy trusts, and from nobody without", async () => {
  const blocks = policy(
    "blocked",
    "{ action: DENY, rules: [{ from: [{ source: { remoteIpBlocks: [203.0.113.0/24] } }] }] }",
  );
  const headers = "Host: web\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.1\r\nX-Forwarded-For: 203.0.113.5\r\n";
  for (const [trusted, status] of [
    [0, 200],
    [1, 403],
    [2, 200],
    [3, 403],
    [4, 200],
  ] as const) {
    const config = meshConfig(`defaultConfig: { gatewayTopology: { numTrustedProxies: ${trusted} } }`);
    const { mesh } = await meshWith(config + blocks);
    const port = await (FRAMES["node:http"] as Frame)(mesh, { url: "", host: "", requests: 0 });
    expect([trusted, statusOf(await raw(port, get("/", headers)))]).toEqual([trusted, status]);
  }
});

it.each(["Express 5", "Express 4", "Express 5 with the mesh's middleware only"])(
  "tells that %s takes /ADMIN for /admin where rules do not, until policy says that case means nothing",
  async (name) => {
    const { mesh, apply, plane } = await meshWith(ALL);
    const seen: Seen = { url: "", host: "", requests: 0 };
    const port = await (FRAMES[name] as Frame)(mesh, seen);
    const said = () => plane.events.view().events.filter(({ message }) => message.includes("without regard to case"));
    expect([statusOf(await raw(port, get("/ADMIN"))), said()]).toEqual([200, []]);
    await apply(NO_ADMIN);
    await expect.poll(said).toHaveLength(1);
    expect(statusOf(await raw(port, get("/ADMIN")))).toBe(200);
    await apply(
      NO_ADMIN.replace(
        "namespace: default }",
        'namespace: default, annotations: { inmesh.dev/ignore-path-case: "true" } }',
      ),
    );
    await expect.poll(() => plane.store.current?.security.ignoresPathCase).toBe(true);
    expect(statusOf(await raw(port, get("/x/../ADMIN")))).toBe(403);
    expect([statusOf(await raw(port, get("/Other"))), seen.url]).toEqual([200, "/Other"]);
    expect(said()).toHaveLength(1);
  },
);

const FILE = "istio-authz.json";
const missing = whyMissing(FILE);

interface Recorded {
  readonly groups: readonly {
    readonly id: string;
    readonly workload: { readonly labels: Readonly<Record<string, string>> };
    readonly policies: readonly { readonly metadata: { readonly namespace: string } }[];
    readonly cases: readonly {
      readonly request: {
        readonly method: string;
        readonly path: string;
        readonly host: string;
        readonly ip: string;
        readonly port: number;
        readonly principal?: string;
        readonly headers?: Readonly<Record<string, string>>;
        readonly jwt?: Claims;
      };
      readonly expect: { readonly allow: boolean; readonly path?: string };
    }[];
  }[];
}

/** Believes what a header says, so that the recorded claims need no keys. */
const BELIEVING: TokenVerifier = {
  authenticate: (rules, { header }) => {
    const claims = header("x-test-claims");
    if (typeof claims !== "string") return { kind: "none" };
    return Promise.resolve({
      kind: "valid",
      rule: rules[0]!, // one is in force
      claims: JSON.parse(claims) as Claims,
      remove: [{ kind: "header", name: "X-Test-Claims" }],
      headers: ["x-sub", "of the token"],
    });
  },
  prepare: () => {},
  read: () => [],
  close: () => {},
};

it.skipIf(missing !== undefined)(
  `decides over sockets as Istio did${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  async () => {
    const { groups } = readCaseFile<Recorded>(FILE);
    const tokens = {
      apiVersion: "security.istio.io/v1",
      kind: "RequestAuthentication",
      metadata: { name: "tokens", namespace: "shop" },
    };
    const jwtRules = ["iss-a", "iss-b"].map((issuer) => ({ issuer, jwks: '{"keys":[]}' }));
    let judged = 0;
    const wrong: string[] = [];
    // Every tenth group, its callers without certificate: TLS has tests of its own.
    for (const { id, workload, policies, cases } of groups.filter((_, at) => at % 10 === 0)) {
      const registry = new MemoryRegistry();
      const { labels } = workload;
      const mesh = await createMesh({
        service: "cart",
        namespace: "shop",
        labels,
        config: registry,
        admin: "off",
        log: "error",
        propagationDelayMs: 0,
      });
      closing.push(() => mesh.close());
      const yaml = [...policies, { ...tokens, spec: { jwtRules } }].map((each) => JSON.stringify(each)).join("\n---\n");
      await registry.apply(parseDocuments(yaml, { file: "policy.yaml" }).documents);
      const { engine, store } = (mesh as ConnectedMesh)[PLANE];
      engine.guard.tokens = BELIEVING;
      await expect.poll(() => store.current?.security.jwt.length).toBe(2);
      const seen: unknown[] = [];
      const server = http.createServer(({ url, headers }, response) => {
        seen.push([url, headers["x-test-claims"], headers["x-sub"]]);
        response.end();
      });
      // Rules name port 8080 or another one; the port of the test is neither.
      const port = await listen(mesh, server);
      for (const { request, expect: wanted } of cases) {
        if (request.principal !== undefined || JSON.stringify(policies).includes('"ports"')) continue;
        if (/destination\.port|notPorts/.test(JSON.stringify(policies))) continue;
        const { method, path, host, ip, headers = {}, jwt } = request;
        const lines = {
          Host: host,
          Connection: "close",
          ...headers,
          ...(jwt && { "X-Test-Claims": JSON.stringify(jwt) }),
        };
        const head = Object.entries(lines)
          .map(([name, value]) => `${name}: ${value}\r\n`)
          .join("");
        seen.length = 0;
        const status = statusOf(await raw(port, `${method} ${path} HTTP/1.1\r\n${head}\r\n`, ip));
        judged += 1;
        const found = JSON.stringify([status, seen]);
        const right = JSON.stringify(
          wanted.allow ? [200, [[wanted.path, undefined, jwt && "of the token"]]] : [403, []],
        );
        if (found !== right) wrong.push(`${id} ${JSON.stringify(request)}: ${found}, expected ${right}`);
      }
      await mesh.close();
      server.close().closeAllConnections();
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    expect(judged).toBeGreaterThan(40);
  },
);
