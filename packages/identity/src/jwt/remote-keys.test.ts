import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@inmesh/core";
import { FakeClock, seededRandom, settle } from "@inmesh/core/testing";
import { afterEach, describe, expect, it } from "vitest";
import { RemoteKeys } from "./key-source.js";
import { createTokenVerifier, type TokenVerifierOptions } from "./token-verifier.js";
import { bearer, CLAIMS, JWKS, jwk, jwks, OTHER_RSA, RSA, rule, token } from "./tokens.test.helper.js";

const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections();
});

async function serve(answer: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  }).listen(0, "127.0.0.1");
  open.push(server);
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function verifier(options: Partial<TokenVerifierOptions> = {}) {
  const notices: string[] = [];
  const onNotice = (message: string) => void notices.push(message);
  const tokens = createTokenVerifier({
    ...{ clock: systemClock, random: seededRandom(1), allowed: ["127.0.0.0/8"], onNotice },
    ...options,
  });
  return { tokens, notices };
}

const FRESH = { ...CLAIMS, exp: undefined };
const FAILED = { kind: "invalid", status: 401, message: "Jwks remote fetch is failed" };

describe("keys at an address", () => {
  it("are fetched once for all who wait, and never again while they are fresh", async () => {
    const { url, asked } = await serve((_, response) => response.end(JWKS));
    const { tokens, notices } = verifier();
    const rules = [rule({ jwks: "", jwksUri: `${url}/keys?secret=s` })];
    const answers = await Promise.all([1, 2, 3].map((n) => tokens.authenticate(rules, bearer(token({ ...FRESH, n })))));
    expect(answers.map(({ kind }) => kind)).toEqual(["valid", "valid", "valid"]);
    expect(tokens.authenticate(rules, bearer(token({ ...FRESH, n: 1 })))).toMatchObject({ kind: "valid" });
    expect(asked).toEqual(["/keys?secret=s"]);
    expect(tokens.read()).toMatchObject([{ source: `${url}/keys`, keys: 5 }]);
    expect(notices).toEqual([]);
  });

  it("are fetched ahead of the first token", async () => {
    const { url, asked } = await serve((_, response) => response.end(JWKS));
    const { tokens } = verifier();
    const rules = [rule({ jwks: "", jwksUri: url })];
    tokens.prepare(rules);
    await expect.poll(() => tokens.read()[0]?.keys).toBe(5);
    await tokens.authenticate(rules, bearer(token(FRESH)));
    expect(asked).toEqual(["/"]);
  });

  it("are those that the issuer's own document names", async () => {
    const issuer = await serve((request, response) => {
      const found = { issuer: issuer.url, jwks_uri: `${issuer.url}/k` };
      response.end(request.url === "/k" ? JWKS : JSON.stringify(found));
    });
    const { tokens } = verifier();
    const rules = [rule({ issuer: issuer.url, jwks: "" })];
    expect(await tokens.authenticate(rules, bearer(token({ ...FRESH, iss: issuer.url })))).toMatchObject({
      kind: "valid",
    });
    expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/k"]);
  });

  it.each([
    [
      "another issuer's",
      '{"issuer": "https://other.example", "jwks_uri": "https://other.example/k"}',
      "another issuer's",
    ],
    ["none", "[]", "names no jwks_uri"],
  ])("are not taken from a document that is %s", async (_, text, reason) => {
    const { url, asked } = await serve((__, response) => response.end(text));
    const { tokens } = verifier();
    const verdict = await tokens.authenticate([rule({ issuer: url, jwks: "" })], bearer(token({ ...FRESH, iss: url })));
    expect(verdict).toMatchObject({ ...FAILED, reason: expect.stringContaining(reason) });
    expect(asked).toHaveLength(1);
  });

  it("that an issuer replaced are fetched when a token names one, and no more often than that", async () => {
    let keys = jwks(jwk(RSA, "old"));
    const { url, asked } = await serve((_, response) => response.end(keys));
    const { tokens } = verifier();
    const rules = [rule({ jwks: "", jwksUri: url })];
    const old = bearer(token(FRESH, { kid: "old" }));
    expect(await tokens.authenticate(rules, old)).toMatchObject({ kind: "valid" });
    keys = jwks(jwk(OTHER_RSA, "new"));
    const renewed = bearer(token(FRESH, { kid: "new", key: OTHER_RSA }));
    expect(await tokens.authenticate(rules, renewed)).toMatchObject({ kind: "valid" });
    expect(await tokens.authenticate(rules, old)).toMatchObject({ kind: "invalid" }); // its key is withdrawn, its verdict with it
    for (let n = 0; n < 20; n++) await tokens.authenticate(rules, bearer(token(FRESH, { kid: `k${n}` })));
    expect(asked).toHaveLength(2);
  });

  it.each<[string, RequestListener, string]>([
    ["an error", (_, response) => response.writeHead(500).end(JWKS), "status 500"],
    ["garbage", (_, response) => response.end("<html>"), "no JSON Web Key Set"],
    ["no usable key", (_, response) => response.end('{"keys":[{"kty":"oct","k":"eA"}]}'), "holds no public key"],
    ["too many keys", (_, response) => response.end(jwks(...new Array<object>(65).fill({}))), "more than 64"],
    [
      "more than anybody needs",
      (_, response) => response.end(`{"keys":[],"x":"${"x".repeat(600_000)}"}`),
      "more than 524288 bytes",
    ],
    [
      "another address",
      (_, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
      "redirects (302)",
    ],
    ["nothing in time", () => {}, "no answer within 150 ms"],
    ["a part, and no more in time", (_, response) => void response.write('{"keys":'), "no answer within 150 ms"],
    ["a part, and the end", (_, response) => response.write('{"keys":', () => response.destroy()), "aborted"],
  ])("are missing where the answer is %s: tokens are refused, and why is said once", async (_, answer, reason) => {
    const { url } = await serve(answer);
    const { tokens, notices } = verifier();
    // Only those that wait for it are to meet the limit, however busy the machine is.
    const timeoutMs = reason.includes("150 ms") ? 150 : 10_000;
    const rules = [rule({ jwks: "", jwksUri: `${url}/k?secret=s`, timeoutMs })];
    const text = token(FRESH);
    expect(await tokens.authenticate(rules, bearer(text))).toMatchObject({
      ...FAILED,
      reason: expect.stringContaining(reason),
    });
    expect(await tokens.authenticate(rules, bearer(text))).toMatchObject(FAILED);
    expect(notices).toEqual([expect.stringContaining(`${url}/k: `)]);
    expect(`${notices}`).not.toMatch(/secret|eyJ/);
  });

  it("are not asked for where nobody listens, again and again", async () => {
    const { tokens } = verifier();
    const rules = [rule({ jwks: "", jwksUri: "http://127.0.0.1:1/" })];
    for (let n = 0; n < 3; n++)
      expect(await tokens.authenticate(rules, bearer(token({ ...FRESH, n })))).toMatchObject(FAILED);
    expect(tokens.read()[0]?.reason).toContain("ECONNREFUSED");
  });

  it("are let go when the mesh closes", async () => {
    const { url, asked } = await serve(() => {});
    const { tokens } = verifier();
    const waiting = tokens.authenticate([rule({ jwks: "", jwksUri: url })], bearer(token(FRESH)));
    await expect.poll(() => asked.length).toBe(1);
    tokens.close();
    expect(await waiting).toMatchObject({ ...FAILED, reason: expect.stringContaining("closed") });
  });
});

describe("an address that nobody may be sent to", () => {
  const lookup = ((_host: string, _options: object, callback: (error: null, found: object[]) => void) =>
    callback(null, [{ address: "127.0.0.1", family: 4 }])) as unknown as NonNullable<TokenVerifierOptions["lookup"]>;

  it.each([
    ["this machine's", "http://127.0.0.1:PORT/"],
    ["written as a number", "http://2130706433:PORT/"],
    ["written in hex", "http://0x7f.1:PORT/"],
    ["mapped into IPv6", "http://[::ffff:127.0.0.1]:PORT/"],
    ["a name of this machine", "http://localhost:PORT/"],
    ["a name that leads here", "http://keys.example:PORT/"],
    ["unspecified", "http://0.0.0.0:PORT/"],
  ])("%s: not a byte", async (_, address) => {
    const { url, asked } = await serve((__, response) => response.end(JWKS));
    const { tokens } = verifier({ allowed: [], ...(address.includes("example") && { lookup }) });
    const jwksUri = address.replace("PORT", new URL(url).port);
    const verdict = await tokens.authenticate([rule({ jwks: "", jwksUri })], bearer(token(FRESH)));
    expect(verdict).toMatchObject({ ...FAILED, reason: expect.stringContaining("INMESH_JWKS_ALLOW") });
    expect(asked).toEqual([]);
  });

  it.each(["file:///etc/passwd", "ftp://example/x", "not an address", "http://"])("%s is none", async (jwksUri) => {
    const verdict = await verifier().tokens.authenticate([rule({ jwks: "", jwksUri })], bearer(token(FRESH)));
    expect(verdict).toMatchObject(FAILED);
  });

  it("does not become one by a discovery document", async () => {
    const issuer = await serve((_, response) =>
      response.end(JSON.stringify({ issuer: issuer.url, jwks_uri: "http://169.254.169.254/" })),
    );
    const rules = [rule({ issuer: issuer.url, jwks: "" })];
    const verdict = await verifier().tokens.authenticate(rules, bearer(token({ ...FRESH, iss: issuer.url })));
    expect(verdict).toMatchObject({ ...FAILED, reason: expect.stringContaining("169.254.169.254") });
  });
});

describe("the age of keys", () => {
  function source(answers: (string | Error)[]) {
    const clock = new FakeClock();
    const notices: string[] = [];
    let loads = 0;
    const load = async (): Promise<string> => {
      loads += 1;
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (typeof answer === "string") return answer;
      throw answer;
    };
    const onNotice = (message: string) => void notices.push(message);
    const keys = new RemoteKeys({ clock, random: seededRandom(1), load, source: "issuer", onNotice });
    return { clock, notices, keys, loads: () => loads };
  }
  const MINUTE = 60_000;

  it("beyond 20 minutes has them renewed beside the requests, when somebody uses them", async () => {
    const { clock, keys, loads } = source([JWKS]);
    const first = await keys.ready();
    clock.advance(19 * MINUTE);
    expect(keys.current).toBe(first);
    expect(loads()).toBe(1);
    clock.advance(2 * MINUTE);
    expect(keys.current).toBe(first);
    await settle();
    expect(loads()).toBe(2);
    expect(keys.current).toBe(first); // the same text: what was verified stays verified
    expect(clock.pending).toBe(0);
  });

  it("beyond an hour has them renewed before they are used", async () => {
    const newer = jwks(jwk(OTHER_RSA, "new"));
    const { clock, keys } = source([JWKS, newer]);
    await keys.ready();
    clock.advance(61 * MINUTE);
    expect((await keys.ready())?.keys.map(({ kid }) => kid)).toEqual(["new"]);
  });

  it("says nothing against them while the issuer is away, and tries less and less often", async () => {
    const { clock, keys, loads, notices } = source([JWKS, new Error("away"), new Error("away"), JWKS]);
    const first = await keys.ready();
    clock.advance(24 * 60 * MINUTE);
    expect(await keys.ready()).toBe(first);
    expect(await keys.ready()).toBe(first);
    expect(loads()).toBe(2);
    clock.advance(1_001);
    expect(await keys.ready()).toBe(first);
    expect(loads()).toBe(3);
    clock.advance(999); // the second wait is twice as long
    expect(await keys.ready()).toBe(first);
    expect(loads()).toBe(3);
    clock.advance(1_001);
    await keys.ready();
    expect(notices).toEqual([expect.stringContaining("last good ones stay in use"), expect.stringContaining("again")]);
    expect(keys.read()).toEqual({ source: "issuer", keys: 5, ageMs: 0 });
  });
});
