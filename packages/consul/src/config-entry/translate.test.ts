import { seededRandom } from "@inmesh/core/testing";
import { documentFromValue, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { giveWay } from "./give-way.js";
import { type ConfigEntryInput, type Translation, translateConfigEntries } from "./translate.js";

const INPUT: ConfigEntryInput = { entries: [], services: ["web"], namespace: "default", datacenter: "dc1" };
const HTTP = { Kind: "proxy-defaults", Name: "global", Config: { protocol: "http" } };
const ROUTER = {
  Kind: "service-router",
  Name: "web",
  Routes: [{ Destination: { Service: "api", RequestTimeout: "3s" } }],
};
const RESOLVER = {
  ...{ Kind: "service-resolver", Name: "web", ConnectTimeout: "1s" },
  Subsets: { v1: { Filter: "Service.Meta.version == v1" }, v2: { Filter: "Service.Meta.version == v2" } },
};

const keys = (documents: readonly { readonly key: string }[]) => documents.map(({ key }) => key);

function document(kind: string, name: string, spec: object) {
  return documentFromValue({ apiVersion: "networking.istio.io/v1", kind, metadata: { name }, spec }).documents[0]!; // valid
}

describe("translateConfigEntries", () => {
  it("keeps the documents that did not change, and makes new ones of those that did", () => {
    const before = translateConfigEntries({ ...INPUT, entries: [HTTP, ROUTER, RESOLVER] });
    const after = translateConfigEntries(
      { ...INPUT, entries: [HTTP, ROUTER, { ...RESOLVER, ConnectTimeout: "2s" }] },
      before,
    );
    expect(keys(after.documents)).toEqual(["VirtualService/default/consul-web", "DestinationRule/default/consul-web"]);
    expect(after.documents.map((each, index) => each === before.documents[index])).toEqual([true, false]);
  });

  it("after any changes says what it would say from nothing", () => {
    const random = seededRandom(7);
    const names = Array.from({ length: 12 }, (_, index) => `s${index}`);
    const any = (): string => names[random.int(names.length)]!; // in range
    const entryOf = (name: string): object =>
      [
        () => ({ Kind: "service-defaults", Name: name, Protocol: random.int(2) ? "http" : "grpc" }),
        () => ({ Kind: "service-resolver", Name: name, Redirect: { Service: any() } }),
        () => ({ Kind: "service-resolver", Name: name, Failover: { "*": { Service: any() } } }),
        () => ({ Kind: "service-splitter", Name: name, Splits: [{ Weight: 40 }, { Weight: 60, Service: any() }] }),
        () => ({ Kind: "service-router", Name: name, Routes: [{ Destination: { Service: any() } }] }),
        () => ({ ...RESOLVER, Name: name, ConnectTimeout: `${1 + random.int(9)}s` }),
      ][random.int(6)]!(); // six of them
    const entries = new Map<string, object>();
    let last: Translation | undefined;
    let kept = 0;
    for (let step = 0; step < 150; step++) {
      const key = `${any()}`;
      if (random.int(4) === 0) entries.delete(key);
      else entries.set(key, entryOf(key));
      const input = { ...INPUT, entries: [HTTP, ...entries.values()], services: names };
      const next = translateConfigEntries(input, last);
      const fresh = translateConfigEntries(input);
      expect(next.documents.map(({ hash, origin }) => [hash, origin.file])).toEqual(
        fresh.documents.map(({ hash, origin }) => [hash, origin.file]),
      );
      expect(next.problems).toEqual(fresh.problems);
      for (const name of names) expect(next.needs(name)).toEqual(fresh.needs(name));
      kept += next.documents.filter((document) => last?.documents.includes(document)).length;
      last = next;
    }
    expect(kept).toBeGreaterThan(500);
  });

  it("reads fields as any writer spells them", () => {
    const snake = {
      ...{ kind: "service-router", name: "web" },
      routes: [
        { match: { http: { path_prefix: "/a" } }, destination: { service: "api", request_timeout: 3_000_000_000 } },
      ],
    };
    const camel = {
      ...{ Kind: "service-router", Name: "web" },
      routes: { match: { http: { pathPrefix: "/a" } }, destination: [{ service: "api", requestTimeout: "3s" }] },
    };
    const made = [snake, camel].map((entry) => translateConfigEntries({ ...INPUT, entries: [entry] }).documents[0]);
    expect(made[0]?.value["spec"]).toMatchObject({ http: [{ match: [{ uri: { prefix: "/a" } }], timeout: "3s" }, {}] });
    expect(made[0]?.hash).toBe(made[1]?.hash);
  });

  it("tells whose instances a call may need", () => {
    const spare = {
      Kind: "service-resolver",
      Name: "spare",
      DefaultSubset: "w",
      Subsets: { w: { Filter: "w in Service.Tags" } },
    };
    const api = {
      Kind: "service-resolver",
      Name: "api",
      Failover: { "*": { Service: "spare", Datacenters: ["dc1", "dc2"] } },
    };
    const made = translateConfigEntries({ ...INPUT, entries: [HTTP, ROUTER, api, spare] });
    const wanted = [{ service: "web" }, { service: "api" }, { service: "spare" }, { service: "spare", dc: "dc2" }];
    expect(made.needs("web")).toEqual(wanted);
    expect(made.needs("other")).toEqual([{ service: "other" }]);
    const [own, near, far] = made.members("api");
    const instance = { Service: { Tags: ["w"] }, Checks: [] };
    expect(own?.labels({ Service: {} })).toMatchObject({
      "inmesh.dev/consul-own": "true",
      "inmesh.dev/consul-local": "true",
    });
    expect(Object.keys(near?.labels(instance) ?? {})).toHaveLength(2);
    expect(Object.keys(far?.labels(instance) ?? {})).toHaveLength(1);
    expect(near?.labels({ Service: { Tags: [] } })).toBeUndefined();
  });

  it("never throws, whatever the entries are: 750 spoiled ones by chance", () => {
    const random = seededRandom(3);
    const of = <T>(values: readonly T[]): T => values[random.int(values.length)]!; // none is empty
    const seeds: readonly object[] = [HTTP, ROUTER, RESOLVER, ...SPOILABLE];
    const spoiled = (value: unknown): unknown => {
      if (random.next() < 0.06) return of([null, 0, -1, "", "x", [], {}, [null], true, 1e300, "*", ["a"], { a: [{}] }]);
      if (Array.isArray(value)) return value.map(spoiled);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, spoiled(each)]));
    };
    let made = 0;
    for (let n = 0; n < 150; n++) {
      const entries = Array.from({ length: 5 }, () => spoiled(of(seeds)));
      const translation = translateConfigEntries({ ...INPUT, entries, intentionDefault: of(["allow", "deny"]) });
      for (const each of translation.documents) expect(validateDocument(each).problems).toBeInstanceOf(Array);
      for (const member of translation.members("web")) member.labels(spoiled({ Service: { Meta: { version: "v1" } } }));
      made += translation.documents.length;
    }
    expect(made).toBeGreaterThan(150);
  });
});

