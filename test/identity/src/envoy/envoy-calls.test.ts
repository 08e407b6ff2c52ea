/** Envoys call our servers: with certificates of the mesh or bad ones, or in plain text, under each mode of PeerAuthentication. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authority, cluster, EnvoyProcess, type EnvoyTls, findEnvoy, type Leaf, listener } from "../peer/index.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";
import type { Told } from "../program/messages.js";

const envoyPath = findEnvoy("an Envoy that calls servers of ours");
const MODES = ["strict", "permissive", "disable"] as const;
const PAST = Date.now() - 60_000;
const ID = "URI:spiffe://cluster.local/ns/shop/sa";

const mode = (service: string): string => `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: ${service}, namespace: shop }
spec:
  selector: { matchLabels: { app: ${service} } }
  mtls: { mode: ${service.toUpperCase()} }
`;

describe.skipIf(envoyPath === undefined)("an Envoy as a client", () => {
  const authority = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const foreign = new Authority({ trustDomain: "cluster.local" });
  const other = new Authority({ trustDomain: "other.local" });
  const town = new Town(MODES.map(mode).join("---\n"));
  let envoy: EnvoyProcess;

  beforeAll(async () => {
    const services = await Promise.all(
      MODES.map((name) => town.start(name, { INMESH_IDENTITY: `files:${authority.workload(name).folder}` })),
    );
    const clients = clientsOf(authority, foreign, other);
    const ways = services.flatMap(({ name, port }: ServiceProcess) =>
      Object.entries(clients).map(([client, tls]) => ({ name: `${client}-${name}`, port, ...(tls && { tls }) })),
    );
    envoy = await EnvoyProcess.start(envoyPath!, {
      listeners: ways.map(({ name }) => listener({ name, cluster: name })),
      clusters: ways.map(cluster),
    });
  }, 60_000);

  afterAll(async () => {
    await town[Symbol.asyncDispose]();
    await envoy?.[Symbol.asyncDispose]();
    for (const each of [authority, foreign, other]) each[Symbol.dispose]();
  });

  const ask = async (client: string, service: string) => {
    const response = await fetch(`http://127.0.0.1:${envoy.port(`${client}-${service}`)}/what?x=1`, {
      method: "POST",
      body: "hello",
    });
    const text = await response.text();
    return { status: response.status, told: response.status === 200 ? (JSON.parse(text) as Told) : undefined };
  };

  it.each([
    ["mesh", "strict"],
    ["mesh", "permissive"],
    ["istio-alpn", "strict"],
    ["istio-alpn", "permissive"],
    ["istio-only", "strict"],
    ["tls12", "strict"],
  ])("%s is served under %s, and known", async (client, service) => {
    const { status, told } = await ask(client, service);
    expect(status).toBe(200);
    expect(told).toMatchObject({
      ...{ service, method: "POST", url: "/what?x=1", body: "hello" },
      ...{ peer: "spiffe://cluster.local/ns/shop/sa/envoy", encrypted: false },
    });
  });

  it.each(["permissive", "disable"])("plain text is served under %s, and nobody", async (service) => {
    expect(await ask("plain", service)).toMatchObject({ status: 200, told: { service, peer: null } });
  });

  it("plain text is refused under strict, and TLS where it is switched off", async () => {
    expect(await ask("plain", "strict")).toMatchObject({ status: 503 });
    expect(await ask("mesh", "disable")).toMatchObject({ status: 503 });
  });

  it.each(
    ["nobody", "unknown", "abroad", "expired", "authority", "flagged", "two-names", "nameless"].flatMap((client) =>
      ["strict", "permissive"].map((service) => [client, service] as const),
    ),
  )("%s is refused under %s", async (client, service) => {
    expect(await ask(client, service)).toMatchObject({ status: 503 });
  });

  it("told nobody a private key", () => {
    expect(town.output).not.toMatch(/PRIVATE KEY/);
  });
});

/** What each kind of client shows; undefined: plain text. */
function clientsOf(authority: Authority, foreign: Authority, other: Authority): Record<string, EnvoyTls | undefined> {
  const roots = authority.rootFile;
  const files = ({ chainFile, keyFile }: Leaf) => ({ chain: chainFile, key: keyFile });
  const own = files(authority.workload("envoy"));
  const bad = (options: Parameters<Authority["workload"]>[1]) => ({
    own: files(authority.workload("envoy", options)),
    roots,
  });
  return {
    plain: undefined,
    mesh: { own, roots },
    "istio-alpn": { own, roots, alpn: ["istio-http/1.1", "istio", "http/1.1"] },
    "istio-only": { own, roots, alpn: ["istio"] },
    tls12: { own, roots, maximum: "TLSv1_2" },
    nobody: { roots },
    unknown: { own: files(foreign.workload("envoy")), roots },
    abroad: { own: files(other.workload("envoy")), roots },
    expired: bad({ notBefore: PAST - 60_000, notAfter: PAST }),
    authority: bad({ authority: true, keyUsage: "critical,digitalSignature,keyCertSign" }),
    flagged: bad({ authority: true }),
    "two-names": bad({ names: [`${ID}/envoy`, `${ID}/web`] }),
    nameless: bad({ names: ["DNS:envoy.shop.svc.cluster.local"] }),
  };
}
