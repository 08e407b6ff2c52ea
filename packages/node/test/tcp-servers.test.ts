/** Servers of protocols that the mesh does not know: who may connect to them, by policy as people write it. */

import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer as createHttpServer, get } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { MemoryRegistry } from "@inmesh/core";
import { parseDocuments } from "@inmesh/model";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectedMesh, PLANE } from "../src/connected-mesh.js";
import { createMesh } from "../src/create-mesh.js";
import { newFolder, start } from "./child.js";
import { MeshAuthority, PAY, WEB } from "./mesh-authority.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const authority = new MeshAuthority();
const stranger = new MeshAuthority();
const STRICT = policy("PeerAuthentication", "strict", "{ mtls: { mode: STRICT } }");

function policy(kind: string, name: string, spec: string): string {
  const head = `apiVersion: security.istio.io/v1\nkind: ${kind}`;
  return `${head}\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n---\n`;
}

function rules(spec: string, name = "rules"): string {
  return policy("AuthorizationPolicy", name, spec);
}

async function meshWith(yaml: string, identified = true) {
  const registry = new MemoryRegistry();
  const apply = async (text: string): Promise<void> => {
    const { documents, problems } = parseDocuments(text, { file: "policy.yaml", namespace: "default" });
    expect(problems).toEqual([]);
    await registry.apply(documents);
  };
  await apply(yaml);
  const own = authority.issue(PAY);
  const mesh = await createMesh({
    ...{ service: "pay", config: registry, propagationDelayMs: 0, admin: "off", log: "error" },
    ...(identified && {
      identity: async () => ({ certificateChain: own.cert, privateKey: own.key, roots: authority.roots.join("") }),
    }),
  });
  closing.push(() => mesh.close());
  await mesh.ready();
  return { mesh, apply, plane: (mesh as ConnectedMesh)[PLANE] };
}

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on("connection", (socket) => open.add(socket));
  closing.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

/** A server that speaks first. */
function greeter(): Server {
  return createServer((socket) => {
    socket.on("error", () => {});
    socket.write("hello");
  });
}

/** What a caller hears first; empty: the connection ended without a word. */
async function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", () => {});
    socket.once("data", (data) => resolve(String(data)));
    socket.once("close", () => resolve(""));
  }).finally(() => socket.destroy()) as Promise<string>;
}

function plain(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write("x"); // under STRICT the mesh listens for what it is
  return heard(socket);
}

function dial(port: number, { by = authority, id = WEB } = {}): TLSSocket {
  const { cert, key } = by.issue(id);
  return connectTls({
    port,
    host: "127.0.0.1",
    cert,
    key,
    ca: [...authority.roots],
    checkServerIdentity: () => undefined,
  });
}

const secured = (port: number, who?: { by?: MeshAuthority; id?: string }) => heard(dial(port, who));

describe("PeerAuthentication of a net.Server", () => {
  it("takes callers with a certificate of the mesh only, where it is STRICT", async () => {
    const { mesh, plane } = await meshWith(STRICT);
    const port = await listen(mesh.attach(greeter()));
    expect([await secured(port), await plain(port), await secured(port, { by: stranger })]).toEqual(["hello", "", ""]);
    expect(plane.security.read().ports).toMatchObject([{ port, mode: "STRICT", tls: "mesh" }]);
    expect(plane.security.refusals.read()).toMatchObject({ plaintext: 1, untrustedChain: 1 });
  });

  it("leaves connections as they are where it is PERMISSIVE, so that servers may speak first and TLS may be theirs", async () => {
    const { mesh } = await meshWith("");
    const first = createServer((socket) => socket.once("data", (data) => socket.end(`0x${data[0]?.toString(16)}`)));
    const [greets, reads] = [await listen(mesh.attach(greeter())), await listen(mesh.attach(first))];
    expect(await plain(greets)).toBe("hello");
    const socket = connect(reads, "127.0.0.1");
    socket.write(Buffer.from([0x16, 3, 1]));
    expect(await heard(socket)).toBe("0x16");
  });

  it("refuses everybody under STRICT in a process without identity, and in plaintext where policy is DISABLE nobody", async () => {
    const { mesh, apply, plane } = await meshWith(STRICT, false);
    const port = await listen(mesh.attach(greeter()));
    expect([await plain(port), await secured(port)]).toEqual(["", ""]);
    expect(plane.security.refusals.read()).toMatchObject({ noIdentity: 2 });
    await apply(policy("PeerAuthentication", "strict", "{ mtls: { mode: DISABLE } }"));
    expect(await plain(port)).toBe("hello");
  });

  it("hands what the application passes on to a server of HTTP over as known", async () => {
    const { mesh } = await meshWith(STRICT);
    const http = createHttpServer((_, response) => response.end(mesh.peer()?.id ?? "nobody"));
    mesh.attach(http);
    const port = await listen(mesh.attach(createServer((socket) => http.emit("connection", socket))));
    const request = get({ createConnection: () => dial(port), path: "/" });
    const [response] = await once(request, "response");
    expect(String((await response.toArray()).join(""))).toBe(WEB);
  });
});

