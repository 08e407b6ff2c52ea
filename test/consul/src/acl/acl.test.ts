import { setTimeout as delay } from "node:timers/promises";
import { ConsulRegistry } from "@inmesh/consul";
import type { RegistryView } from "@inmesh/core";
import { label, lease, namespace } from "@inmesh/core/testing";
import { type Document, documentFromValue, parseDocuments } from "@inmesh/model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { fillShop, putResource, register, targetOf, WatchedShop } from "../hostile/watched-shop.js";
import { type DevAgent, findConsul, isAtLeast, startDevAgent } from "../peer/index.js";
import { type DocumentedRule, documentedRoles } from "./documented-roles.js";

const binary = findConsul("the ACL rules of each role");
const MANAGEMENT = "5c9a1f0e-0000-4000-8000-000000000001";
/** Whatever is allowed is done in a fraction of it; for what is not, it is waited so long. */
const PATIENCE_MS = 2_500;
const ALLOWED_MS = 15_000;

/** A service that none of the roles is. */
const OTHERS = "reviews";
/** Name of a resource that is for it alone. */
const RULES = "only-for-reviews";

const roles = documentedRoles();
let agent: DevAgent;
let count = 0;

beforeAll(async () => {
  if (binary === undefined) return;
  // All roles are tried at once, each over connections of its own, and all of them from this machine.
  const configuration = { limits: { http_max_conns_per_client: 2_000 } };
  agent = await startDevAgent(binary, { managementToken: MANAGEMENT, configuration });
  await fillShop(agent, "inmesh", OTHERS);
  const rules = `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${RULES} }\nspec: { hosts: [${OTHERS}] }\n`;
  await agent.must("PUT", `/v1/kv/inmesh/services/default/${OTHERS}/VirtualService/${RULES}`, rules);
});
afterAll(() => agent?.[Symbol.asyncDispose]());

/** One thing that a role does. Throws when it could not. */
type Work = (registry: ConsulRegistry, patienceMs: number) => Promise<void>;

const soon = async (ms: number, holds: () => boolean | Promise<boolean>): Promise<void> => {
  await eventually(holds, (held) => expect(held).toBe(true), ms);
};

const registers =
  (service: string, ports: readonly { name: string; number: number }[]): Work =>
  async ({ registrar }, patienceMs) => {
    const instance = `i-${++count}`;
    const handle = await registrar.register({ ...lease(instance), namespace: "default", service, ports });
    const id = `default.${service}.${instance}`;
    const known = async () => id in ((await agent.must("GET", "/v1/agent/services")) as object);
    await soon(patienceMs, known);
    await handle.update({ labels: { changed: "yes" } });
    await handle.remove();
    expect(await known()).toBe(false);
  };

const sees =
  (fits: (view: RegistryView) => boolean): Work =>
  async (registry, patienceMs) => {
    let last: RegistryView | undefined;
    registry.use({ namespace: "default", service: OTHERS });
    registry.watch((view) => {
      last = view;
    });
    await soon(patienceMs, () => last !== undefined && fits(last));
  };

const changesPolicy: Work = async ({ store }) => {
  const name = `changed-${++count}`;
  await store.apply([namespace(name, { n: "1" })], { who: "test" });
  await store.apply([namespace(name, { n: "2" })], { who: "test" });
  expect((await store.history(`Namespace/${name}/${name}`)).map(({ outcome }) => outcome)).toEqual([
    "configured",
    "created",
  ]);
  await store.delete([`Namespace/${name}/${name}`], { who: "test" });
};

const readsPolicy: Work = async ({ store }) => {
  expect((await store.list()).map(({ name }) => name)).toContain("first");
  await store.history("Namespace/first/first");
};

