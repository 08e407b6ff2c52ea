import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryRegistry } from "@inmesh/core";
import { afterEach, describe, expect, it } from "vitest";
import { createMesh } from "../create-mesh.js";
import type { MeshOptions } from "../settings/options.js";
import { judgeStranger } from "./guard.js";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function admin(options: MeshOptions = {}) {
  const registry = new MemoryRegistry();
  const mesh = await createMesh({ service: "web", config: registry, propagationDelayMs: 0, ...options });
  closing.push(() => mesh.close());
  const server = mesh.attach(createServer((_, response) => response.end("hello")));
  await once(server.listen(0, "127.0.0.1"), "listening");
  while (mesh.status.ports.length === 0 || mesh.status.snapshot.version === 0)
    await new Promise((resolve) => setImmediate(resolve));
  const url = mesh.adminUrl ?? "";
  const ask = async (path: string, { method = "GET", agent = "test", headers = {} } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { "user-agent": agent, ...(method === "POST" && { "x-inmesh-admin": "1" }), ...headers },
    });
    return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
  };
  const { port } = server.address() as AddressInfo;
  return { mesh, registry, url, ask, port, app: `http://127.0.0.1:${port}` };
}

const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: nobody, namespace: default }
spec: {}
`;

const answered = async (ask: () => Promise<Response>): Promise<void> => {
  while (!(await ask()).ok) await new Promise((resolve) => setImmediate(resolve));
};

describe("the form of a page", () => {
  it.each(["/clusters", "/listeners", "/stats", "/certs", "/events", "/healthz/ready", "/memory", "/"])(
    "%s is lines for curl, JSON for programs, and either when asked for",
    async (path) => {
      const { mesh, ask } = await admin({ identity: "off" });
      await answered(() => mesh.fetch("http://web/"));
      const [person, asked, program, text] = [
        await ask(path, { agent: "curl/8.5.0" }),
        await ask(`${path}?format=json`, { agent: "curl/8.5.0" }),
        await ask(path),
        await ask(`${path}?format=text`),
      ];
      expect([person.type, asked.type]).toEqual(["text/plain; charset=utf-8", "application/json; charset=utf-8"]);
      expect([program.type, text.type]).toEqual(["application/json; charset=utf-8", "text/plain; charset=utf-8"]);
      expect(() => JSON.parse(person.text)).toThrow();
      expect(JSON.parse(asked.text)).toEqual(expect.any(Object));
    },
  );

  it("is Envoy's for clusters", async () => {
    const { mesh, ask, port } = await admin();
    await answered(() => mesh.fetch("http://web/"));
    const { text } = await ask("/clusters?format=text");
    const cluster = `outbound|80||web.default.svc.cluster.local`;
    expect(text).toContain(`${cluster}::127.0.0.1:${port}::health_flags::healthy\n`);
    expect(text).toMatch(/::127\.0\.0\.1:\d+::rq_success::1\n/);
    expect(text.split("\n").filter((line) => line !== "" && line.split("::").length < 3)).toEqual([]);
  });
});

describe("GET /config_dump", () => {
  it("is Envoy-shaped, one section or all, with names chosen by RE2, and has no key in it", async () => {
    const { ask, port } = await admin();
    const dump = JSON.parse((await ask("/config_dump")).text);
    expect(dump.configs.map((section: { "@type": string }) => section["@type"].split(".").at(-1))).toEqual([
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "ListenersConfigDump",
      "RoutesConfigDump",
      "EndpointsConfigDump",
      "SecretsConfigDump",
    ]);
    const name = "outbound|80||web.default.svc.cluster.local";
    const { configs } = JSON.parse(
      (await ask("/config_dump?resource=dynamic_endpoint_configs&name_regex=80.*web")).text,
    );
    expect(configs).toMatchObject([
      {
        dynamic_endpoint_configs: [
          {
            endpoint_config: {
              cluster_name: name,
              endpoints: [
                {
                  lb_endpoints: [
                    { endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } } },
                  ],
                },
              ],
            },
          },
        ],
      },
    ]);
    const none = JSON.parse((await ask("/config_dump?resource=clusters&name_regex=nothing")).text);
    expect(none.configs[0].dynamic_active_clusters).toEqual([]);
    expect((await ask("/config_dump?resource=nonsense")).status).toBe(400);
    expect((await ask("/config_dump?name_regex=(")).status).toBe(400);
    expect(JSON.stringify(dump)).not.toContain("PRIVATE KEY");
  });
});

describe("health", () => {
  it("lists its conditions, and startup stays what it was once ready", async () => {
    const { ask } = await admin({ identity: "off" });
    expect(await ask("/healthz/ready?format=text")).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^ready: config ok v\d+; identity none; draining no\n$/),
    });
    await ask("/healthcheck/fail", { method: "POST" });
    expect(await ask("/healthz/ready?format=text")).toMatchObject({
      status: 503,
      text: expect.stringContaining("failing yes, by POST /healthcheck/fail"),
    });
    expect((await ask("/healthz/startup")).status).toBe(200);
    expect((await ask("/healthz/live")).status).toBe(200);
  });

  it("is told on the application's port below the path that was asked for, and nowhere else", async () => {
    const { app, ask, mesh } = await admin({ healthPath: "/healthz", identity: "off" });
    const text = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${app}${path}`, init);
      return `${response.status} ${await response.text()}`;
    };
    expect(await text("/healthz/ready")).toMatch(/^200 ready: config ok/);
    expect(await text("/healthz/ready?format=json")).toMatch(/^200 {"ready":true/);
    expect(await text("/healthz", { method: "HEAD" })).toBe("200 ");
    for (const path of ["/healthz/", "/healthz/other", "//healthz", "/HEALTHZ", "/healthz%2fready"])
      expect(await text(path)).toBe("200 hello");
    expect(await text("/healthz", { method: "POST" })).toBe("200 hello");
    await ask("/healthcheck/fail", { method: "POST" });
    expect(await text("/healthz/ready")).toMatch(/^503 not ready/);
    expect(mesh.status.state).toBe("ready");
  });

  it("is told in plaintext on a STRICT port, whatever may be called, and nothing else is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "inmesh-health-"));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, "policy.yaml"), STRICT);
    const mesh = await createMesh({
      service: "web",
      config: folder,
      propagationDelayMs: 0,
      healthPath: "/healthz",
      log: "error",
    });
    closing.push(() => mesh.close());
    const server = mesh.attach(createServer((_, response) => response.end("hello")));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const app = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const status = async (path: string) => (await fetch(`${app}${path}`)).status;
    await expect.poll(() => status("/healthz/ready"), { timeout: 10_000 }).toBe(200);
    await expect.poll(() => status("/hello"), { timeout: 10_000 }).toBe(403);
    expect(await status("/healthz/ready/")).toBe(403);
    expect(await (await fetch(`${app}/healthz/ready`)).text()).toMatch(
      /^ready: config ok v\d+; identity ok \d+h; draining no\n$/,
    );
  });

  it("is not told on the application's port unless asked for", async () => {
    const { app } = await admin();
    expect(await (await fetch(`${app}/healthz/ready`)).text()).toBe("hello");
  });
});

