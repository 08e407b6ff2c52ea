/** TLS by DestinationRule as people write it: documents in, encrypted connections out, for every way to name an endpoint. */

import { rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Explanation } from "@inmesh/core";
import type { ClustersView } from "@inmesh/core/admin";
import { afterEach, describe, expect, it } from "vitest";
import { TestAuthority } from "../../http/test/certificates.js";
import { listenTls, type TlsTestServer } from "../../http/test/tls-server.js";
import type { Mesh } from "../src/mesh.js";
import { newFolder, start } from "./child.js";
import { meshOfYaml } from "./yaml-mesh.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const authority = new TestAuthority();

async function server(names: readonly string[] = ["edition.example"]): Promise<TlsTestServer> {
  const made = await listenTls(authority.issue(names));
  closing.push(() => made[Symbol.asyncDispose]());
  return made;
}

/** The file of the authority, in a folder that goes with the test. */
function roots(text = authority.pem): string {
  const file = join(newFolder(), "ca.pem");
  writeFileSync(file, text);
  closing.push(() => rmSync(file, { force: true }));
  return file;
}

interface Written {
  readonly port: number;
  /** Of the ServiceEntry. */
  readonly entry?: string;
  /** The DestinationRule's spec, below its host. */
  readonly rule: string;
  /** The route's destination. @default the whole service */
  readonly subset?: string;
}

/** Istio's example of egress: `http` inside, TLS at the endpoint's port. */
function documents({
  port,
  entry = "resolution: STATIC\n  endpoints: [{ address: 127.0.0.1 }]",
  rule,
  subset,
}: Written) {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: edition, namespace: default }
spec:
  hosts: [edition.example]
  location: MESH_EXTERNAL
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }, { number: 81, name: http-b, protocol: HTTP, targetPort: ${port} }]
  ${entry}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: edition, namespace: default }
spec:
  host: edition.example
${rule}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edition, namespace: default }
spec:
  hosts: [edition.example]
  http: [{ retries: { attempts: 0 }, route: [{ destination: { host: edition.example${subset === undefined ? "" : `, subset: ${subset}`} } }] }]
