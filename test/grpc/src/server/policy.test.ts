/** What policy says of a server's calls, answered as gRPC answers: on real servers of grpc-js, to a bare client. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import * as lowest from "grpc-js-lowest";
import { describe, expect, it } from "vitest";
import { givenBy, MeshAuthority, PAY, WEB } from "./mesh-authority.js";
import { type GrpcModule, ServedMesh, say } from "./served-mesh.js";

const COPIES: readonly (readonly [string, GrpcModule | undefined])[] = [
  ["mesh.grpc.server()", undefined],
  ["mesh.grpc.attach() of the newest grpc-js", grpc],
  ["mesh.grpc.attach() of grpc-js 1.14.0", lowest as unknown as GrpcModule],
];

function resource(kind: string, spec: string, group = "security.istio.io/v1"): string {
  return `apiVersion: ${group}\nkind: ${kind}\nmetadata: { name: it, namespace: default }\nspec: ${spec}\n---\n`;
}

const NO_DELETE = resource(
  "AuthorizationPolicy",
  '{ action: DENY, rules: [{ to: [{ operation: { paths: ["/shop.Echo/Delete"] } }] }] }',
);
const LIMIT = resource(
  "RateLimit",
  "{ host: echo, rules: [{ name: few, requests: 2, per: 1h, match: [{ uri: { exact: /shop.Echo/Say } }] }] }",
  "inmesh.dev/v1alpha1",
);
const TOKENS = resource("RequestAuthentication", `{ jwtRules: [{ issuer: iss-a, jwks: '{"keys":[]}' }] }`);

const STRICT = resource("PeerAuthentication", "{ mtls: { mode: STRICT } }");
const ONLY_WEB = resource(
  "AuthorizationPolicy",
  '{ rules: [{ from: [{ source: { principals: ["cluster.local/ns/default/sa/web"] } }] }] }',
);

describe("who calls", () => {
  it("is known by mTLS on the port that plaintext may use, too; policy goes by it", async () => {
    const authority = new MeshAuthority();
    await using served = await ServedMesh.start(ONLY_WEB, { identity: givenBy(authority, PAY) });
    const asWeb = served.client(authority.client(WEB));
    expect(await say(asWeb)).toMatchObject({ code: grpc.status.OK, answer: "hello" });
    expect(await say(served.client(authority.client(PAY)))).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
    expect(await say(served.client())).toMatchObject({ code: grpc.status.PERMISSION_DENIED });
  });

  it("is nobody in plaintext where STRICT holds, and hears so", async () => {
    const authority = new MeshAuthority();
    const options = { identity: givenBy(authority, PAY) };
    await using served = await ServedMesh.start(STRICT, options);
    expect(await say(served.client(authority.client(WEB)))).toMatchObject({ code: grpc.status.OK });
    expect(await say(served.client())).toMatchObject({ code: grpc.status.UNAVAILABLE });
    await using heard = await ServedMesh.start(STRICT, { ...options, healthPath: "/healthz" });
    expect(await say(heard.client())).toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    expect(heard.log.calls).toEqual([]);
  });
});

describe("a deadline", () => {
  it("ends the handler's call, whether gRPC told of it or a caller of the mesh over HTTP", async () => {
    await using served = await ServedMesh.start("");
    const client = served.client();
    const byGrpc = await say(client, { method: "Slow", options: { deadline: Date.now() + 300 } });
    expect(byGrpc.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await expect.poll(() => served.log.cancelled.length).toBe(1);
    const byMesh = await say(client, { method: "Slow", headers: { "x-inmesh-timeout-ms": "200" } });
    expect(byMesh.code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await expect.poll(() => served.log.cancelled.length).toBe(2);
  });

  it("goes on to what the handler calls", async () => {
    await using served = await ServedMesh.start("");
    const { mesh, log } = served;
    const silent = createServer(() => {});
    await once(mesh.attach(silent).listen(0, "127.0.0.1"), "listening");
    const { port } = silent.address() as AddressInfo;
    await expect
      .poll(() => mesh.fetch(`http://echo:${port}/`, { signal: AbortSignal.timeout(100) }).catch(String))
      .toMatch(/Timeout/);
    let ended: unknown;
    log.onSay = async () => {
      ended = await mesh.fetch(`http://echo:${port}/`).then(({ status }) => status, String);
      await new Promise(() => {}); // an answer now might come before the caller's own clock has it that time is up
    };
    const { code } = await say(served.client(), { options: { deadline: Date.now() + 300 } });
    expect(code).toBe(grpc.status.DEADLINE_EXCEEDED);
    await expect.poll(() => ended).toBe(504);
    silent.close().closeAllConnections();
  });
});

describe.each(COPIES)("a server by %s", (_, module) => {
  it("serves every form of call, and refuses a method that an AuthorizationPolicy denies with trailers only", async () => {
    await using served = await ServedMesh.start(NO_DELETE, {}, module);
    const client = served.client();
    expect(await say(client)).toMatchObject({ code: grpc.status.OK, answer: "hello" });
    expect(await say(client, { method: "Delete" })).toMatchObject({
      code: grpc.status.PERMISSION_DENIED,
      details: "RBAC: access denied",
    });
    const chat = client.Chat();
    const heard: string[] = [];
    chat.on("data", (chunk: Buffer) => heard.push(String(chunk)));
    for (const text of ["a", "b", "c"]) chat.write(Buffer.from(text));
    chat.end();
    const { code } = await new Promise<grpc.StatusObject>((resolve) => chat.on("status", resolve));
    expect([code, heard]).toEqual([grpc.status.OK, ["a", "b", "c"]]);
    expect(served.log.calls).toEqual(["Say"]);
  });

  it("answers a token that nobody accepts with UNAUTHENTICATED", async () => {
    await using served = await ServedMesh.start(TOKENS, {}, module);
    const headers = { authorization: "Bearer e30.e30.e30" };
    expect(await say(served.client(), { headers })).toMatchObject({ code: grpc.status.UNAUTHENTICATED });
    expect(served.log.calls).toEqual([]);
  });

  it("answers what a RateLimit does not allow with RESOURCE_EXHAUSTED and when to come again", async () => {
    await using served = await ServedMesh.start(LIMIT, {}, module);
    const client = served.client();
    const ended = [await say(client), await say(client), await say(client)];
    expect(ended.map(({ code }) => code)).toEqual([0, 0, grpc.status.RESOURCE_EXHAUSTED]);
    const { trailers, details } = ended[2]!; // of three
    expect(details).toContain('few" allows 2 requests');
    expect(Number(trailers["grpc-retry-pushback-ms"])).toBe(Number(trailers["retry-after"]) * 1_000);
    expect(Number(trailers["retry-after"])).toBeGreaterThan(1_000);
  });

  it("advertises its port as grpc", async () => {
    await using served = await ServedMesh.start("", {}, module);
    await expect.poll(() => served.leases()).toContainEqual({ grpc: served.port });
  });
});
