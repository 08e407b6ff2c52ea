/** Real istiod, profile `api`: every kind of policy reaches the traffic of a process, and leaves it again. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { ask, type Backend, backend, document, IN_FORCE_MS, meshAt, serviceOf, subsetsOf, timeUntil } from "./shop.js";

const binary = findIstiod("policy of an istiod in a process");
const SECURITY = "security.istio.io/v1";
const WEB = { selector: { matchLabels: { app: "app" } } };
const KEYS = JSON.stringify({ keys: [] });

describe.skipIf(binary === undefined)("policy of a real istiod", () => {
  let istiod: Istiod;
  let backends: Backend[];
  let mesh: Awaited<ReturnType<typeof meshAt>>;
  let own: ReturnType<typeof createServer>;
  beforeAll(async () => {
    backends = await Promise.all(["v1", "v2"].map(backend));
    istiod = await Istiod.start({ binary: binary ?? "", documents: base() });
    mesh = await meshAt(`xds://${istiod.address}`);
    own = createServer(mesh.handler((_request, response) => void response.end("own")));
    await once(own.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(async () => {
    own?.closeAllConnections();
    own?.close();
    await mesh?.[Symbol.asyncDispose]();
    await istiod?.[Symbol.asyncDispose]();
    for (const each of backends ?? []) await each[Symbol.asyncDispose]();
  });
  const base = (): object[] => [serviceOf("reviews", backends), subsetsOf("reviews", ["v1", "v2"])];

  /** Status of a plain request to this process's own server. */
  const served = async (path = "/", headers: Record<string, string> = {}): Promise<number> => {
    const { port } = own.address() as AddressInfo;
    return (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status;
  };
  const seen = async (url = "http://reviews/"): Promise<ReadonlySet<string>> => {
    const answers = new Set<string>();
    for (let calls = 0; calls < 40; calls++) answers.add(await ask(mesh, url).catch((error: Error) => error.name));
    return answers;
  };
  /** In force in time, and gone again when it is taken away. */
  const changes = async (documents: readonly object[], isInForce: () => Promise<boolean>): Promise<void> => {
    istiod.write([...base(), ...documents]);
    expect(await timeUntil("it is in force", isInForce)).toBeLessThan(IN_FORCE_MS);
    istiod.write(base());
    await eventually("it is gone again", async () => !(await isInForce()));
  };

  it("ServiceEntry: a service comes and goes", async () => {
    await changes([serviceOf("ratings", backends.slice(0, 1))], async () =>
      ask(mesh, "http://ratings.shop.svc.cluster.local/").then(
        (text) => text === "v1",
        () => false,
      ),
    );
  });

  it("ServiceEntry with a selector: workloads come by EDS, with their subsets", async () => {
    const [first, second] = backends.map(({ port, name: version }) =>
      document("WorkloadEntry", `pod-${version}`, {
        ...{ address: "127.0.0.1", ports: { http: port } },
        labels: { app: "picked", version },
      }),
    );
    const service = serviceOf("picked", [], { endpoints: [], workloadSelector: { labels: { app: "picked" } } });
    const route = [{ destination: { host: "picked", subset: "v2" } }];
    const documents = [service, first ?? {}, second ?? {}, subsetsOf("picked", ["v1", "v2"])];
    istiod.write([...base(), ...documents]);
    await eventually("both answer", async () => (await seen("http://picked/")).size === 2);
    istiod.write([
      ...base(),
      ...documents,
      document("VirtualService", "picked", { hosts: ["picked"], http: [{ route }] }),
    ]);
    await eventually("one answers", async () => [...(await seen("http://picked/"))].join() === "v2");
    istiod.write(base());
  });

  it("DestinationRule: a consistent hash holds calls together", async () => {
    const policy = { trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } } };
    const same = async () => {
      const answers = new Set<string>();
      for (let calls = 0; calls < 40; calls++) answers.add(await ask(mesh, "http://reviews/", { "x-user": "a" }));
      return answers.size === 1;
    };
    istiod.write([base()[0] ?? {}, subsetsOf("reviews", ["v1", "v2"], policy)]);
    expect(await timeUntil("it is in force", same)).toBeLessThan(IN_FORCE_MS);
    istiod.write(base());
    await eventually("it is gone again", async () => !(await same()));
  });

  it("AuthorizationPolicy: who may call this process", async () => {
    const rules = [{ to: [{ operation: { paths: ["/admin*"] } }] }];
    await changes(
      [document("AuthorizationPolicy", "no-admin", { ...WEB, action: "DENY", rules }, SECURITY)],
      async () => {
        expect(await served("/")).toBe(200);
        return (await served("/admin")) === 403;
      },
    );
  });

  it("RequestAuthentication: a token that cannot be verified is refused", async () => {
    const jwtRules = [{ issuer: "https://issuer.test", jwks: KEYS }];
    const token = ["eyJhbGciOiJSUzI1NiJ9", Buffer.from('{"iss":"https://issuer.test"}').toString("base64url"), "AAAA"];
    await changes(
      [document("RequestAuthentication", "tokens", { ...WEB, jwtRules }, SECURITY)],
      async () => (await served("/", { authorization: `Bearer ${token.join(".")}` })) === 401,
    );
  });

  it("PeerAuthentication: plaintext is refused where policy says so", async () => {
    await changes([document("PeerAuthentication", "strict", { ...WEB, mtls: { mode: "STRICT" } }, SECURITY)], () =>
      served().then(
        (status) => status !== 200,
        () => true,
      ),
    );
  });

  it("Sidecar: what is out of scope is unknown", async () => {
    const egress = [{ hosts: ["./nothing.shop.svc.cluster.local"] }];
    await changes([document("Sidecar", "narrow", { workloadSelector: { labels: { app: "app" } }, egress })], () =>
      ask(mesh, "http://reviews/").then(
        () => false,
        () => true,
      ),
    );
  });
});