describe("what is asked for by POST", () => {
  it("resets counters, and what is under way stays", async () => {
    const { mesh, ask } = await admin();
    await answered(() => mesh.fetch("http://web/"));
    const before = JSON.parse((await ask("/stats")).text);
    expect([before.inbound.requests > 0, before.outbound[0].stats.calls > 0]).toEqual([true, true]);
    expect((await ask("/reset_counters", { method: "POST" })).status).toBe(202);
    const { inbound, outbound, unrouted } = JSON.parse((await ask("/stats")).text);
    expect([inbound.requests, outbound[0].stats.calls, outbound[0].stats.p99Ms, unrouted]).toEqual([0, 0, 0, 0]);
    expect([...new Set(outbound[0].cells)]).toEqual([0]);
  });

  it("drains by Envoy's name", async () => {
    const { mesh, ask } = await admin();
    expect((await ask("/quitquitquit", { method: "POST" })).status).toBe(202);
    expect((await mesh.drain()).cut).toBe(0);
  });

  it("refuses profiles unless they are allowed", async () => {
    const { ask } = await admin();
    for (const path of ["/cpuprofile", "/heapsnapshot"]) {
      expect(await ask(path, { method: "POST" })).toMatchObject({
        status: 403,
        text: expect.stringMatching(/PROFILING/),
      });
      expect((await ask(path)).status).toBe(405);
    }
  });

  it("takes CPU profiles and heap snapshots, one at a time", async () => {
    const { ask } = await admin({ profiling: true });
    const [first, second] = await Promise.all([
      ask("/cpuprofile?seconds=0.2", { method: "POST" }),
      ask("/cpuprofile?seconds=0.2", { method: "POST" }),
    ]);
    expect([first.status, second.status].sort()).toEqual([200, 409]);
    const profile = JSON.parse((first.status === 200 ? first : second).text);
    expect(Object.keys(profile)).toEqual(expect.arrayContaining(["nodes", "samples"]));
    expect((await ask("/cpuprofile?seconds=61", { method: "POST" })).status).toBe(400);
    const heap = await ask("/heapsnapshot", { method: "POST" });
    expect(heap.text.slice(0, 12)).toBe('{"snapshot":');
  }, 60_000);
});

