/** Filters of subsets and stand-ins, of instances that a real Consul lists. */

import { ConsulRegistry } from "@inmesh/consul";
import { translateConfigEntries } from "@inmesh/consul/config-entry";
import type { RegistryView } from "@inmesh/core";
import { watched } from "@inmesh/core/testing";
import { compile, parseDocuments, validateDocument, type Workload } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DevAgent, findConsul, startDevAgent } from "../peer/index.js";

const binary = findConsul("filters and stand-ins of a real Consul");

/** Whatever its documentation shows, on what is there and on what is not. */
const FILTERS = [
  ...[
    "Service.Meta.version == v2",
    'Service.Meta.version != "v2"',
    'Service.Meta.version == "v2" and Service.Meta.pool == blue',
  ],
  ...[
    "Service.Meta.version == v1 or Service.Meta.pool == blue",
    "not Service.Meta.version == v2",
    "not (Service.Meta.version == v2)",
  ],
  ...[
    "Service.Meta.nothing == v2",
    "Service.Meta.nothing != v2",
    "Service.Meta.nothing is empty",
    "Service.Meta.nothing is not empty",
  ],
  ...['"blue" in Service.Tags', "blue in Service.Tags", '"blue" not in Service.Tags', 'Service.Tags contains "green"'],
  ...[
    'Service.Tags not contains "green"',
    "Service.Tags is empty",
    "Service.Tags is not empty",
    "version in Service.Meta",
  ],
  ...[
    "nothing in Service.Meta",
    "Service.Meta contains pool",
    "Service.Meta is empty",
    'Node.Meta.rack == "r1"',
    "Node.Meta.rack != r1",
  ],
  ...[
    'Service.Meta.version matches "^v[12]$"',
    'Service.Meta.version not matches "2"',
    'Service.Meta.nothing matches "."',
  ],
  ...[
    'Service.Meta.nothing not matches "."',
    "Service.Port == 8081",
    "Service.Port != 8081",
    'Service.ID == "i1"',
    "Node.Datacenter == dc1",
  ],
  ...[
    '"2" in Service.Meta.version',
    "Service.Meta.version contains v",
    '(Service.Meta.version == v1 and "blue" in Service.Tags) or Service.ID == i3',
  ],
  ...[
    'Service.Meta.version == v1 and "blue" in Service.Tags or Service.ID == i3',
    "Checks.Status == passing",
    "Checks.Status != passing",
  ],
  ...[
    "Service.Meta.version == `v2`",
    "Checks is empty",
    "Service.Meta.nothing not in Service.Tags",
    "Service.EnableTagOverride == false",
  ],
];

interface Instance {
  readonly ID: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
}

const INSTANCES: readonly Instance[] = [
  { ID: "i1", Port: 8081, Tags: ["blue"], Meta: { version: "v1" } },
  { ID: "i2", Port: 8082, Tags: ["blue", "green"], Meta: { version: "v2", pool: "blue" } },
  { ID: "i3", Port: 8083, Tags: [], Meta: {} },
  { ID: "i4", Port: 8084, Tags: ["green"], Meta: { version: "v12", pool: "" } },
];

describe.skipIf(binary === undefined)("instances in a real Consul", () => {
  let agent: DevAgent;

  beforeAll(async () => {
    agent = await startDevAgent(binary!); // not skipped: it is there
  });
  afterAll(async () => agent?.[Symbol.asyncDispose]());

  const register = async (service: string, instance: Instance, node = "foreign"): Promise<unknown> =>
    agent.must("PUT", "/v1/catalog/register", {
      ...{ Node: node, Address: "10.0.0.9", NodeMeta: { rack: node === "foreign" ? "r1" : "r2" } },
      Service: { Service: service, ...instance },
      Check: { CheckID: `${instance.ID}-ok`, ServiceID: instance.ID, Status: "passing", Name: "ok" },
    });

  it("are in a subset when Consul's own filter finds them", async () => {
    for (const [index, instance] of INSTANCES.entries())
      await register("filtered", instance, index > 1 ? "n2" : undefined);
    const all = (await agent.must("GET", "/v1/health/service/filtered")) as readonly { Service: { ID: string } }[];
    let judged = 0;
    for (const Filter of FILTERS) {
      const asked = await agent.ask("GET", `/v1/health/service/filtered?filter=${encodeURIComponent(Filter)}`);
      const resolver = { Kind: "service-resolver", Name: "filtered", Subsets: { it: { Filter, OnlyPassing: true } } };
      const input = { entries: [resolver], services: [], namespace: "default", datacenter: "dc1" };
      const { members, problems } = translation(input);
      if (asked.status !== 200) continue; // not understood by this server, and perhaps by a newer one
      const wanted = (asked.body as typeof all).map(({ Service }) => Service.ID).sort();
      const found = all.filter((entry) => Object.keys(members("filtered")[0]?.labels(entry) ?? {}).length > 0);
      expect([Filter, problems, found.map(({ Service }) => Service.ID).sort()]).toEqual([Filter, [], wanted]);
      judged += 1;
    }
    expect(judged).toBeGreaterThan(FILTERS.length * 0.8);
  });

  it("stand in for another service in the order written, and are nobody's otherwise", async () => {
    const warm = { warm: { Filter: '"warm" in Service.Tags' } };
    await agent.must("PUT", "/v1/config", { Kind: "service-resolver", Name: "spare", Subsets: warm });
    await agent.must("PUT", "/v1/config", {
      ...{ Kind: "service-resolver", Name: "front" },
      Failover: { "*": { Service: "spare", ServiceSubset: "warm" } },
    });
    await register("front", { ID: "f1", Port: 8091, Tags: [], Meta: {} });
    await register("spare", { ID: "s1", Port: 8092, Tags: ["warm"], Meta: {} });
    await register("spare", { ID: "s2", Port: 8093, Tags: [], Meta: {} });
    await using registry = new ConsulRegistry({
      target: { host: "127.0.0.1", port: agent.port, secure: false, prefix: "inmesh", namespace: "default" },
      parse: parseDocuments,
    });
    registry.use({ namespace: "default", service: "front" });
    const view = await watched(registry).until(({ workloads = [] }) => workloads.length >= 2);
    const front = snapshotOf(view);
    const cluster = front.cluster("outbound|80|local|front.default.svc.cluster.local")!; // the resolver's
    const endpoints = front.endpoints(cluster).endpoints;
    const locality = cluster.policy.locality;
    const preferred = locality?.kind === "failover" ? locality.labels : [];
    expect(preferred).toHaveLength(1);
    const ranks = endpoints.map(({ port, labels }) => [
      port,
      preferred.every(({ name, value }) => labels[name] === value),
    ]);
    expect(ranks.sort()).toEqual([
      [8091, true],
      [8092, false],
    ]);
    const [route] = front.routes.lookup("front.default.svc.cluster.local", 80)?.routes ?? [];
    expect(route?.action).toMatchObject({ destinations: [{ subset: "local" }] });
  });

  function translation(input: Parameters<typeof translateConfigEntries>[0]) {
    const made = translateConfigEntries(input);
    return { members: (name: string) => made.members(name), problems: made.problems };
  }

  function snapshotOf({ documents, workloads = [] }: RegistryView) {
    const resources = documents.flatMap((document) => validateDocument(document).resource ?? []);
    const client = { namespace: "default", service: "caller", labels: { app: "caller" } };
    return compile({ resources, workloads: workloads as readonly Workload[], client, problems: [], version: 1 });
  }
});
