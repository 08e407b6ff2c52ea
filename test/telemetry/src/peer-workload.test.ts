/** Who calls, as the called sees it, beyond the caller's certificate: two versions of one service account, and strangers. */

import { channel } from "node:diagnostics_channel";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "./prometheus/prometheus.js";

const TOLD = /^(?:x-inmesh-workload|x-envoy-peer-metadata(?:-id)?)$/i;
const HTTP2 = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: two, namespace: shop }
spec: { host: two, trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: UPGRADE } } } }
`;

describe("which workload calls", () => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-peer-"));
  const closing: (() => unknown)[] = [];
  /** Names of lines that an application was shown. */
  const shown = new Set<string>();
  let callers: readonly Mesh[] = [];
  let called: Readonly<Record<"one" | "two", Mesh>>;
  let port = 0;

  const open = async (service: string, more: MeshOptions = {}): Promise<{ mesh: Mesh; port: number }> => {
    const given = { service, namespace: "shop", config: folder, identity: "ca", log: "error" } as const;
    const mesh = await createMesh({ ...given, propagationDelayMs: 0, ...more });
    closing.push(() => mesh.close());
    const made: Server | Http2Server =
      service === "two"
        ? createHttp2Server((asked, answer) => void answer.end(note(asked)))
        : createServer((asked, answer) => void answer.end(note(asked)));
    mesh.attach(made);
    return { mesh, port: await listening(made) };
  };
  const listening = async (server: Server | Http2Server): Promise<number> => {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    closing.push(() => void server.close());
    return (server.address() as AddressInfo).port;
  };
  const note = ({ rawHeaders, headers }: Pick<IncomingMessage, "rawHeaders" | "headers">): string => {
    for (let index = 0; index < rawHeaders.length; index += 2) shown.add(rawHeaders[index]!.toLowerCase()); // flat pairs
    return Object.keys(headers).join(" ");
  };
  const sources = async (of: Mesh): Promise<readonly string[]> => {
    const text = await of.metricsRegistry().metrics();
    const found = text.matchAll(/^istio_requests_total\{reporter="destination",source_workload="([^"]*)"/gm);
    return [...new Set([...found].map(([, workload]) => workload ?? ""))].sort();
  };

  beforeAll(async () => {
    writeFileSync(join(folder, "two.yaml"), HTTP2);
    const one = await open("one");
    const two = await open("two");
    called = { one: one.mesh, two: two.mesh };
    port = one.port;
    const v1 = await open("caller", { version: "v1" });
    const v2 = await open("caller", { version: "v2" });
    callers = [v1.mesh, v2.mesh];
    for (const mesh of callers) {
      for (const host of ["one", "two"]) {
        await until(async () => (await mesh.fetch(`http://${host}/`)).status === 200, `${host} to be found`);
      }
    }
  }, 60_000);

  afterAll(async () => {
    await Promise.all(closing.map((close) => close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["one", "two"] as const)(
    "is told of both versions by %s, which shows its application nothing of it",
    async (host) => {
      for (const mesh of callers)
        for (let index = 0; index < 3; index++) await (await mesh.fetch(`http://${host}/`)).text();
      expect(await sources(called[host])).toEqual(["caller-v1", "caller-v2"]);
      const own = await callers[0]!.metricsRegistry().metrics(); // opened before
      expect(own).toMatch(/^inmesh_tls_handshakes_total\{direction="outbound",result="ok",reason=""} [1-9]/m);
      expect(own).toMatch(/^inmesh_lease_state\{state="registered"} 1$/m);
      expect(own).toMatch(new RegExp(`^inmesh_pool_connections\\{service="${host}\\.shop.*,state="idle"} [1-9]`, "m"));
      expect([...shown].filter((name) => TOLD.test(name))).toEqual([]);
    },
  );

  it("is said by the first request of a connection only, also by an Agent's", async () => {
    const agent = callers[0]!.agent(); // opened before
    const seen: string[][] = [];
    const onRequest = (message: unknown): void => {
      const { rawHeaders } = (message as { request: IncomingMessage }).request;
      seen.push(rawHeaders.filter((name, index) => index % 2 === 0 && TOLD.test(name)));
    };
    channel("http.server.request.start").subscribe(onRequest);
    try {
      for (let index = 0; index < 3; index++) {
        await new Promise<void>((resolve, reject) => {
          const asked = request({ host: "one", agent }, (answer) => void answer.resume().once("end", resolve));
          asked.once("error", reject).end();
        });
      }
    } finally {
      channel("http.server.request.start").unsubscribe(onRequest);
      agent.destroy();
    }
    expect(seen).toEqual([["x-inmesh-workload"], [], []]);
  });

  it("is no stranger's to hear, nor to say", async () => {
    let told = "";
    const elsewhere = await listening(
      createServer((asked, answer) => {
        told = note(asked);
        answer.end();
      }),
    );
    writeFileSync(
      join(folder, "stranger.yaml"),
      `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: stranger, namespace: shop }
spec:
  hosts: [stranger.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${elsewhere} } }]
`,
    );
    const headers = { "x-envoy-peer-metadata": "CgM=", "x-inmesh-workload": "workload=evil", "x-mine": "1" };
    await until(
      async () => (await callers[0]!.fetch("http://stranger.example/", { headers })).status === 200, // opened before
      "the stranger to be known",
    );
    expect(told).toMatch(/x-mine/);
    expect(told.split(" ").filter((name) => TOLD.test(name))).toEqual([]);
    const forged = "workload=evil&namespace=shop&canonicalService=evil&cluster=default";
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-inmesh-workload": forged } });
    expect(await answer.text()).not.toMatch(/workload/);
    expect(await sources(called.one)).toEqual(["caller-v1", "caller-v2", "unknown"]);
  });
});