`;
}

async function meshWith(yaml: string): Promise<Mesh> {
  const mesh = await meshOfYaml(yaml, "web", closing, "edition.yaml");
  expect(mesh.status).toMatchObject({ state: "ready" });
  return mesh;
}

async function call(mesh: Mesh, url = "http://edition.example/news"): Promise<[number, string | null, string]> {
  const response = await mesh.fetch(url);
  return [response.status, response.headers.get("x-inmesh-error"), await response.text()];
}

const policy = (tls: string): string => `  trafficPolicy: { tls: { ${tls} } }`;

describe("tls.mode SIMPLE", () => {
  it.each([
    ["STATIC", undefined],
    ["DNS, of another name", "resolution: DNS\n  endpoints: [{ address: localhost }]"],
    ["DNS_ROUND_ROBIN", "resolution: DNS_ROUND_ROBIN\n  endpoints: [{ address: localhost }]"],
  ])("encrypts calls to a ServiceEntry with resolution %s, under its own host", async (_, entry) => {
    const upstream = await server();
    const rule = policy(`mode: SIMPLE, caCertificates: ${roots()}`);
    const mesh = await meshWith(documents({ port: upstream.port, rule, ...(entry !== undefined && { entry }) }));
    expect(await call(mesh)).toEqual([200, null, "secure"]);
    expect(upstream.seen).toMatchObject([{ host: "edition.example", path: "/news", serverName: "edition.example" }]);
  });

  it("believes by the names of rule or entry, and says in the answer what it found instead", async () => {
    const upstream = await server(["edition.example", "cdn.example"]);
    const entry = "resolution: STATIC\n  endpoints: [{ address: 127.0.0.1 }]\n  subjectAltNames: [";
    const told = async (names: string, tls = ""): Promise<number> => {
      const rule = policy(`mode: SIMPLE, caCertificates: ${roots()}${tls}`);
      const [status] = await call(await meshWith(documents({ port: upstream.port, rule, entry: `${entry}${names}]` })));
      return status;
    };
    expect(await told("cdn.example")).toBe(200);
    expect(await told("other.example")).toBe(503);
    expect(await told("other.example", ", subjectAltNames: [cdn.example]")).toBe(200);
    expect(await told("", ", sni: other.example")).toBe(503);
    expect(await told("", ", sni: other.example, subjectAltNames: [cdn.example]")).toBe(200);
    expect(upstream.seen.map(({ serverName }) => serverName)).toEqual([
      "edition.example",
      "edition.example",
      "other.example",
    ]);
  });

  it("holds for a subset or a port alone, and not for those that have a block of their own", async () => {
    const upstream = await server();
    const simple = `tls: { mode: SIMPLE, caCertificates: ${roots()} }`;
    const subsets = `  subsets: [{ name: safe, trafficPolicy: { ${simple} } }, { name: plain, trafficPolicy: { tls: { mode: DISABLE } } }]`;
    const port = `  trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, ${simple} }] }`;
    const status = async (rule: string, subset?: string) => {
      const mesh = await meshWith(documents({ port: upstream.port, rule, ...(subset !== undefined && { subset }) }));
      return (await call(mesh))[0];
    };
    expect(await status(subsets, "safe")).toBe(200);
    expect(upstream.plaintext()).toBe(0);
    expect(await status(subsets, "plain")).not.toBe(200);
    expect(upstream.plaintext()).toBe(1); // as the rule wants it
    expect(await status(port)).toBe(200);
  });

  it("encrypts what a rule sends from port 80 to the service's own port for HTTPS", async () => {
    const upstream = await server();
    const mesh = await meshWith(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: edition, namespace: default }
spec:
  hosts: [edition.example]
  ports: [{ number: 80, name: http, protocol: HTTP }, { number: 443, name: https, protocol: HTTPS, targetPort: ${upstream.port} }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1 }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edition, namespace: default }
spec:
  hosts: [edition.example]
  http:
    - match: [{ port: 80 }]
      route: [{ destination: { host: edition.example, port: { number: 443 } } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: edition, namespace: default }
spec:
  host: edition.example
  trafficPolicy:
    portLevelSettings: [{ port: { number: 443 }, tls: { mode: SIMPLE, caCertificates: ${roots()} } }]
`);
    expect(await call(mesh)).toEqual([200, null, "secure"]);
    expect(upstream.seen).toMatchObject([{ host: "edition.example", serverName: "edition.example" }]);
  });

  it("serves node:http, too, and shows at the admin endpoint and in explanations", async () => {
    const upstream = await server();
    const file = roots();
    const mesh = await meshWith(
      documents({ port: upstream.port, rule: policy(`mode: SIMPLE, caCertificates: ${file}`) }),
    );
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      mesh.http.get("http://edition.example/", resolve).on("error", reject);
    });
    expect(answer.resume().statusCode).toBe(200);
    const admin = async <View>(path: string) => (await (await fetch(`${mesh.adminUrl}${path}`)).json()) as View;
    const { clusters } = await admin<ClustersView>("/clusters");
    const text = `SIMPLE, asking for the request's host; its certificate must be for that name, by ${file} (DestinationRule/default/edition spec.trafficPolicy.tls)`;
    expect(clusters[0]?.tls).toBe(text);
    const { destinations, steps } = await admin<Explanation>("/explain?url=http://edition.example/");
    expect(destinations[0]?.tls).toMatchObject({
      ...{ mode: "SIMPLE", sni: "", caCertificates: file, verifiesServerName: true, refusal: "" },
      ...{
        resource: "DestinationRule/default/edition",
        path: "spec.trafficPolicy.tls",
        file: "edition.yaml",
        line: 16,
      },
    });
    expect(steps.join("\n")).toContain(`TLS ${text}`);
  });

  it("serves an unchanged program under --import, and refuses what it cannot have", async () => {
    const upstream = await server();
    const folder = newFolder();
    const missing = join(folder, "missing.pem");
    writeFileSync(
      join(folder, "edition.yaml"),
      documents({
        port: upstream.port,
        rule: `  trafficPolicy:
    tls: { mode: SIMPLE, caCertificates: ${roots()} }
    portLevelSettings: [{ port: { number: 81 }, tls: { mode: SIMPLE, caCertificates: ${missing} } }]`,
      }),
    );
    const child = start("get.mjs", { folder, args: ["http://edition.example/", "http://edition.example:81/"] });
    await child.exited;
    const [first, second] = child.out().split("\n");
    expect(first).toBe("http://edition.example/ 200 - secure");
    expect(second).toMatch(/ 503 TLS_UNAVAILABLE .*missing\.pem does not exist.*portLevelSettings\[0\]\.tls\.caCert/);
    expect([upstream.seen.length, upstream.plaintext()]).toEqual([1, 0]);
  });

  it("stays when policy is switched off", async () => {
    const upstream = await server();
    const off = `---
apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: off, namespace: istio-system }
spec: { mode: "off" }
`;
    const rule = policy(`mode: SIMPLE, caCertificates: ${roots()}`);
    const mesh = await meshWith(documents({ port: upstream.port, rule }) + off);
    expect([(await call(mesh))[0], upstream.seen.length]).toEqual([200, 1]);
  });
});
