/** Modes as processes run them: what each one does to real requests, and that changing them loses none. */

import { once } from "node:events";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { RequestsView, ServerInfo, StatsView } from "@inmesh/core/admin";
import { afterEach, describe, expect, it } from "vitest";
import { ask, type Child, leases, newFolder, REGISTER, start } from "./child.js";
import { until } from "./until.js";

const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Whole or not at all, as every reader of the folder expects. */
function write(folder: string, name: string, text: string): void {
  writeFileSync(join(folder, `.${name}`), text);
  renameSync(join(folder, `.${name}`), join(folder, name));
}

async function admin<Page>(folder: string, { process: { pid } }: Child, path: string): Promise<Page> {
  const lease = await until(() =>
    [...leases(folder).values()].find((text) => text.includes(`inmesh.dev/pid: "${pid}"`)),
  );
  const url = /inmesh.dev\/admin: "?(http:[^"\n]+)/.exec(lease)?.[1];
  return (await (await fetch(`${url}${path}`)).json()) as Page;
}

/** A server outside the mesh that keeps what it was sent. */
async function plainServer() {
  const seen: string[][] = [];
  const server = createServer(({ rawHeaders, url = "" }, response) => {
    seen.push([url, ...rawHeaders]);
    response.statusCode = url.startsWith("/busy") ? 503 : 200;
    response.end("plain");
  }).listen(0, "127.0.0.1");
  closing.push(() => server.close().closeAllConnections());
  await once(server, "listening");
  return { seen, port: (server.address() as AddressInfo).port };
}

const policyFor = (port: number): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: plain, namespace: default }
spec:
  hosts: [plain.test]
  addresses: [127.0.0.1]
  ports: [{ number: ${port}, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: plain, namespace: default }
spec:
  hosts: [plain.test]
  http:
    - match: [{ uri: { prefix: /fault } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: plain.test } }]
    - match: [{ uri: { prefix: /gone } }]
      redirect: { uri: /new }
    - rewrite: { uri: /new/ }
      timeout: 5s
      retries: { attempts: 2, retryOn: 5xx }
      headers: { request: { set: { x-policy: "on" } } }
      route: [{ destination: { host: plain.test } }]
