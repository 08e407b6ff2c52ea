import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh, type Mesh } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";
import { runCli } from "../store/run-cli.js";

const binary = findConsul("which processes a change of policy is waited for");

const rule = (host: string, body: string): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host.split(",")[0]} }
spec: { hosts: [${host}], http: [{ directResponse: { status: 200, body: { string: ${body} } } }] }
`;

/** One call after the other, until the end. */
function callOnAndOn(ask: () => Promise<string>): { readonly end: () => Promise<readonly string[]> } {
  let ended = false;
  const answers: string[] = [];
  const running = (async () => {
    while (!ended) answers.push(await ask());
  })();
  return {
    end: async () => {
      ended = true;
      await running;
      return answers;
    },
  };
}

describe.skipIf(binary === undefined)("commands about processes that read the policy of what they call", () => {
  let agent: DevAgent;
  let server: Server;
  const meshes: Mesh[] = [];
  const config = (): string => `consul://127.0.0.1:${agent.port}`;

  const open = async (service: string): Promise<Mesh> => {
    const mesh = await createMesh({ config: config(), service, propagationDelayMs: 0 });
    meshes.push(mesh);
    await mesh.ready();
    return mesh;
  };
  const text = async (mesh: Mesh): Promise<string> => (await mesh.fetch("http://reviews/")).text();
  const inmesh = (line: string, stdin = "") => runCli(line, { INMESH_CONFIG: config() }, stdin);

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // skipped without one
    server = createServer((_, response) => response.end("plain")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await agent.must("PUT", "/v1/agent/service/register", { Name: "reviews", Address: "127.0.0.1", Port: port });
  });
  afterAll(async () => {
    for (const mesh of meshes) await mesh.close();
    server?.close().closeAllConnections();
    await agent?.[Symbol.asyncDispose]();
  });

  it("wait for those that read it, call none behind that do not, and see a change of place through", async () => {
    const [web, other] = [await open("web"), await open("other")];
    expect([await text(web), await text(other)]).toEqual(["plain", "plain"]);
    const idle = await open("idle");
    await inmesh("apply -f - --wait --timeout 10s", rule("reviews", "first"));
    const load = callOnAndOn(() => text(web));
    for (const [host, body] of [
      ["reviews", "second"],
      ["reviews, stars", "third"], // everybody's now
      ["reviews", "fourth"], // and a service's again
    ] as const) {
      const { code, stdout, stderr } = await inmesh("apply -f - --wait --timeout 10s -o json", rule(host, body));
      expect([code, stderr]).toEqual([0, expect.not.stringContaining("did not take")]);
      expect(JSON.parse(stdout).processes).toHaveLength(3);
      expect([await text(web), await text(other)]).toEqual([body, body]);
      const status = JSON.parse((await inmesh("status -o json")).stdout);
      expect(status.dataPlanes.map(({ state }: { state: string }) => state)).toEqual(["synced", "synced", "synced"]);
    }
    const answers = await load.end();
    expect(new Set(answers)).toEqual(new Set(["first", "second", "third", "fourth"])); // never without a rule
    expect(await text(idle)).toBe("fourth"); // from its first call on
    const deleted = await inmesh("delete vs/reviews --wait --timeout 10s");
    expect([deleted.code, deleted.stderr]).toEqual([0, expect.not.stringContaining("did not take")]);
    expect([await text(web), await text(idle)]).toEqual(["plain", "plain"]);
  });
});