describe("AuthorizationPolicies of a net.Server", () => {
  const cases: readonly [string, string, readonly [web: string, pay: string, plain: string]][] = [
    ["ALLOW by principal", '{ rules: [{ from: [{ source: { principals: ["*/sa/web"] } }] }] }', ["hello", "", ""]],
    ["ALLOW by namespace", "{ rules: [{ from: [{ source: { namespaces: [default] } }] }] }", ["hello", "hello", ""]],
    [
      "ALLOW by address",
      '{ rules: [{ from: [{ source: { ipBlocks: ["127.0.0.1/32"] } }] }] }',
      ["hello", "hello", "hello"],
    ],
    ["ALLOW by another address", '{ rules: [{ from: [{ source: { ipBlocks: ["10.0.0.0/8"] } }] }] }', ["", "", ""]],
    [
      "ALLOW with a method, which no connection has",
      '{ rules: [{ to: [{ operation: { methods: ["GET"] } }] }] }',
      ["", "", ""],
    ],
    ["ALLOW of nothing", "{}", ["", "", ""]],
    [
      "DENY with a method, which is dropped",
      '{ action: DENY, rules: [{ from: [{ source: { principals: ["*/sa/web"] } }], to: [{ operation: { methods: ["GET"] } }] }] }',
      ["", "hello", "hello"],
    ],
    [
      "DENY of whoever is not known",
      '{ action: DENY, rules: [{ from: [{ source: { notPrincipals: ["*"] } }] }] }',
      ["hello", "hello", ""],
    ],
    [
      "DENY of another port",
      '{ action: DENY, rules: [{ to: [{ operation: { ports: ["1"] } }] }] }',
      ["hello", "hello", "hello"],
    ],
    ["CUSTOM, which nobody is asked about", "{ action: CUSTOM, provider: { name: asks }, rules: [{}] }", ["", "", ""]],
  ];
  // Who calls over TLS is known under STRICT, who calls in plaintext comes in without it.
  it.each(cases)("%s", async (_, spec, [web, pay, inClear]) => {
    const { mesh, apply } = await meshWith(STRICT + rules(spec));
    const port = await listen(mesh.attach(greeter()));
    expect([await secured(port), await secured(port, { id: PAY })]).toEqual([web, pay]);
    await apply(policy("PeerAuthentication", "strict", "{ mtls: { mode: DISABLE } }"));
    expect(await plain(port)).toBe(inClear);
  });

  it("name the port that is bound, and tell the operator which rule closed the connection", async () => {
    const { mesh, apply, plane } = await meshWith("", false);
    const [open, shut] = [await listen(mesh.attach(greeter())), await listen(mesh.attach(greeter()))];
    await apply(rules(`{ action: DENY, rules: [{ to: [{ operation: { ports: ["${shut}"] } }] }] }`, "shut"));
    expect([await plain(open), await plain(shut)]).toEqual(["hello", ""]);
    expect(plane.engine.guard.read()).toMatchObject({
      denied: 1,
      rules: [{ policy: "AuthorizationPolicy/default/shut", action: "DENY", count: 1 }],
    });
    expect(plane.events.view().events.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("DENY rule 0 of AuthorizationPolicy default/shut"),
    );
    expect(plane.security.refusals.read()).toMatchObject({ rules: 1 });
  });
});

describe("under --import", () => {
  it("every net.Server of the process is asked about, from its first connection on, and no pipe is", async () => {
    const folder = newFolder();
    writeFileSync(
      join(folder, "policy.yaml"),
      rules('{ rules: [{ from: [{ source: { ipBlocks: ["127.0.0.2"] } }] }] }'),
    );
    const child = start("tcp.mjs", { folder, service: "pay", env: { INMESH_LOG: "info" } });
    const port = await child.port();
    await child.printed(/pipe is open/);
    const said = async (socket: Socket): Promise<string> => {
      socket.write("ping");
      return heard(socket);
    };
    expect(await said(connect({ port, host: "127.0.0.1" }))).toBe("");
    expect(await said(connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" }))).toBe("ping");
    expect(await said(connect(join(folder, "pipe")))).toBe("ping");
    expect(child.errors()).toContain("ALLOW");
  });
});