`;

describe("INMESH_MODE=observe", () => {
  it("listens to undici, takes no signal, and patches only what cannot be listened to", async () => {
    const child = start("untouched.mjs", {
      folder: newFolder(),
      load: "none",
      nodeArgs: [
        ...["--import", pathToFileURL(fileURLToPath(new URL("./fixture/before.mjs", import.meta.url))).href],
        ...["--import", pathToFileURL(REGISTER).href],
      ],
      env: { INMESH_MODE: "observe" },
    });
    const changed: string[] = JSON.parse(await child.printed(/changed (.*)/));
    // The last: servers of node:http2 are found by their first event, whatever made them.
    const audible = changed.filter((name) => !/^https?\.(Server|request|get|ClientRequest)/.test(name));
    expect(audible).toEqual(["net.Server.prototype.emit", "runtime"]);
  });

  it("sends every request as it goes without us, and tells what policy would have done", async () => {
    const folder = newFolder();
    const { seen, port } = await plainServer();
    write(folder, "policy.yaml", policyFor(port));
    const observed = start("bare.mjs", { folder, env: { INMESH_MODE: "observe" } });
    const bare = start("bare.mjs", { folder, load: "none" });
    const paths = ["/fault", "/gone", "/busy?token=secret", "/else"];
    const requests = paths.flatMap((path) =>
      ["/fetch", "/get"].map((way) => `${way}?u=http://127.0.0.1:${port}${path}`),
    );
    const headers = {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "x-inmesh-timeout-ms": "1",
    };
    await until(async () => (await admin<ServerInfo>(folder, observed, "/server_info")).snapshot.version > 0);
    const answers = async (child: Child): Promise<unknown[]> => {
      seen.length = 0;
      const texts: unknown[] = [];
      const at = await child.port();
      for (const request of requests) texts.push(await ask(at, request, headers));
      return [texts, [...seen]];
    };
    expect(await answers(observed)).toEqual(await answers(bare));

    const { mode, modeFrom } = await admin<ServerInfo>(folder, observed, "/server_info");
    expect([mode, modeFrom]).toEqual(["observe", "setting"]);
    const told = await admin<RequestsView>(folder, observed, "/requests");
    const rule = 'rule "default" of VirtualService/default/plain';
    const changes = (path: string): string => `path /new${path}; header x-policy, x-inmesh-timeout-ms, traceparent set`;
    const each = [
      ["/fault", 200, `aborted on purpose with 418 by ${rule}`],
      ["/gone", 200, `redirected with 301 by ${rule}`],
      ["/busy", 503, `${changes("/busy")}; tried again (5xx)`],
      ["/else", 200, changes("/else")],
    ];
    expect(told.requests.map(({ path, status, would }) => [path, status, would?.text]).reverse()).toEqual(
      each.flatMap((one) => [one, one]),
    );
    const stats = await admin<StatsView>(folder, observed, "/stats");
    expect(stats.would).toMatchObject([
      { host: "plain.test", calls: 8, changed: 8, aborted: 2, answered: 2, retried: 2 },
    ]);
    expect(stats.outbound).toMatchObject([{ host: "plain.test", stats: { calls: 8, failures: 2, inFlight: 0 } }]);
    expect(stats.inbound.requests).toBe(8);
  });

  it("does not resolve names that only the mesh knows, and ends at once by SIGTERM", async () => {
    const folder = newFolder();
    const back = start("bare.mjs", { folder, service: "back" });
    const front = start("bare.mjs", { folder, service: "front", env: { INMESH_MODE: "observe" } });
    await back.port();
    await until(async () => (await admin<StatsView>(folder, front, "/stats")) && leases(folder).size === 2);
    await until(async () => JSON.stringify(await admin(folder, front, "/snapshot")).includes("back.default"));
    const failed = await ask(await front.port(), "/get?u=http://back/echo").catch((error: Error) => error);
    expect(String(failed instanceof Error ? failed : failed.text)).toMatch(/ENOTFOUND|EAI_AGAIN|fetch failed/);
    const { requests } = await admin<RequestsView>(folder, front, "/requests");
    expect(requests[0]).toMatchObject({ authority: "back", status: 0, would: { outcome: "sent" } });
    front.process.kill("SIGTERM");
    expect(await front.exited).toEqual({ code: null, signal: "SIGTERM" });
  });
});

const MESHED = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: back, namespace: default }
spec:
  hosts: [back]
  http:
    - match: [{ uri: { prefix: /unlucky } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 30 } } }
      route: [{ destination: { host: back } }]
    - headers: { request: { set: { x-policy: "on" } } }
      timeout: 20s
      route: [{ destination: { host: back } }]
