/** Connect as others speak it: Consul's own proxy, and its CA, on both sides of processes of the mesh. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createMesh, type Mesh } from "@inmesh/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, freePorts, startDevAgent } from "../peer/index.js";

const binary = findConsul("mTLS by Consul's CA, with Consul's own proxy");

describe.skipIf(binary === undefined)("Connect", () => {
  let agent: DevAgent;
  let config: string;
  const closing: (() => unknown)[] = [];

  beforeAll(async () => {
    // Agents spread renewals after a new root over half a minute.
    const connect = { enabled: true, test_ca_leaf_root_change_spread: "1ns" };
    agent = await startDevAgent(binary!, { configuration: { connect } }); // not skipped: it is there
    config = `consul://127.0.0.1:${agent.port}`;
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => agent?.[Symbol.asyncDispose]());

  const mesh = async (service: string, namespace = "default"): Promise<Mesh> => {
    const made = await createMesh({
      ...{ service, namespace, config, identity: "connect", admin: "off", log: "error", propagationDelayMs: 0 },
    });
    closing.push(() => made.close());
    return made;
  };
  const listening = async (server: Server): Promise<number> => {
    closing.push(() => server.close().closeAllConnections());
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  };
  /** A server of the mesh that says who calls. */
  const serving = async (service: string, namespace?: string): Promise<Mesh> => {
    const made = await mesh(service, namespace);
    await listening(made.attach(createServer((_, response) => response.end(JSON.stringify(made.peer() ?? null)))));
    return made;
  };
  const proxy = async (...args: string[]): Promise<ChildProcess> => {
    const all = ["connect", "proxy", "-http-addr", `127.0.0.1:${agent.port}`, ...args];
    const child = spawn(binary!.path, all, { stdio: ["ignore", "pipe", "pipe"] });
    closing.push(async () => {
      child.kill("SIGKILL");
      await once(child, "close");
    });
    return child;
  };
  const trustDomain = async (): Promise<string> =>
    ((await agent.must("GET", "/v1/agent/connect/ca/roots")) as { readonly TrustDomain: string }).TrustDomain;
  const answer = async (url: string, call = fetch): Promise<unknown> => {
    const response = await call(url, { signal: AbortSignal.timeout(2_000) });
    return response.status === 200 ? response.json() : response.status;
  };

  it("names a process by its service, and members know each other as the mesh names them", async () => {
    const greeter = await serving("greeter", "shop");
    const caller = await mesh("caller");
    const domain = await trustDomain();
    const id = `spiffe://${domain}/ns/default/dc/dc1/svc/greeter--shop`;
    expect(greeter.status.identity).toMatchObject({ state: "ready", id, source: `Consul's CA (${config})` });
    const url = "http://greeter.shop/";
    await expect
      .poll(() => answer(url, caller.fetch as typeof fetch), { timeout: 10_000 })
      .toEqual({
        id: "spiffe://cluster.local/ns/default/sa/caller",
        principal: "cluster.local/ns/default/sa/caller",
        ...{ trustDomain: "cluster.local", namespace: "default", serviceAccount: "caller" },
        presented: `spiffe://${domain}/ns/default/dc/dc1/svc/caller`,
      });
    const native = await agent.must("GET", "/v1/health/connect/greeter--shop");
    expect(native).toMatchObject([{ Service: { Connect: { Native: true } } }]);
  });

  it("a sidecar of Consul's calls a process of the mesh, which knows for whom", async () => {
    await serving("native");
    await expect.poll(() => agent.must("GET", "/v1/health/connect/native?passing")).toHaveLength(1);
    const [port = 0] = await freePorts(1);
    await proxy("-service", "legacy-caller", "-upstream", `native:${port}`);
    await expect
      .poll(() => answer(`http://127.0.0.1:${port}/`).catch(String), { timeout: 20_000 })
      .toMatchObject({ id: "spiffe://cluster.local/ns/default/sa/legacy-caller", serviceAccount: "legacy-caller" });
  });

  it("a process of the mesh calls what stands behind a sidecar of Consul's, and nobody who is not that service", async () => {
    const plain = await listening(createServer((_, response) => response.end('"behind the sidecar"')));
    const [port = 0, wrong = 0] = await freePorts(2);
    const sidecar = (service: string, at: number, before: string): object => ({
      ...{
        Name: `${before}-sidecar-proxy`,
        ID: `${before}-sidecar-proxy`,
        Kind: "connect-proxy",
        Address: "127.0.0.1",
      },
      ...{
        Port: at,
        Proxy: { DestinationServiceName: service, DestinationServiceID: before, LocalServicePort: plain },
      },
    });
    await agent.must("PUT", "/v1/agent/service/register", {
      Name: "legacy",
      ID: "legacy",
      Port: plain,
      Address: "127.0.0.1",
    });
    await agent.must("PUT", "/v1/agent/service/register", sidecar("legacy", port, "legacy"));
    await proxy("-service", "legacy", "-service-addr", `127.0.0.1:${plain}`, "-listen", `127.0.0.1:${port}`);
    const caller = await mesh("caller");
    const call = (): Promise<unknown> => answer("http://legacy/", caller.fetch as typeof fetch).catch(String);
    await expect.poll(call, { timeout: 20_000 }).toBe("behind the sidecar");
    // The same port, held by somebody whose certificate is of another service.
    await agent.must("PUT", "/v1/agent/service/deregister/legacy-sidecar-proxy");
    await proxy("-service", "rogue", "-service-addr", `127.0.0.1:${plain}`, "-listen", `127.0.0.1:${wrong}`);
    await agent.must("PUT", "/v1/agent/service/register", sidecar("legacy", wrong, "rogue"));
    const refused = async (): Promise<string> => {
      const response = await caller.fetch("http://legacy/", { signal: AbortSignal.timeout(2_000) });
      return `${response.status} ${await response.text()}`;
    };
    await expect.poll(() => refused().catch(String), { timeout: 20_000 }).toMatch(/^503 .*sa\/rogue/s);
    for (let round = 0; round < 5; round++) expect(await refused()).toMatch(/^503 /);
  });

  it("takes new roots and certificates when Consul's CA changes, while calls go on", async () => {
    const greeter = await serving("rotating");
    const caller = await mesh("caller");
    const call = (): Promise<unknown> => answer("http://rotating/", caller.fetch as typeof fetch);
    await expect.poll(call, { timeout: 10_000 }).toMatchObject({ serviceAccount: "caller" });
    const before = [greeter, caller].map(({ status }) => status.identity?.generation ?? 0);
    const { generateKeyPairSync } = await import("node:crypto");
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const PrivateKey = privateKey.export({ type: "sec1", format: "pem" });
    let failed = 0;
    let done = false;
    const load = (async () => {
      while (!done) {
        const found = await call().catch(() => undefined);
        if (found === undefined || typeof found === "number") failed += 1;
      }
    })();
    await agent.must("PUT", "/v1/connect/ca/configuration", { Provider: "consul", Config: { PrivateKey } });
    const generation = (of: Mesh): number => of.status.identity?.generation ?? 0;
    await expect
      .poll(() => generation(greeter) > before[0]! && generation(caller) > before[1]!, { timeout: 30_000 })
      .toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 500)); // both have the new ones: calls by them
    done = true;
    await load;
    expect(failed).toBe(0);
  });
});