describe.skipIf(binary === undefined)("an istiod that is killed", () => {
  it("costs no call, and rules again when it is back", { timeout: 120_000 }, async () => {
    const servers = await Promise.all(["v1", "v2"].map(backend));
    const documents = [serviceOf("reviews", servers), subsetsOf("reviews", ["v1", "v2"])];
    await using istiod = await Istiod.start({ binary: binary ?? "", documents });
    await using mesh = await meshAt(`xds://${istiod.address}`);
    let calls = 0;
    const failed: string[] = [];
    const call = async (): Promise<void> => {
      calls += 1;
      const answer = await ask(mesh, "http://reviews/").catch((error: Error) => error.message);
      if (!/^v[12]$/.test(answer)) failed.push(answer);
    };
    await call();
    await istiod.stop();
    await eventually("it is said", async () => {
      await call();
      return mesh.status.state === "degraded";
    });
    const until = performance.now() + AWAY_MS;
    while (performance.now() < until) await Promise.all([call(), wait(BETWEEN_CALLS_MS)]);
    await istiod.run();
    const route = [{ destination: { host: "reviews", subset: "v2" } }];
    istiod.write([...documents, document("VirtualService", "reviews", { hosts: ["reviews"], http: [{ route }] })]);
    await timeUntilRuled(call, mesh);
    expect([failed, calls > 100]).toEqual([[], true]);
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
});

/** With the whole matrix a minute. */
const AWAY_MS = process.env["INMESH_MATRIX"] === "1" ? 60_000 : 12_000;
/** Without a pause it has a CPU for itself all the while. */
const BETWEEN_CALLS_MS = 10;

/** Reconnecting waits a few seconds at most, after an absence of seconds. */
async function timeUntilRuled(call: () => Promise<void>, mesh: Parameters<typeof ask>[0]): Promise<void> {
  const until = performance.now() + 120_000;
  for (let inARow = 0; inARow < 20; ) {
    await call();
    inARow = (await ask(mesh, "http://reviews/")) === "v2" ? inARow + 1 : 0;
    if (performance.now() > until) throw new Error("the new rule never came");
  }
}