/** What each comment of the page promises. */
const WORK: Readonly<Record<string, Work>> = {
  "registers as web, renews itself, leaves": registers("web", [{ name: "http", number: 8080 }]),
  "is seen by inmesh status before it listens": registers("early", []),
  "is seen by inmesh status": registers("early", []),
  "knows services and their instances, and what config entries and intentions say of them": sees(
    ({ services }) => services?.some(({ service }) => service === OTHERS) ?? false,
  ),
  "is told the instances of those services": sees(({ workloads = [] }) => workloads.length >= 3),
  "knows the rules of the services it calls": sees(({ documents }) => documents.some(({ name }) => name === RULES)),
  "knows the policy for everybody": sees(({ documents }) =>
    documents.some((document) => label(document, "x") === undefined && document.name === "first"),
  ),
  "is announced with its agent's address": async ({ registrar }) =>
    expect(await registrar.agentAddress()).toBe("127.0.0.1"),
  "changes policy and records who did it: inmesh apply, delete, rollback": changesPolicy,
  "reads policy and its history: inmesh get, history, diff, analyze": readsPolicy,
  "registers whatever inmesh dev starts": registers("anything", [{ name: "http", number: 8080 }]),
};

/** For one service of the namespace alone. */
function ruleIn(namespace: string): Document {
  const value = { metadata: { name: "r", namespace }, spec: { host: "reviews" } };
  const { documents } = documentFromValue({ ...value, apiVersion: "networking.istio.io/v1", kind: "DestinationRule" });
  return documents[0] ?? expect.fail("no document");
}

async function tokenWith(
  rules: readonly DocumentedRule[],
): Promise<{ readonly secret: string; readonly policy: string }> {
  const Name = `test-${++count}`;
  const Rules = rules.map(({ rule }) => rule).join("\n");
  const policy = (await agent.must("PUT", "/v1/acl/policy", { Name, Rules })) as { ID: string };
  const token = (await agent.must("PUT", "/v1/acl/token", { Policies: [{ ID: policy.ID }] })) as { SecretID: string };
  return { secret: token.SecretID, policy: policy.ID };
}

/** @returns what of the role's work could not be done */
async function undone(all: readonly DocumentedRule[], granted: readonly DocumentedRule[]): Promise<string[]> {
  const { secret } = await tokenWith(granted);
  const failed = all.map(async ({ comment }) => {
    const target = targetOf(agent.port, { token: secret });
    await using registry = new ConsulRegistry({ target, parse: parseDocuments });
    return await WORK[comment]!(registry, granted === all ? ALLOWED_MS : PATIENCE_MS).then(
      () => [],
      () => [comment],
    );
  });
  return (await Promise.all(failed)).flat();
}

describe.skipIf(binary === undefined).concurrent("the documented rules of", () => {
  it("every role say what they are for, and all of that is tried", () => {
    const comments = [...roles.values()].flat().map(({ comment }) => comment);
    expect([...roles.keys()]).toEqual(["service", "caller", "operator", "reader", "dev"]);
    expect(comments.filter((comment) => WORK[comment] === undefined)).toEqual([]);
  });

  it.each([...roles])("a %s suffice for its work, and each one is needed for what it says", async (_, rules) => {
    expect(await undone(rules, rules)).toEqual([]);
    const without = rules.map(async (taken) => {
      const failed = await undone(
        rules,
        rules.filter((rule) => rule !== taken),
      );
      return [taken.rule, failed.includes(taken.comment)];
    });
    expect(Object.fromEntries(await Promise.all(without))).toEqual(
      Object.fromEntries(rules.map(({ rule }) => [rule, true])),
    );
  });

  it("one team let it change its own namespace, and no other", async () => {
    const team = ["policy", "services", "history"].map((what) => ({
      rule: `key_prefix "inmesh/${what}/mine/" { policy = "write" }`,
      comment: "",
    }));
    const { secret } = await tokenWith([...team, { rule: 'key_prefix "inmesh/" { policy = "read" }', comment: "" }]);
    await using registry = new ConsulRegistry({
      target: targetOf(agent.port, { token: secret }),
      parse: parseDocuments,
    });
    await registry.store.apply([namespace("mine"), ruleIn("mine")], { who: "test" });
    for (const theirs of [namespace("theirs"), ruleIn("theirs")]) {
      await expect(registry.store.apply([theirs], { who: "test" })).rejects.toThrow(/403: Permission denied/);
    }
    expect([await registry.store.obstacle("mine"), await registry.store.obstacle("theirs")]).toEqual([
      undefined,
      expect.stringContaining("403: Permission denied"),
    ]);
  });
});

