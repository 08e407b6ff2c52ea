/**
 * Consul is the judge: of entries and requests by chance, what its discovery chain says is what explain says of the documents
 * that the entries become.
 */

import { ConsulClient, listConfigEntries } from "@inmesh/consul";
import { translateConfigEntries } from "@inmesh/consul/config-entry";
import { explain, systemClock } from "@inmesh/core";
import { seededRandom } from "@inmesh/core/testing";
import { compile, validateDocument } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, isAtLeast, startDevAgent } from "../peer/index.js";
import { judge } from "./chain-judge.js";
import { randomRequest, randomShop } from "./random-entries.js";

const binary = findConsul("config entries against the discovery chain of a real Consul");

const SEEDS = Number(process.env["INMESH_CHAIN_SEEDS"] ?? 15);
const REQUESTS = 30;

describe.skipIf(binary === undefined)("Consul's discovery chain", () => {
  let agent: DevAgent;
  let client: ConsulClient;

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // not skipped: it is there
    client = new ConsulClient({
      host: "127.0.0.1",
      port: agent.port,
      secure: false,
      prefix: "inmesh",
      namespace: "shop",
    });
    await agent.must("PUT", "/v1/config", { Kind: "proxy-defaults", Name: "global", Config: { protocol: "http" } });
  });
  afterAll(async () => {
    client?.close();
    await agent?.[Symbol.asyncDispose]();
  });

  it(`says of ${SEEDS} shops by chance what explain says`, async () => {
    let compared = 0;
    let split = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const { services, entries } = randomShop(random, `s${seed}`, isAtLeast(binary!, "1.10"));
      // One that Consul refuses is in neither.
      for (const entry of entries) await agent.ask("PUT", "/v1/config", entry);
      const listed = await listConfigEntries(client, systemClock);
      const own = listed.entries.filter((entry) => {
        const { Name = "" } = entry as { readonly Name?: string };
        return Name === "global" || Name.startsWith(`s${seed}-`);
      });
      const { documents, problems } = translateConfigEntries({ ...listed, entries: own });
      expect([seed, problems.filter(({ severity }) => severity === "error")]).toEqual([seed, []]);
      const resources = documents.map((document) => {
        const { resource, problems: found } = validateDocument(document);
        expect([seed, found.filter(({ severity }) => severity === "error")]).toEqual([seed, []]);
        return resource!; // without an error there is one
      });
      const clientContext = { namespace: "shop", service: "caller", labels: {} };
      const workloads = services.flatMap((service) =>
        ["v1", "v2", "v3"].map((version, index) => ({
          ...{ name: `${service}-${version}`, namespace: "shop", service, address: `10.0.0.${index + 1}` },
          ...{ ports: [{ number: 8080, name: "http" }], labels: { version }, weight: 1, healthy: true },
        })),
      );
      const snapshot = compile({ resources, workloads, client: clientContext, problems: [], version: 1 });
      const { Chain } = (await agent.must("GET", `/v1/discovery-chain/${services[0]}`)) as { readonly Chain: unknown };
      for (let n = 0; n < REQUESTS; n++) {
        const request = randomRequest(random);
        const said = judge(Chain, request);
        const found = explain(snapshot, { ...request, url: `http://${services[0]}${request.path}` });
        const total = found.destinations.reduce((sum, { weight }) => sum + weight, 0);
        const shares: Record<string, number> = {};
        for (const { host, subset, weight } of found.destinations) {
          const name = `${subset}.${host.split(".")[0]}@dc1`;
          if (weight > 0 || total === 0)
            shares[name] = (shares[name] ?? 0) + (total === 0 ? 100 : (weight * 100) / total);
        }
        const what = JSON.stringify({ seed, request });
        expect([what, found.outcome, Object.keys(shares).sort()]).toEqual([
          ...[what, "route", Object.keys(said.shares).sort()],
        ]);
        // Of splitters in splitters shares are rounded, and in which order differs in Consul from one time to the next.
        const whole = Object.values(said.shares).reduce((sum, share) => sum + share, 0);
        for (const [name, share] of Object.entries(said.shares)) {
          expect([what, name, Math.abs(shares[name]! - (share * 100) / whole) <= 0.03]).toEqual([what, name, true]); // one each
        }
        expect([what, found.request.path, found.timeoutMs]).toEqual([what, said.path, said.timeoutMs]);
        if (said.retries !== null) {
          const { attempts, retryOn } = found.retries!; // it is sent
          expect([what, attempts]).toEqual([what, said.retries.attempts]);
          if (attempts > 0) expect([what, [...retryOn].sort()]).toEqual([what, [...said.retries.on].sort()]);
        }
        for (const [name, value] of Object.entries(said.set)) expect(found.request.headers[name]).toBe(value);
        compared += 1;
        if (Object.keys(said.shares).length > 1) split += 1;
      }
    }
    expect(compared).toBe(SEEDS * REQUESTS);
    expect(split).toBeGreaterThan(compared / 20);
  }, 60_000);
});