describe("an endpoint that is bound beyond this machine", () => {
  const stranger = (authorization?: string) => ({
    socket: { remoteAddress: "10.0.0.9", localAddress: "10.0.0.5" },
    headers: authorization === undefined ? {} : { authorization },
  });
  const token = "0123456789abcdef";

  it("lets others in by its token, and by no other", () => {
    expect(judgeStranger(stranger(`Bearer ${token}`), token)).toBeUndefined();
    for (const given of [undefined, "Bearer ", `Bearer ${token}0`, `Basic ${token}`, token])
      expect(judgeStranger(stranger(given), token)).toMatchObject({ status: 401 });
  });

  it("without one lets nobody in but this machine", () => {
    expect(judgeStranger(stranger(`Bearer ${token}`), undefined)).toMatchObject({ status: 403 });
    for (const remoteAddress of ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.5"])
      expect(
        judgeStranger({ ...stranger(), socket: { remoteAddress, localAddress: "10.0.0.5" } }, undefined),
      ).toBeUndefined();
  });

  it("answers a target that is no path", async () => {
    const { url } = await admin();
    const { port } = new URL(url);
    const status = await new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port, path: "http://[", headers: { host: `127.0.0.1:${port}` } }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on("error", reject)
        .end();
    });
    expect(status).toBe(400);
  });
});

describe("/explain", () => {
  it("adds how the endpoints are doing once the process has called them", async () => {
    const { mesh, ask } = await admin({ identity: "off" });
    const asked = "/explain?url=http://web/";
    const before = JSON.parse((await ask(asked)).text);
    expect(before).toMatchObject({ outcome: "route", live: null });
    await answered(() => mesh.fetch("http://web/"));
    const { live } = JSON.parse((await ask(asked)).text);
    expect(live.seenBy).toEqual([`default/web-${mesh.instance}`]);
    expect(live.destinations[0].endpoints).toMatchObject([{ usable: true, out: [], failureRatio: 0 }]);
    expect(live.destinations[0].recent.results).toContainEqual({ result: "200", calls: 1 });
    const { text } = await ask(asked, { agent: "curl/8.5.0" });
    expect(text).toMatch(/\nnow:\n {2}web\.default: 1 of 1 endpoint in use; last 1 call: p50 /);
    expect(text).toMatch(/\nexpected: 200, as 1 of the last 1 calls, p99 /);
  });
});
