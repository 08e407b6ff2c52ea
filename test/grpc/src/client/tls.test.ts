/** TLS of gRPC clients is what policy says: the same identities, names and checks as for HTTP. */

import { credentials, status } from "@grpc/grpc-js";
import type { PeerIdentity } from "@inmesh/model";
import { afterEach, beforeEach, expect, it } from "vitest";
import { echoClient, say } from "../lib/echo.js";
import { destination, meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";
import { givenBy, MeshAuthority, PAY, WEB } from "../server/mesh-authority.js";
import { ServedMesh } from "../server/served-mesh.js";

const HOST = "pay.shop";
const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: all, namespace: istio-system }
spec: { mtls: { mode: STRICT } }`;

const closing: (() => unknown)[] = [];
let served: ServedMesh;
let authority: MeshAuthority;
let caller: PeerIdentity | undefined;

beforeEach(async () => {
  authority = new MeshAuthority();
  served = await ServedMesh.start(STRICT, { service: "pay", identity: givenBy(authority, PAY) });
  caller = undefined;
  served.log.onSay = async () => {
    caller = served.mesh.peer();
  };
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await served[Symbol.asyncDispose]();
});

async function clientOf(tls: string) {
  const documents = [serviceAt(HOST, [served.port]), destination(HOST, `trafficPolicy: { tls: ${tls} }`)];
  const mesh = await meshOfYaml(documents, closing, { identity: givenBy(authority, WEB) });
  return echoClient(`${HOST}:50051`, mesh.grpc.credentials(), mesh.grpc.options(), closing);
}

it("shows the process's identity to a member, whose own is verified", async () => {
  const client = await clientOf(`{ mode: ISTIO_MUTUAL, subjectAltNames: ["${PAY}"] }`);
  expect((await say(client, "hello")).text).toBe("hello");
  expect(caller?.id).toBe(WEB);
});

it("sends nothing to somebody else than policy means", async () => {
  const client = await clientOf(
    `{ mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/bank"] }`,
  );
  const { status: got } = await say(client, "hello");
  expect(got.code).toBe(status.UNAVAILABLE);
  expect(got.details).toMatch(/sa\/pay.*expected.*sa\/bank.*\(WRONG_PEER\)/s);
  expect(served.log.calls).toEqual([]);
});

it("is turned away in plaintext where the server takes mTLS only", async () => {
  const client = await clientOf("{ mode: DISABLE }");
  expect((await say(client, "hello")).status.code).toBe(status.UNAVAILABLE);
  expect(served.log.calls).toEqual([]);
});

it("leaves TLS that the application brings itself", async () => {
  const { certificateChain, privateKey } = authority.issue(WEB);
  const [roots, key, chain] = [authority.roots, privateKey, certificateChain].map((text) => Buffer.from(text));
  const asked: string[] = [];
  const own = credentials.createSsl(roots, key, chain, {
    checkServerIdentity: (name) => void asked.push(name),
  });
  const mesh = await meshOfYaml([serviceAt(HOST, [served.port])], closing);
  const client = echoClient(`${HOST}:50051`, own, mesh.grpc.options(), closing);
  expect((await say(client, "hello")).text).toBe("hello");
  expect([caller?.id, asked]).toEqual([WEB, [HOST]]);
});
