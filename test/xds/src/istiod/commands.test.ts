/** The commands of operators on `xds://` registries against a real istiod. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@inmesh/core";
import { run } from "inmesh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAuthority, TokenIssuer } from "./authority.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { document, subsetsOf } from "./shop.js";

const binary = findIstiod("inmesh commands on an istiod");
const SERVER_NAME = "istiod.istio-system.svc";
const HOST = "reviews.shop.svc.cluster.local";

async function inmesh(...line: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await run(line, {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    stdin: (async function* () {})(),
    ...{ env: {}, cwd: tmpdir(), clock: systemClock, user: "tester", signal: new AbortController().signal },
  });
  return { code, out, err };
}

const entry = (ports: readonly number[]) =>
  document("ServiceEntry", "reviews", {
    ...{ hosts: [HOST], location: "MESH_INTERNAL", resolution: "STATIC" },
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    endpoints: ports.map((port, at) => ({
      address: "127.0.0.1",
      ports: { http: port },
      labels: { app: "reviews", version: `v${at + 1}` },
    })),
  });
const ROUTE = document("VirtualService", "reviews", {
  hosts: ["reviews"],
  http: [
    { name: "beta", match: [{ headers: { "x-user": { exact: "beta" } } }], route: [to("v2")] },
    { name: "main", timeout: "3s", route: [to("v1")] },
  ],
});

function to(subset: string): object {
  return { destination: { host: "reviews", subset } };
}

describe.skipIf(binary === undefined)("inmesh on a real istiod", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-commands-"));
  let istiod: Istiod;
  let issuer: TokenIssuer;
  beforeAll(async () => {
    issuer = await TokenIssuer.start();
    const authority = makeAuthority("commands");
    istiod = await Istiod.start({
      ...{ binary: binary ?? "", files: authority.files },
      documents: [entry([9081, 9082]), subsetsOf("reviews", ["v1", "v2"]), ROUTE],
      env: { XDS_AUTH: "true", JWT_RULE: issuer.rule, PILOT_CERT_PROVIDER: "istiod", ISTIOD_CUSTOM_HOST: SERVER_NAME },
    });
    writeFileSync(join(folder, "root.pem"), authority.root);
    writeFileSync(join(folder, "token"), issuer.token("system:serviceaccount:shop:app"));
  });
  afterAll(async () => {
    await istiod?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["api", "envoy", "grpc"])("lists and explains what profile %s tells", async (profile) => {
    const at = ["--config", `xds://${istiod.address}?profile=${profile}`, "-o", "json"];
    const [services, endpoints, routes, explained] = await Promise.all([
      inmesh("services", ...at),
      inmesh("endpoints", "reviews.shop", ...at),
      inmesh("routes", "reviews.shop", ...at),
      inmesh("explain", "GET", "http://reviews/", "--from", "shop/web", "-H", "x-user: beta", ...at),
    ]);
    expect(JSON.parse(services.out).services).toMatchObject([{ host: HOST, namespace: "shop", endpoints: 2 }]);
    const ids = JSON.parse(endpoints.out).endpoints.map(({ id }: { id: string }) => id);
    expect(ids.sort()).toEqual(["127.0.0.1:9081", "127.0.0.1:9082"]);
    const [host, ...others] = JSON.parse(routes.out).virtualHosts;
    expect([host.name, others]).toEqual([`${HOST}:80`, []]);
    expect(host.routes.map(({ name }: { name: string }) => name)).toEqual(["beta", "main"]);
    expect(JSON.parse(explained.out)).toMatchObject({ outcome: "route", destinations: [{ host: HOST, subset: "v2" }] });
  });

  it("describes, gets and compares documents, and judges a file before somebody else writes it", async () => {
    const at = ["--config", `xds://${istiod.address}`, "-n", "shop"];
    expect((await inmesh("describe", "reviews", ...at)).out).toContain("timeout 3s");
    const written = await inmesh("get", "vs/reviews", "-o", "yaml", ...at);
    writeFileSync(join(folder, "new.yaml"), written.out.replace("timeout: 3s", "timeout: 5s"));
    const { code, out } = await inmesh("diff", "-f", join(folder, "new.yaml"), ...at);
    expect([code, out]).toEqual([1, expect.stringContaining("spec.http[1].timeout")]);
  });

  it("checks the way there: TLS, names, and who asks", async () => {
    const base = `xds://${istiod.secureAddress}?tls=on`;
    const ca = `&ca=${join(folder, "root.pem")}`;
    const check = async (url: string) => {
      const { code, out } = await inmesh("check", "--config", url, "-n", "shop");
      return { code, out: out.slice(out.indexOf("control plane")) };
    };
    const [untrusted, otherName, stranger, member] = await Promise.all([
      check(base),
      check(`${base}${ca}`),
      check(`${base}${ca}&server-name=${SERVER_NAME}`),
      check(`${base}${ca}&server-name=${SERVER_NAME}&token=${join(folder, "token")}`),
    ]);
    expect(untrusted.out).toContain("its root is none of those that are trusted here");
    expect(otherName.out).toContain(`it is for another name; it is for DNS:`);
    expect(stranger.out).toMatch(/does not serve: .*UNAUTHENTICATED[^\n]*\n +It wants to know who asks: token=FILE/);
    expect([untrusted.code, otherName.code, stranger.code]).toEqual([1, 1, 1]);
    expect(member.out).toMatch(/its certificate is trusted: for .*istiod\.istio-system\.svc/);
    expect(member.out).toMatch(/first answer of \S+ after/);
    expect(member.out).toMatch(/it tells: VirtualService 1, DestinationRule 1, ServiceEntry 1,/);
    expect(member.out).toContain("its policy has no problems");
  });
});
