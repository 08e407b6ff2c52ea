/** Real istiod, profile `api`: a server of the mesh must be one of the accounts that istiod names for its service, and nobody else. */

import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { CertifiedIstiod } from "./certified-istiod.js";
import { findIstiod } from "./find-istiod.js";
import { ask, document, meshAt, serviceOf } from "./shop.js";

const binary = findIstiod("names of servers by an istiod's word");
const ACCOUNTS = ["alice", "bob", "picked"] as const;
const URL = "http://picked.shop.svc.cluster.local/";

describe.skipIf(binary === undefined)("who may serve, by a real istiod", () => {
  let authority: CertifiedIstiod;
  let mesh: Awaited<ReturnType<typeof meshAt>>;
  const servers = new Map<string, Server>();
  beforeAll(async () => {
    authority = await CertifiedIstiod.start({ binary: binary ?? "" });
    for (const account of ACCOUNTS) {
      const { certificateChain: cert, privateKey: key } = await authority.certificate(account);
      const tls = { cert, key, ca: authority.root, requestCert: true, rejectUnauthorized: true };
      const server = createServer(tls, (_, response) => void response.end(account));
      await once(server.listen(0, "127.0.0.1"), "listening");
      servers.set(account, server);
    }
    mesh = await meshAt(authority.url("app"), { identity: "istio-ca", serviceAccount: "app" });
  });
  afterAll(async () => {
    await mesh?.[Symbol.asyncDispose]();
    for (const server of servers.values()) {
      server.closeAllConnections();
      server.close();
    }
    await authority?.[Symbol.asyncDispose]();
  });

  /** `of` an account by the word of its entry, and whose certificate is shown there. */
  const workload = (of: string, shown: string = of): object => {
    const { port } = servers.get(shown)!.address() as AddressInfo; // there from the start
    return document("WorkloadEntry", `${of}-${shown}`, {
      ...{ address: "127.0.0.1", ports: { http: port } },
      ...{ serviceAccount: of, labels: { app: "picked", "security.istio.io/tlsMode": "istio" } },
    });
  };
  const write = (more: object, ...workloads: object[]): void => {
    const chosen = { endpoints: [], workloadSelector: { labels: { app: "picked" } } };
    authority.istiod.write([serviceOf("picked", [], { ...chosen, ...more }), ...workloads]);
  };
  const answer = (): Promise<string> => ask(mesh, URL).catch((error: Error) => String(error.cause ?? error));

  it("takes each account that serves it, and not one that is only called like it", async () => {
    write({}, workload("alice"), workload("bob"));
    const seen = new Set<string>();
    await eventually("both answer", async () => seen.add(await answer()).has("alice") && seen.has("bob"));
    write({}, workload("alice", "picked"));
    const refusal = await eventually("the other is refused", async () => {
      const text = await answer();
      return text.includes("WRONG_PEER") || text.includes("/sa/") ? text : undefined;
    });
    expect(refusal).toContain(
      'it is "spiffe://cluster.local/ns/shop/sa/picked", expected "spiffe://cluster.local/ns/shop/sa/alice"',
    );
  });

  it("takes the names of a ServiceEntry beside them", async () => {
    write({ subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/picked"] }, workload("alice", "picked"));
    await eventually("it answers", async () => (await answer()) === "picked");
    write({ subjectAltNames: ["spiffe://cluster.local/ns/shop/sa/picked"] }, workload("alice"));
    await eventually("its account does, too", async () => (await answer()) === "alice");
  });
});
