/** What happens to calls while the server they are at changes: its policy, its certificate, its load, its end. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { planeOf } from "../lib/mesh-of.js";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";
import { MeshAuthority, PAY, WEB } from "./mesh-authority.js";
import { clientOf, type EchoClient, ServedMesh, say } from "./served-mesh.js";

/** A stream that is open both ways: each word comes back. */
class Talk {
  readonly heard: string[] = [];
  readonly ended: Promise<grpc.StatusObject>;
  readonly #call: grpc.ClientDuplexStream<Buffer, Buffer>;

  constructor(client: EchoClient) {
    this.#call = client.Chat();
    this.#call.on("data", (word: Buffer) => this.heard.push(String(word)));
    this.#call.on("error", () => {});
    this.ended = new Promise((resolve) => this.#call.on("status", resolve));
  }

  async say(word: string): Promise<void> {
    this.#call.write(Buffer.from(word));
    await until(() => this.heard.at(-1) === word);
  }

  async end(): Promise<number> {
    this.#call.end();
    return (await this.ended).code;
  }
}

function policy(name: string, kind: string, spec: string, group = "security.istio.io/v1"): string {
  return `apiVersion: ${group}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: default }\nspec: ${spec}\n`;
}

const write = ({ folder }: ServedMesh, yaml: string): void => writeFileSync(join(folder, "policy.yaml"), yaml);

it("sheds what is too much with RESOURCE_EXHAUSTED, and says when to come again", async () => {
  const one = policy("echo", "Resilience", "{ host: echo, server: { maxConcurrency: 1 } }", "inmesh.dev/v1alpha1");
  await using served = await ServedMesh.start(one);
  const client = served.client();
  const talk = new Talk(client);
  await talk.say("first");
  const shed = await say(client);
  expect([shed.code, shed.trailers["grpc-retry-pushback-ms"]]).toEqual([grpc.status.RESOURCE_EXHAUSTED, "1000"]);
  expect(shed.details).toContain("maxConcurrency: 1");
  expect(served.log.calls).toEqual([]);
  expect(await talk.end()).toBe(grpc.status.OK);
  expect((await say(client)).code).toBe(grpc.status.OK);
});

it("goes on with a stream while policy changes, and judges new calls by the new one", async () => {
  await using served = await ServedMesh.start("");
  const client = served.client();
  const talk = new Talk(client);
  await talk.say("before");
  write(served, policy("nobody", "AuthorizationPolicy", "{}"));
  await until(async () => (await say(client)).code === grpc.status.PERMISSION_DENIED);
  await talk.say("denied to others");
  write(
    served,
    policy("few", "RateLimit", "{ host: echo, rules: [{ name: a, requests: 1, per: 1h }] }", "inmesh.dev/v1alpha1"),
  );
  await until(async () => (await say(client)).code === grpc.status.RESOURCE_EXHAUSTED);
  await talk.say("limited to others");
  expect(await talk.end()).toBe(grpc.status.OK);
  expect(talk.heard).toEqual(["before", "denied to others", "limited to others"]);
});

it("shows a new certificate to new connections, and fails no call on the old ones", async () => {
  const authority = new MeshAuthority();
  const folder = mkdtempSync(join(tmpdir(), "inmesh-grpc-"));
  const renew = (): void => {
    const { certificateChain, privateKey } = authority.issue(PAY);
    writeFileSync(join(folder, "key.pem"), privateKey, { mode: 0o600 });
    writeFileSync(join(folder, "cert-chain.pem"), certificateChain);
    writeFileSync(join(folder, "root-cert.pem"), authority.roots);
  };
  renew();
  const strict = policy("all", "PeerAuthentication", "{ mtls: { mode: STRICT } }");
  await using served = await ServedMesh.start(strict, { identity: `files:${folder}` });
  const shown: string[] = [];
  const connect = () => served.client(authority.client(WEB, (serial) => void shown.push(serial)));
  const old = connect();
  const talk = new Talk(old);
  await talk.say("before");
  for (let round = 1; round <= 3; round++) {
    const before = planeOf(served.mesh).identity?.current?.self;
    renew();
    await until(() => planeOf(served.mesh).identity?.current?.self !== before);
    await talk.say(`after ${round}`);
    expect((await say(old)).code).toBe(grpc.status.OK); // on the connection of the first certificate
    expect((await say(connect())).code).toBe(grpc.status.OK);
  }
  expect(await talk.end()).toBe(grpc.status.OK);
  expect(new Set(shown).size).toBe(4);
  rmSync(folder, { recursive: true, force: true });
});

it("leaves in order: streams finish, new calls go elsewhere, and none fails", async () => {
  const closing: (() => unknown)[] = [];
  const leaving = await ServedMesh.start("");
  await using staying = await ServedMesh.start("");
  const names = destination("echo.shop", "trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN } }");
  const mesh = await meshOfYaml([serviceAt("echo.shop", [leaving.port, staying.port]), names], closing);
  const client = clientOf(0, mesh.grpc.credentials(), mesh.grpc.options(), "echo.shop:50051");
  closing.push(() => client.close());
  const talks = [new Talk(client), new Talk(client)];
  for (const talk of talks) await talk.say("before");
  let going = true;
  const codes: number[] = [];
  const load = async (): Promise<void> => {
    while (going) codes.push((await say(client)).code);
  };
  const loads = [load(), load()];
  await until(() => leaving.log.calls.length > 10 && staying.log.calls.length > 10);
  const drained = leaving.mesh.drain({ timeoutMs: 20_000 });
  await until(async () => {
    const before = leaving.log.calls.length;
    const elsewhere = staying.log.calls.length;
    await until(() => staying.log.calls.length > elsewhere + 50);
    return leaving.log.calls.length === before; // all of the last ones went to the other
  });
  for (const talk of talks) {
    await talk.say("meanwhile");
    expect(await talk.end()).toBe(grpc.status.OK);
  }
  expect(await drained).toMatchObject({ cut: 0 });
  going = false;
  await Promise.all(loads);
  expect(codes.filter((code) => code !== grpc.status.OK)).toEqual([]);
  for (const close of closing.reverse()) await close();
  await leaving[Symbol.asyncDispose]();
});

it("keeps to the age that the application sets for connections: calls go on over new ones", async () => {
  const closing: (() => unknown)[] = [];
  await using served = await ServedMesh.start("", {}, undefined, {
    "grpc.max_connection_age_ms": 150,
    "grpc.max_connection_age_grace_ms": 20_000,
  });
  const mesh = await meshOfYaml([serviceAt("echo.shop", [served.port])], closing);
  const client = clientOf(0, mesh.grpc.credentials(), mesh.grpc.options(), "echo.shop:50051");
  closing.push(() => client.close());
  const talk = new Talk(client);
  await talk.say("before");
  const peers = new Set<string>();
  served.log.onSay = async () => void peers.add(served.log.peer ?? "");
  const codes: number[] = [];
  while (peers.size < 3) codes.push((await say(client)).code);
  expect(codes.filter((code) => code !== grpc.status.OK)).toEqual([]);
  await talk.say("after"); // on the first of these connections
  expect(await talk.end()).toBe(grpc.status.OK);
  for (const close of closing.reverse()) await close();
});