const SPOILABLE: readonly object[] = [
  {
    Kind: "service-splitter",
    Name: "web",
    Splits: [
      { Weight: 50, ServiceSubset: "v1" },
      { Weight: 50, Service: "api" },
    ],
  },
  { Kind: "service-resolver", Name: "api", Redirect: { Service: "web", Datacenter: "dc2" } },
  { Kind: "service-resolver", Name: "api", Failover: { "*": { Datacenters: ["dc2"], Targets: [{ Service: "web" }] } } },
  {
    Kind: "service-resolver",
    Name: "api",
    LoadBalancer: { Policy: "ring_hash", HashPolicies: [{ Field: "header", FieldValue: "x" }] },
  },
  {
    Kind: "service-defaults",
    Name: "web",
    Protocol: "grpc",
    MaxInboundConnections: 3,
    Destination: { Addresses: ["a.example"], Port: 443 },
  },
  {
    ...{ Kind: "service-defaults", Name: "api" },
    UpstreamConfig: {
      Defaults: { Limits: { MaxConnections: 3 } },
      Overrides: [{ Name: "web", PassiveHealthCheck: { MaxFailures: 3 } }],
    },
  },
  {
    ...{ Kind: "service-intentions", Name: "web" },
    Sources: [
      {
        Name: "api",
        Permissions: [{ Action: "allow", HTTP: { PathPrefix: "/", Header: [{ Name: "x", Exact: "1" }] } }],
      },
    ],
  },
];

describe("giveWay", () => {
  const { documents } = translateConfigEntries({ ...INPUT, entries: [HTTP, ROUTER, RESOLVER] });

  it("leaves out the routes of a host that somebody wrote rules for, and says so", () => {
    const written = document("VirtualService", "web", {
      hosts: ["web"],
      http: [{ route: [{ destination: { host: "web" } }] }],
    });
    const given = giveWay(documents, [written]);
    expect(keys(given.documents)).toEqual(["DestinationRule/default/consul-web"]);
    expect(given.problems).toMatchObject([{ code: "IM0731", severity: "info", file: "consul:service-router/web" }]);
    expect(given.problems[0]?.message).toContain("VirtualService/default/web");
  });

  it("keeps subsets that the written rule lacks, without their policy, as the same object each time", () => {
    const written = document("DestinationRule", "web", {
      host: "web.default.svc.cluster.local",
      subsets: [{ name: "v1" }],
    });
    const [, rule] = giveWay(documents, [written]).documents;
    expect(rule?.value["spec"]).toMatchObject({ subsets: [{ name: "v2" }] });
    expect(rule?.value["spec"]).not.toHaveProperty("trafficPolicy");
    expect(giveWay(documents, [written]).documents[1]).toBe(rule);
  });

  it("changes nothing for the rules of others, for gateways and for other hosts", () => {
    const others = [
      document("VirtualService", "other", { hosts: ["other"], http: [] }),
      document("VirtualService", "gate", { hosts: ["web"], gateways: ["edge"], http: [] }),
      document("VirtualService", "wild", { hosts: ["*.default.svc.cluster.local"], http: [] }),
    ];
    expect(giveWay(documents, others)).toEqual({ documents, problems: [] });
  });
});
