/** Our clients call Envoys that demand certificates of our mesh: Envoy says whom it saw, and refuses whom it should. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authority, EnvoyProcess, findEnvoy, type Leaf, listener } from "../peer/index.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";

const envoyPath = findEnvoy("calls of ours to an Envoy that demands certificates");
const PAST = Date.now() - 60_000;
const ID = "URI:spiffe://cluster.local/ns/shop/sa";
const WEB = "spiffe://cluster.local/ns/shop/sa/web";

/** Service names, and what the Envoy behind each shows. */
const BAD: Readonly<Record<string, Parameters<Authority["workload"]>[1]>> = {
  expired: { notBefore: PAST - 60_000, notAfter: PAST },
  early: { notBefore: Date.now() + 600_000, notAfter: Date.now() + 1_200_000 },
  authority: { authority: true, keyUsage: "critical,digitalSignature,keyCertSign" },
  flagged: { authority: true },
  "two-names": { names: [`${ID}/two-names`, `${ID}/web`] },
  nameless: { names: ["DNS:nameless.shop.svc.cluster.local"] },
};

/** @param endpoint how the registry knows it: a document of people, so its label counts */
const entry = (service: string, port: number, mode = "istio"): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${service}, namespace: shop }
spec:
  hosts: [${service}.shop.svc.cluster.local]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} }, labels: { security.istio.io/tlsMode: ${mode} } }]
`;

describe.skipIf(envoyPath === undefined)("an Envoy that demands certificates of the mesh", () => {
  const authority = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const foreign = new Authority({ trustDomain: "cluster.local" });
  const other = new Authority({ trustDomain: "other.local" });
  let town: Town;
  let envoy: EnvoyProcess;
  let web: ServiceProcess;
  let nobody: ServiceProcess;
  let mutual: Leaf;

  beforeAll(async () => {
    const shows = (name: string, leaf: Leaf) =>
      listener({ name, tls: { own: { chain: leaf.chainFile, key: leaf.keyFile }, roots: authority.rootFile } });
    envoy = await EnvoyProcess.start(envoyPath!, {
      listeners: [
        shows("payments", authority.workload("payments")),
        shows("mutual", authority.workload("mutual")),
        shows("rogue", authority.workload("stranger")),
        shows("unknown", foreign.workload("unknown")),
        shows("abroad", other.workload("abroad")),
        ...Object.entries(BAD).map(([name, options]) => shows(name, authority.workload(name, options))),
      ],
      clusters: [],
    });
    mutual = authority.workload("web");
    const names = ["payments", "mutual", "rogue", "unknown", "abroad", ...Object.keys(BAD)];
    const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: mutual, namespace: shop }
spec:
  host: mutual
  trafficPolicy:
    tls:
      mode: MUTUAL
      clientCertificate: ${mutual.chainFile}
      privateKey: ${mutual.keyFile}
      caCertificates: ${authority.rootFile}
      subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/mutual"]
      sni: mutual.test
`;
    const entries = names.map((name) => entry(name, envoy.port(name)));
    town = new Town([...entries, entry("same", envoy.port("payments")), rule].join("---\n"));
    [web, nobody] = await Promise.all([
      town.start("web", { INMESH_IDENTITY: `files:${authority.workload("web").folder}` }),
      town.start("nobody", { INMESH_IDENTITY: "off" }),
    ]);
  }, 60_000);

  afterAll(async () => {
    await town?.[Symbol.asyncDispose]();
    await envoy?.[Symbol.asyncDispose]();
    for (const each of [authority, foreign, other]) each[Symbol.dispose]();
  });

  it("is called with our certificate and its name, without a word of TLS in policy", async () => {
    const answer = await web.call("http://payments/");
    expect(answer).toMatchObject({ status: 200, text: "answered by payments" });
    expect(answer.headers).toMatchObject({
      "x-peer": WEB,
      "x-sni": "outbound_.80_._.payments.shop.svc.cluster.local",
      "x-tls": "TLSv1.3",
    });
  });

  it("is called with the files that a DestinationRule MUTUAL names, and its sni", async () => {
    const answer = await nobody.call("http://mutual/");
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers).toMatchObject({ "x-peer": WEB, "x-sni": "mutual.test" });
  });

  it("answers many requests over one connection", async () => {
    const seen = await Promise.all(Array.from({ length: 3 }, () => web.call("http://payments/")));
    const first = await web.call("http://payments/");
    const second = await web.call("http://payments/");
    expect(second.headers["x-connection"]).toBe(first.headers["x-connection"]);
    for (const { status } of seen) expect(status).toBe(200);
  });

  it("gets no request when it is not who policy says, and the caller hears both names", async () => {
    const { status, error, text } = await web.call("http://rogue/");
    const said = `${error?.code} ${error?.message} ${text}`;
    expect(status).not.toBe(200);
    expect(said).toContain("spiffe://cluster.local/ns/shop/sa/rogue");
    expect(said).toContain("spiffe://cluster.local/ns/shop/sa/stranger");
    expect(await requestsOf("rogue")).toBe(0);
  });

  it.each(["unknown", "abroad", ...Object.keys(BAD)])("gets no request with a certificate that is %s", async (name) => {
    const { status, text } = await web.call(`http://${name}/`);
    expect(status === 0 || status === 503, `${status} ${text}`).toBe(true);
    expect(await requestsOf(name)).toBe(0);
  });

  it("is known by its name at one address, and not by another name on the connection that is open", async () => {
    expect(await web.call("http://payments/")).toMatchObject({ status: 200 });
    const before = await requestsOf("payments");
    expect((await web.call("http://same/")).status).not.toBe(200);
    expect(await requestsOf("payments")).toBe(before);
    expect(await web.call("http://payments/")).toMatchObject({ status: 200 });
  });

  it("is not called by a process without identity as if it were", async () => {
    const { status } = await nobody.call("http://payments/");
    expect(status).not.toBe(200);
  });

  it("told nobody a private key", () => {
    expect(town.output).not.toMatch(/PRIVATE KEY/);
  });

  async function requestsOf(name: string): Promise<number> {
    const stats = await envoy.stats(`^http\\.${name}\\.downstream_rq_total$`);
    return [...stats.values()][0] ?? 0;
  }
});