`;

const SCOPES = {
  mesh: "metadata: { name: default, namespace: istio-system }\nspec: { mode: MODE }",
  namespace: "metadata: { name: default, namespace: default }\nspec: { mode: MODE }",
  workload:
    "metadata: { name: front, namespace: default }\nspec: { mode: MODE, selector: { matchLabels: { app: front } } }",
};

interface Seen {
  readonly faulty: boolean;
  readonly status: number;
  /** The callee saw the header that policy sets. */
  readonly policy: boolean;
  /** It saw a header that only the mesh adds. */
  readonly added: boolean;
}

describe("MeshMode under load", () => {
  it("changes between on, observe and off by mesh, namespace and workload without one failed request", async () => {
    const folder = newFolder();
    write(folder, "policy.yaml", MESHED);
    const back = start("bare.mjs", { folder, service: "back" });
    const front = start("bare.mjs", { folder, service: "front" });
    const port = await front.port();
    await back.port();
    await until(async () => {
      const { text } = await ask(port, "/fetch?u=http://back/echo");
      return (JSON.parse(text) as { status?: number }).status === 200;
    });

    let phase: Seen[] = [];
    /** For what each caller's request under way counts. */
    const under = new Map<symbol, Seen[]>();
    let over = false;
    const failures: unknown[] = [];
    let total = 0;
    const caller = async (way: string, faulty: boolean): Promise<void> => {
      const self = Symbol();
      while (!over) {
        const into = phase;
        under.set(self, into);
        total += 1;
        try {
          const { status, text } = await ask(port, `${way}?u=http://back/${faulty ? "unlucky" : "echo"}`, {
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          });
          const answer = JSON.parse(text);
          if (status !== 200 || (answer.status !== 200 && answer.status !== 418)) failures.push(text);
          const headers = answer.body.headers ?? {};
          into.push({
            ...{ faulty, status: answer.status, policy: headers["x-policy"] === "on", added: "traceparent" in headers },
          });
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const load = ["/fetch", "/get"].flatMap((way) => [caller(way, false), caller(way, false), caller(way, true)]);

    const wouldAborts = async (): Promise<number> =>
      (await admin<StatsView>(folder, front, "/stats")).would?.find(({ host }) => host.startsWith("back"))?.aborted ??
      0;
    /** What calls made while a mode is in force see, and how many aborts are told of meanwhile. */
    const seenIn = async (mode: string): Promise<{ calls: Seen[]; aborts: number }> => {
      await until(async () => (await admin<ServerInfo>(folder, front, "/server_info")).mode === mode);
      phase = [];
      const settled = phase;
      await until(() => [...under.values()].every((into) => into === settled)); // the last ones of the mode before are over
      const before = await wouldAborts();
      await until(
        () => settled.filter(({ faulty }) => faulty).length > 30 && settled.filter(({ faulty }) => !faulty).length > 60,
      );
      return { calls: settled, aborts: (await wouldAborts()) - before };
    };
    const started = performance.now();
    for (const [scope, document] of Object.entries(SCOPES)) {
      for (const mode of ["observe", "off", "on"]) {
        write(
          folder,
          "mode.yaml",
          `apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\n${document.replace("MODE", mode)}\n`,
        );
        const { calls, aborts } = await seenIn(mode);
        const plain = calls.filter(({ faulty }) => !faulty);
        const expected = mode === "on";
        expect([scope, mode, plain.filter(({ policy }) => policy !== expected).length]).toEqual([scope, mode, 0]);
        expect([scope, mode, plain.filter(({ added }) => added !== expected).length]).toEqual([scope, mode, 0]);
        expect([scope, mode, calls.some(({ status }) => status === 418)]).toEqual([scope, mode, expected]);
        expect([scope, mode, aborts > 0]).toEqual([scope, mode, mode === "observe"]);
        const info = await admin<ServerInfo>(folder, front, "/server_info");
        expect(info.modeFrom).toMatch(/^MeshMode\/(istio-system|default)\/(default|front)$/);
      }
    }
    const seconds = (performance.now() - started) / 1_000;
    rmSync(join(folder, "mode.yaml"));
    over = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(total).toBeGreaterThan(800);
    console.log(`${total} requests, ${Math.round(total / seconds)} a second, 9 changes, 0 failures`);
  }, 60_000);

  it("cannot widen what the process itself was started with", async () => {
    const folder = newFolder();
    const mode = (word: string) =>
      write(
        folder,
        "mode.yaml",
        `apiVersion: inmesh.dev/v1alpha1\nkind: MeshMode\n${SCOPES.mesh.replace("MODE", word)}\n`,
      );
    mode("on");
    const child = start("bare.mjs", { folder, env: { INMESH_MODE: "observe" } });
    await child.port();
    const info = async (): Promise<string> => {
      const { mode: inForce, modeFrom, snapshot } = await admin<ServerInfo>(folder, child, "/server_info");
      return snapshot.version === 0 ? "starting" : `${inForce} ${modeFrom}`;
    };
    await until(async () => (await info()) === "observe setting");
    mode("off"); // the remote switch works on everybody
    await until(async () => (await info()) === "off MeshMode/istio-system/default");
  });
});