describe.skipIf(binary === undefined).concurrent("a token that", () => {
  const all = roles.get("service") ?? [];

  it.each([
    ["key_prefix", /answered 403: Permission denied.*docs\/reference\/consul-acl\.md/],
    ["service_prefix", /hides what the token may not read: it may not read service "\w/],
    ["node_prefix", /hides what the token may not read: it may not read node "n1"/],
  ])("loses its %s while it is used loses nothing that was read", async (rule, reason) => {
    const service = `lose-${rule.replace(/_.*/, "")}`;
    await fillShop(agent, service, service);
    const { secret, policy } = await tokenWith(
      all.map((each) => ({ ...each, rule: each.rule.replace("inmesh/", `${service}/`) })),
    );
    await using shop = new WatchedShop(targetOf(agent.port, { token: secret, prefix: service }), { service });
    await shop.shows(["first"]);
    const left = all
      .filter((each) => !each.rule.startsWith(rule))
      .map((each) => each.rule.replace("inmesh/", `${service}/`));
    await agent.must("PUT", `/v1/acl/policy/${policy}`, { Name: `left-${service}`, Rules: left.join("\n") });
    await register(agent, service, "9003"); // what is held is answered now
    await putResource(agent, "second", service);
    if (rule === "key_prefix") await shop.isStale(reason);
    else await whereSeen(shop, reason);
    const { resources, instances } = shop.shown;
    expect(resources).toContain("first");
    expect(instances).toEqual(expect.arrayContaining(["9000", "9001", "9002"]));
  });

  it("is deleted, or expires, while all questions are held: that is said, and nothing is lost", async () => {
    await fillShop(agent, "deleted", "deleted");
    const rules = all.map(({ rule }) => rule.replace("inmesh/", "deleted/")).join("\n");
    const policy = (await agent.must("PUT", "/v1/acl/policy", { Name: "deleted", Rules: rules })) as { ID: string };
    const made = (await agent.must("PUT", "/v1/acl/token", { Policies: [{ ID: policy.ID }] })) as {
      SecretID: string;
      AccessorID: string;
    };
    await using shop = new WatchedShop(targetOf(agent.port, { token: made.SecretID, prefix: "deleted" }), {
      service: "deleted",
    });
    await shop.shows(["first"]);
    await agent.must("DELETE", `/v1/acl/token/${made.AccessorID}`);
    await shop.isStale(/answered 403: ACL not found; the token is not known there: it was deleted, has expired/);
    expect(shop.status.reason).not.toContain(made.SecretID);
    expect(shop.shown).toEqual({ resources: ["first"], instances: ["9000", "9001", "9002"] });
  });

  it("may not read rules of services, on a Consul that has some or none, is told so and gets no half of the policy", async () => {
    await putResource(agent, "first", "half");
    for (const prefix of ["inmesh", "half"]) {
      const granted = all.filter(({ rule }) => !rule.includes("/services/"));
      const { secret } = await tokenWith(
        granted.map((each) => ({ ...each, rule: each.rule.replace("inmesh/", `${prefix}/`) })),
      );
      await using shop = new WatchedShop(targetOf(agent.port, { token: secret, prefix }));
      await eventually(
        () => shop.status.reason,
        (reason) => expect(reason).toContain(`may not read key "${prefix}/services/"`),
      );
      expect(shop.view).toBeUndefined();
    }
  });

  it("is none at all is told so", async () => {
    await using shop = new WatchedShop(targetOf(agent.port));
    await shop.isStale(/answered 403: .*; no token was given: name one in CONSUL_HTTP_TOKEN/);
  });
});

/** A newer server streams, and its stream goes on without a word, with what it told: nothing is lost either way. */
async function whereSeen(shop: WatchedShop, reason: RegExp): Promise<void> {
  if (binary !== undefined && !isAtLeast(binary, "1.9")) return await shop.isStale(reason);
  await delay(PATIENCE_MS);
  if (shop.status.state === "stale") expect(shop.status.reason).toMatch(reason);
}
