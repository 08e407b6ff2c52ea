import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { ask, leases, newFolder, REGISTER, start } from "./child.js";
import { until } from "./until.js";

const BEFORE = fileURLToPath(new URL("./fixture/before.mjs", import.meta.url));

describe("register", () => {
  it("touches nothing at all with INMESH_MODE=off", async () => {
    const child = start("untouched.mjs", {
      folder: newFolder(),
      load: "none",
      nodeArgs: ["--import", pathToFileURL(BEFORE).href, "--import", pathToFileURL(REGISTER).href],
      env: { INMESH_MODE: "off" },
    });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect([child.out(), child.errors()]).toEqual(["changed []\nown false false\nloaded 0\n", ""]);
  });

  it.each([
    [
      "server",
      [
        "http.Server.prototype.emit",
        "http.Server.prototype.close",
        "https.Server.prototype.emit",
        "https.Server.prototype.close",
        "net.Server.prototype.emit",
      ],
    ],
    ["fetch", ["globalDispatcher.1", "globalDispatcher.2"]],
    ["http", ["http.request", "http.get", "http.ClientRequest", "https.request", "https.get"]],
    ["undici", ["Module._load"]],
    ["none", []],
  ])("patches only the seam %s when told so", async (seam, expected) => {
    const child = start("untouched.mjs", {
      folder: newFolder(),
      load: "none",
      nodeArgs: ["--import", pathToFileURL(BEFORE).href, "--import", pathToFileURL(REGISTER).href],
      env: { INMESH_PATCH: seam },
    });
    await child.exited;
    expect(JSON.parse((await child.printed(/changed (.*)/)) || "")).toEqual([...expected, "runtime"]);
  });

  it("lets a script that neither listens nor calls end by itself, without a trace", async () => {
    const folder = newFolder();
    const child = start("script.mjs", { folder });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect([child.out(), child.errors()]).toEqual(["done\n", ""]);
    expect(existsSync(join(folder, ".workloads"))).toBe(false);
  });

  it("lets a script that called a service end by itself, and takes its lease with it", async () => {
    const folder = newFolder();
    const echo = start("bare.mjs", { folder, service: "echo" });
    await echo.port();
    await until(() => leases(folder).size === 1);
    const script = start("script.mjs", { folder, service: "once", args: ["http://echo/echo"] });
    expect(await script.exited).toEqual({ code: 0, signal: null });
    expect(script.out()).toMatch(/^200 .*"service":"echo"/);
    expect([...leases(folder).keys()].join()).not.toContain("once");
  });

  it("lets a script that called a name end by itself: nothing waits for the next lookup", async () => {
    const outside = createServer(({ headers }, response) => response.end(headers.host)).listen(0, "localhost");
    await once(outside, "listening");
    const { port } = outside.address() as AddressInfo;
    const folder = newFolder();
    const spec = `{ hosts: [api.test], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }], endpoints: [{ address: localhost }] }`;
    const entry = `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: api, namespace: default }\nspec: ${spec}\n`;
    writeFileSync(join(folder, "api.yaml"), entry);
    const script = start("script.mjs", { folder, service: "once", args: ["http://api.test/"] });
    expect(await script.exited).toEqual({ code: 0, signal: null });
    outside.close();
    expect([script.out(), script.errors()]).toEqual(["200 api.test\ndone\n", ""]);
  });

  it("calls hosts outside the mesh as without it", async () => {
    const plain = createServer((_, response) => response.end("plain")).listen(0, "127.0.0.1");
    await once(plain, "listening");
    const { port } = plain.address() as AddressInfo;
    const script = start("script.mjs", { folder: newFolder(), args: [`http://127.0.0.1:${port}/`] });
    await script.exited;
    plain.close();
    expect([script.out(), script.errors()]).toEqual(["200 plain\ndone\n", ""]);
  });

  it("warns of a document that is refused and has no earlier version", async () => {
    const folder = newFolder();
    const rule = "kind: VirtualService\nmetadata: { name: app }\nspec: { hosts: [app], http: [{ timeout: soon }] }\n";
    writeFileSync(join(folder, "rule.yaml"), `apiVersion: networking.istio.io/v1\n${rule}`);
    const app = start("bare.mjs", { folder });
    await app.port();
    await until(() => app.errors() !== "");
    expect(app.errors()).toMatch(
      /^inmesh: VirtualService\/default\/app is refused: found "soon", expected a duration.*\n$/,
    );
  });

  it.each([
    ["INMESH_SERVICE", "../evil", /^inmesh: INMESH_SERVICE is "\.\.\/evil": expected a DNS label.*without the mesh\n$/],
    ["INMESH_CONFIG", "etcd://c:2379", /^inmesh: INMESH_CONFIG .*expected a folder.* xds:.*\n$/],
    [
      "INMESH_SERVIC",
      "x",
      /^inmesh: unknown environment variable INMESH_SERVIC \(did you mean INMESH_SERVICE\?\): ignored\n$/,
    ],
  ])("says in one line what is wrong with %s=%s, and runs the application", async (variable, value, line) => {
    const child = start("script.mjs", { folder: newFolder(), env: { [variable]: value } });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.out()).toBe("done\n");
    expect(child.errors()).toMatch(line);
  });

  it("says in one line that Node is too old, and runs the application without the mesh", async () => {
    const folder = newFolder();
    const old = join(folder, "old.mjs");
    writeFileSync(old, 'Object.defineProperty(process, "version", { value: "v18.20.0" });');
    const child = start("script.mjs", {
      folder,
      load: "none",
      nodeArgs: ["--import", pathToFileURL(old).href, "--import", pathToFileURL(REGISTER).href],
    });
    await child.exited;
    expect(child.out()).toBe("done\n");
    expect(child.errors()).toBe(
      "inmesh: Node v18.20.0 is too old, 20.19, 22.12 or newer is needed. This process runs without the mesh\n",
    );
  });

  it("runs once when it is loaded twice", async () => {
    const folder = newFolder();
    const child = start("bare.mjs", {
      folder,
      nodeArgs: ["--require", REGISTER, "--import", pathToFileURL(REGISTER).href],
    });
    const port = await child.port();
    await until(() => leases(folder).size === 1);
    const [lease = ""] = leases(folder).values();
    const admin = /admin: "(.*)"/.exec(lease)?.[1];
    await ask(port, "/echo");
    const stats = await (await fetch(`${admin}/stats`)).json();
    expect(stats).toMatchObject({ inbound: { requests: 1, failures: 0 } });
  });

  it("joins a copy of itself that came first", async () => {
    const folder = newFolder();
    const copy = fileURLToPath(new URL("../node_modules/.cache/second-copy", import.meta.url)); // finds our dependencies
    rmSync(copy, { recursive: true, force: true });
    cpSync(dirname(REGISTER), join(copy, "dist"), { recursive: true });
    cpSync(new URL("../package.json", import.meta.url), join(copy, "package.json"));
    const entry = join(folder, "entry.mjs");
    writeFileSync(
      entry,
      `import { registeredMesh } from ${JSON.stringify(join(dirname(REGISTER), "index.js"))};
import { registeredMesh as same } from ${JSON.stringify(join(copy, "dist", "index.js"))};
console.log(registeredMesh() === same(), registeredMesh().service, registeredMesh().status.patched.length);
`,
    );
    const child = start(entry, {
      folder,
      service: "web",
      nodeArgs: ["--import", pathToFileURL(join(copy, "dist", "register.js")).href],
    });
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect([child.out(), child.errors()]).toEqual(["true web 5\n", ""]);
  });

  it("works as the first import of the entry", async () => {
    const folder = newFolder();
    const entry = join(folder, "entry.mjs");
    const bare = fileURLToPath(new URL("./fixture/bare.mjs", import.meta.url));
    writeFileSync(entry, `import ${JSON.stringify(REGISTER)};\nimport ${JSON.stringify(bare)};\n`);
    const child = start(entry, { folder, load: "none", service: "web" });
    const port = await child.port();
    const { body } = await until(async () => {
      const answer = JSON.parse((await ask(port, "/fetch?u=http://web/echo")).text); // itself, once it sees its own lease
      return answer.status === 200 && answer;
    });
    expect(body).toMatchObject({ service: "web", pid: child.process.pid });
  });

  it("leaves the error of a port in use to the application, whose lease has no such port", async () => {
    const folder = newFolder();
    const first = start("bare.mjs", { folder, service: "first" });
    const port = await first.port();
    const second = start("bare.mjs", { folder, service: "second", env: { PORT: String(port) } });
    expect((await second.exited).code).toBe(1);
    expect(second.errors()).toMatch(/Error: listen EADDRINUSE/);
    expect([...leases(folder).keys()].join()).not.toContain("second");
  });

  it("gives each worker of a cluster a lease of its own, and callers one endpoint", async () => {
    const folder = newFolder();
    const cluster = start("cluster.mjs", { folder, service: "pool", nodeArgs: [] });
    const port = Number(await cluster.printed(/shared (\d+)/));
    const caller = start("bare.mjs", { folder, service: "caller" });
    const callerPort = await caller.port();
    const files = await until(() => leases(folder).size === 4 && leases(folder));
    const pool = [...files].filter(([name]) => name.includes(".pool."));
    expect(pool.map(([, text]) => /"http": (\d+)/.exec(text)?.[1])).toEqual([String(port), String(port), String(port)]);
    await until(async () => (await ask(callerPort, "/fetch?u=http://pool/")).status === 200);
    const admin = /admin: "(.*)"/.exec([...files].find(([name]) => name.includes(".caller."))?.[1] ?? "")?.[1];
    const { clusters } = (await (await fetch(`${admin}/clusters`)).json()) as {
      clusters: { endpoints: { workloads: string[] }[] }[];
    };
    expect(clusters[0]?.endpoints.map(({ workloads }) => workloads.length)).toEqual([3]);
  });

  it("registers no worker thread, whose calls are meshed all the same", async () => {
    const folder = newFolder();
    const child = start("threads.mjs", { folder, service: "web" });
    await child.printed(/worker\nport (\d+)/);
    const workerPort = Number(await child.printed(/worker\nport (\d+)/));
    await until(() => leases(folder).size === 1);
    const answer = await until(async () => {
      const found = JSON.parse((await ask(workerPort, "/fetch?u=http://web/echo")).text);
      return found.status === 200 && found;
    });
    expect(answer).toMatchObject({ main: false, body: { main: true } });
    expect(leases(folder).size).toBe(1);
  });

  it("starts from the last good policy when the registry cannot be read", async () => {
    const base = newFolder();
    const folder = join(base, "mesh");
    mkdirSync(folder);
    writeFileSync(
      join(folder, "hello.yaml"),
      `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: hello }
spec: { hosts: [hello.test], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: hello }
spec: { hosts: [hello.test], http: [{ directResponse: { status: 200, body: { string: "\\"kept\\"" } } }] }
`,
    );
    const env = { INMESH_CONFIG: folder, INMESH_STATE_DIR: join(base, "state") };
    const first = start("bare.mjs", { folder: base, env });
    const hello = async (port: number) => JSON.parse((await ask(port, "/fetch?u=http://hello.test/")).text);
    expect(await hello(await first.port())).toEqual({ status: 200, body: "kept" });
    first.process.kill("SIGTERM");
    await first.exited;
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "no folder at all");
    const second = start("bare.mjs", { folder: base, env });
    expect(await hello(await second.port())).toEqual({ status: 200, body: "kept" });
  });
});
