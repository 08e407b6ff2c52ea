/** RequestAuthentication, claims in AuthorizationPolicy and CUSTOM as people write them, over real sockets. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { MemoryRegistry } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { CLAIMS, JWKS, jwk, jwks, OTHER_RSA, RSA, token } from "../../identity/src/jwt/tokens.test.helper.js";
import { type ConnectedMesh, PLANE } from "../src/connected-mesh.js";
import { createMesh } from "../src/create-mesh.js";
import type { Mesh } from "../src/mesh.js";
import type { MeshOptions } from "../src/settings/options.js";
import { SERVER_KINDS, startServer } from "./server-kinds.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const FRESH = { ...CLAIMS, exp: undefined, scope: "read write" };

function security(kind: string, name: string, spec: string): string {
  return `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n---\n`;
}

async function mesh(yaml: string, options: MeshOptions = {}, registry = new MemoryRegistry()): Promise<Mesh> {
  const { documents, problems } = parseDocuments(yaml, { file: "policy.yaml", namespace: "default" });
  expect(problems).toEqual([]);
  await registry.apply(documents);
  const made = await createMesh({
    ...{ service: "web", config: registry, propagationDelayMs: 0, admin: "off", log: "error", identity: "off" },
    ...options,
  });
  closing.push(() => made.close());
  await made.ready();
  return made;
}

async function listen(app: RequestListener, member?: Mesh): Promise<number> {
  const server: Server = createServer(app);
  closing.push(() => server.close().closeAllConnections());
  await once((member?.attach(server) ?? server).listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, path = "/", headers: Record<string, string> = {}, method = "GET") {
  const sent = request({ port, host: "127.0.0.1", path, headers, method, agent: false }).end();
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

const echo: RequestListener = ({ url, headers }, response) => void response.end(JSON.stringify({ url, headers }));
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const seen = ({ body }: { body: string }) => JSON.parse(body) as { url: string; headers: IncomingHttpHeaders };

const AUTHENTICATION = (keys: string, more = "") =>
  security(
    "RequestAuthentication",
    "users",
    `{ selector: { matchLabels: { app: web } }, jwtRules: [{ issuer: iss-a, ${keys}, outputPayloadToHeader: x-payload, outputClaimToHeaders: [{ header: x-user, claim: sub }]${more} }] }`,
  );
const INLINE = `jwks: '${JWKS}'`;

describe("a RequestAuthentication", () => {
  it("takes good tokens from the request and tells the application of them, in no other's words", async () => {
    const web = await mesh(AUTHENTICATION(INLINE));
    const port = await listen(web.handler(echo) as RequestListener);
    const text = token(FRESH);
    for (const headers of [bearer(text), { ...bearer(text), "x-user": "root", "X-Payload": "root" }]) {
      const got = seen(await ask(port, "/p?q=1", headers));
      expect(got.headers).toMatchObject({ "x-user": "u", "x-payload": text.split(".")[1] });
      expect(got.headers).not.toHaveProperty("authorization");
    }
    expect(seen(await ask(port, `/p?a=%20&access%5Ftoken=${text}&b=2`)).url).toBe("/p?a=%20&b=2");
    const anonymous = seen(await ask(port, "/", { "x-user": "root", "x-payload": "root", authorization: "Basic x" }));
    expect(anonymous.headers).toMatchObject({ authorization: "Basic x" });
    expect(anonymous.headers).not.toHaveProperty("x-user");
    expect(anonymous.headers).not.toHaveProperty("x-payload");
  });

  it("leaves tokens where policy forwards them", async () => {
    const web = await mesh(AUTHENTICATION(INLINE, ", forwardOriginalToken: true"));
    const port = await listen(web.handler(echo) as RequestListener);
    expect(seen(await ask(port, "/", bearer(token(FRESH)))).headers.authorization).toBe(`Bearer ${token(FRESH)}`);
  });

  it("takes cookies, and leaves the others", async () => {
    const web = await mesh(AUTHENTICATION(INLINE, ", fromCookies: [session]"));
    const port = await listen(web.handler(echo) as RequestListener);
    const cookie = `a=1; session=${token(FRESH)}; b=2`;
    expect(seen(await ask(port, "/", { cookie })).headers).toMatchObject({ cookie: "a=1; b=2", "x-user": "u" });
    expect((await ask(port, "/", { cookie: "session=abc" })).status).toBe(401);
  });

  it("refuses bad ones with Envoy's words, and neither they nor the log hold any of the token", async () => {
    const web = await mesh(AUTHENTICATION(INLINE, ", audiences: [a1]"));
    const port = await listen(web.handler(echo) as RequestListener);
    const bad = token(FRESH, { key: OTHER_RSA });
    expect(await ask(port, `/p"?access_token=${bad}`)).toMatchObject({
      status: 401,
      headers: { "www-authenticate": `Bearer realm="http://127.0.0.1:${port}/p%22", error="invalid_token"` },
      body: "Jwt verification fails",
    });
    expect(await ask(port, "/", bearer(token({ ...FRESH, aud: "other" })))).toMatchObject({
      ...{ status: 403, body: "Audiences in Jwt are not allowed" },
    });
    const said = JSON.stringify([
      (web as ConnectedMesh)[PLANE].events.view(),
      (web as ConnectedMesh)[PLANE].engine.guard.read(),
    ]);
    expect(said).toContain("not signed by a key of its issuer");
    for (const part of bad.split(".")) expect(said).not.toContain(part);
  });

  it("lets a browser ask beforehand", async () => {
    const web = await mesh(AUTHENTICATION(INLINE));
    const port = await listen(web.handler(echo) as RequestListener);
    const asks = { origin: "http://x", "access-control-request-method": "GET" };
    expect((await ask(port, "/", { ...bearer("abc"), ...asks }, "OPTIONS")).status).toBe(200);
    expect((await ask(port, "/", bearer("abc"), "OPTIONS")).status).toBe(401);
  });

  it("finds keys by the issuer's address, from this machine only where a setting allows it, and follows a rotation", async () => {
    let keys = jwks(jwk(RSA, "r1"));
    const issuer = await listen((_, response) => void response.end(keys));
    const yaml = AUTHENTICATION(`jwksUri: "http://127.0.0.1:${issuer}/keys"`);
    const refusing = await listen((await mesh(yaml)).handler(echo) as RequestListener);
    expect(await ask(refusing, "/", bearer(token(FRESH)))).toMatchObject({
      status: 401,
      body: "Jwks remote fetch is failed",
    });
    const port = await listen((await mesh(yaml, { jwksAllow: ["127.0.0.1"] })).handler(echo) as RequestListener);
    expect(await ask(port, "/", bearer(token(FRESH)))).toMatchObject({ status: 200 });
    keys = jwks(jwk(OTHER_RSA, "new"));
    expect(await ask(port, "/", bearer(token(FRESH, { kid: "new", key: OTHER_RSA })))).toMatchObject({ status: 200 });
    expect(await ask(port, "/", bearer(token(FRESH)))).toMatchObject({ status: 401 });
  });
});

describe.each(SERVER_KINDS)("%s", (kind) => {
  it("asks tokens before rules, and rules of their claims, while bodies wait", async () => {
    const web = await mesh(
      AUTHENTICATION(INLINE) +
        security(
          "AuthorizationPolicy",
          "readers",
          `{ rules: [{ from: [{ source: { requestPrincipals: ["iss-a/u"] } }], when: [{ key: "request.auth.claims[scope]", values: [read] }, { key: "request.auth.audiences", values: [a1] }] }] }`,
        ),
    );
    const server = await startServer(kind, web, (path) => `in ${path}`);
    closing.push(() => server.close());
    const statuses: number[] = [];
    const tokens = [
      FRESH,
      FRESH,
      { ...FRESH, scope: "write" },
      { ...FRESH, sub: "v" },
      { ...FRESH, aud: "b" },
      { ...FRESH, exp: 1 },
    ];
    for (const [n, claims] of tokens.entries()) {
      const asked = {
        headers: bearer(token({ ...claims, n: n === 1 ? 0 : n })),
        method: "POST",
        body: n < 2 ? "" : "x",
      };
      statuses.push((await server.ask(asked)).status);
    }
    statuses.push((await server.ask()).status);
    expect(statuses).toEqual([200, 200, 403, 403, 403, 401, 403]);
  });
});

describe("a CUSTOM rule", () => {
  const CUSTOM = security(
    "AuthorizationPolicy",
    "ask",
    "{ action: CUSTOM, provider: { name: check }, selector: { matchLabels: { app: web } }, rules: [{ to: [{ operation: { paths: [/c*] } }] }] }",
  );
  const PROVIDER = (more = "") =>
    `apiVersion: mesh.istio.io/v1alpha1\nkind: MeshConfig\nextensionProviders:\n  - name: check\n    envoyExtAuthzHttp: { service: authz.default.svc.cluster.local, port: 80, headersToUpstreamOnAllow: [x-checked]${more} }\n---\n`;

  it("has a service of the mesh asked first, and its no is the last word", async () => {
    const registry = new MemoryRegistry();
    const web = await mesh(CUSTOM + AUTHENTICATION(INLINE), {}, registry);
    const authz = await mesh(PROVIDER(), { service: "authz" }, registry);
    const paths: (string | undefined)[] = [];
    await listen(({ url, headers }, response) => {
      paths.push(url);
      const isNo = headers.authorization === "Bearer no";
      response.writeHead(isNo ? 403 : 200, { "x-checked": "yes" }).end(isNo ? "not you" : "");
    }, authz);
    const port = await listen(web.handler(echo) as RequestListener);
    await expect.poll(async () => (await ask(port, "/c")).status).toBe(200);
    expect(seen(await ask(port, "/c/x?y", { "x-checked": "forged" })).headers["x-checked"]).toBe("yes");
    expect(await ask(port, "/c", bearer("no"))).toMatchObject({ status: 403, body: "not you" });
    expect(await ask(port, "/c", bearer("yes"))).toMatchObject({ status: 401 }); // tokens are looked at afterwards
    expect(paths).toContain("/c/x?y");
    const before = paths.length;
    expect(await ask(port, "/d")).toMatchObject({ status: 200 });
    expect(paths.length).toBe(before);
  });

  it.each([
    ["no provider of the name", "", "RBAC: access denied"],
    ["a provider whose service nobody is", PROVIDER(", failOpen: true"), "RBAC: access denied"],
  ])("with %s denies", async (_, provider, body) => {
    const web = await mesh(provider + CUSTOM);
    const port = await listen(web.handler(echo) as RequestListener);
    expect(await ask(port, "/c")).toMatchObject({ status: 403, body });
    expect(await ask(port, "/d")).toMatchObject({ status: 200 });
  });
});
