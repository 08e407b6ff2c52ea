/** `inmesh dev --registry consul`, which is also `npm start -- --registry consul`: the same sessions, met in a Consul. */

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findConsul, freePorts, startDevAgent } from "@inmesh-test/consul/peer";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DevProcess, isAlive, ROOT } from "./dev-process.js";

const binary = findConsul("inmesh dev --registry consul");
const TOKEN = "5ec2e70e-0000-4000-8000-00000000beef";
/** `reset`: a request written to a process in the moment it dies is repeated, as Istio's default policy does not. */
const POLICY = (timeout: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b }
spec:
  hosts: [b]
  http:
    - timeout: ${timeout}
      retries: { attempts: 2, retryOn: "connect-failure,refused-stream,reset" }
      route: [{ destination: { host: b } }]
`;

let folder = "";
let dev: DevProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-dev-consul-"));
  mkdirSync(join(folder, "mesh"));
  copyFileSync(join(ROOT, "test/e2e/fixtures/a.cjs"), join(folder, "a.js"));
  copyFileSync(join(ROOT, "test/e2e/fixtures/b.mjs"), join(folder, "b.mjs"));
  writeFileSync(join(folder, "mesh/b.yaml"), POLICY("3s"));
});

afterEach(async () => {
  await dev?.dispose();
  dev = undefined;
  rmSync(folder, { recursive: true });
});

const commands = ["--", "a=node", "a.js", "--", "b=node", "b.mjs", "--", "b=node", "b.mjs"];

async function start(registry: string): Promise<{ session: DevProcess; ask: () => Promise<string> }> {
  const [port = 0] = await freePorts(1);
  const env = { A_PORT: String(port), INMESH_CONSUL_BIN: binary?.path ?? "" };
  const session = new DevProcess(["dev", "--registry", registry, ...commands], { cwd: folder, env });
  dev = session;
  await session.until(/\ba \(pid \d+\) is ready/);
  await session.until(/\bb \(pid \d+\) is ready.*\bb \(pid \d+\) is ready/s);
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
    return `${answer.status} ${await answer.text()}`;
  };
  return { session, ask };
}

/** Policy in Consul by its key; empty where there is none. */
async function policyIn(url: string, key: string, token = ""): Promise<string> {
  const answer = await fetch(`${url}/v1/kv/inmesh/${key}?raw`, { headers: { "x-consul-token": token } });
  return answer.status === 200 ? answer.text() : "";
}

describe.skipIf(binary === undefined)("inmesh dev --registry consul", () => {
  it("meets in a Consul of its own, with the folder's files as policy, and leaves nothing behind", async () => {
    const { session, ask } = await start("consul");
    const [, port] = await session.until(/registry: consul:\/\/127\.0\.0\.1:(\d+).*removed at the end/);
    const url = `http://127.0.0.1:${port}`;
    await expect.poll(ask).toMatch(/^200 hello from \d+$/);
    const instances = (await (await fetch(`${url}/v1/health/service/b?passing`)).json()) as unknown[];
    expect(instances).toHaveLength(2);
    expect(await policyIn(url, "services/default/b/VirtualService/b")).toContain("3s");

    writeFileSync(join(folder, "mesh/b.yaml"), POLICY("4s"));
    await expect.poll(() => policyIn(url, "services/default/b/VirtualService/b")).toContain("4s");
    session.press("o");
    await expect.poll(() => policyIn(url, "policy/istio-system/MeshMode/inmesh-dev")).toContain("off");
    session.press("o");
    await expect.poll(() => policyIn(url, "policy/istio-system/MeshMode/inmesh-dev")).toBe("");
    session.press("k");
    const [, killed] = await session.until(/kill -9 (\d+) \(b-\d\)/);
    await expect.poll(() => isAlive(Number(killed))).toBe(false); // what it has begun is lost with it
    for (let n = 0; n < 20; n++) expect(await ask()).toMatch(/^200 hello from \d+$/);
    session.press("q");
    expect((await session.ended).code, session.text).toBe(0);
    expect(session.pids.filter(isAlive)).toEqual([]);
    expect(session.leftovers).toEqual([]);
    await expect(fetch(`${url}/v1/status/leader`)).rejects.toThrow("fetch failed");
  });

  it("meets in a Consul that runs, says no token, and takes back what its keys wrote, even when it is killed", async () => {
    await using agent = await startDevAgent(binary!, { managementToken: TOKEN });
    const { session, ask } = await start(`consul://${TOKEN}@127.0.0.1:${agent.port}`);
    await expect.poll(ask).toMatch(/^200 hello from \d+$/);
    const mode = () => policyIn(agent.url, "policy/istio-system/MeshMode/inmesh-dev", TOKEN);
    session.press("o");
    await expect.poll(mode).toContain("off");
    session.signal("SIGKILL");
    await session.ended;
    await expect.poll(mode, { timeout: 15_000 }).toBe("");
    expect(await policyIn(agent.url, "services/default/b/VirtualService/b", TOKEN)).toContain("3s");
    await expect.poll(() => session.pids.filter(isAlive), { timeout: 15_000 }).toEqual([]);
    expect(session.text).toContain(`registry: consul://127.0.0.1:${agent.port}`);
    expect(session.text).not.toContain("5ec2e70e");
  });
});

it("says how to get a Consul where there is none", async () => {
  const session = new DevProcess(["dev", "--registry", "consul", ...commands], {
    cwd: folder,
    env: { INMESH_CONSUL_BIN: join(folder, "consul") },
  });
  dev = session;
  expect((await session.ended).code).toBe(2);
  expect(session.text).toMatch(/^inmesh: INMESH_CONSUL_BIN="[^"]+" is no program that can be run\. Install it/m);
  expect(session.leftovers).toEqual([]);
});
