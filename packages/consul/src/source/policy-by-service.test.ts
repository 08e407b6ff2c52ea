import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { healthEntry, kvEntry, ScriptedConsul } from "../scripted-consul.test.helper.js";
import { openSource } from "./opened-source.test.helper.js";

const CATALOG = "/v1/catalog/services";
const SHARED = "/v1/kv/inmesh/policy/";
const LIST = "/v1/kv/inmesh/services/";
const rulesAt = (service: string): string => `${LIST}default/${service}/`;
const healthAt = (service: string): string => `/v1/health/service/${service}`;

const rule = (host: string, to = host, more = ""): string =>
  `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: ${host.split(",")[0]}}, spec: {hosts: [${host}], http: [{route: [{destination: {host: ${to}}}]${more}}]}}`;
const subsets = (host: string): string =>
  `{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: ${host}}, spec: {host: ${host}, subsets: [{name: v2, labels: {version: v2}}]}}`;

let consul: ScriptedConsul;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  consul = await ScriptedConsul.start();
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await consul.close();
});

/** What stands below each service's prefix, of services that exist unless they say `unknown`. */
class Shop {
  readonly #rules = new Map<string, Readonly<Record<string, string>>>();

  /** @param rules by `Kind/name`; none: the service has no rules of its own any more */
  set(service: string, rules: Readonly<Record<string, string>> = {}, list = true): void {
    const entries = Object.entries(rules);
    if (entries.length === 0) this.#rules.delete(service);
    else this.#rules.set(service, rules);
    const keys = entries.map(([name, text]) => kvEntry(`inmesh/services/default/${service}/${name}`, text));
    consul.set(rulesAt(service), keys.length === 0 ? undefined : keys);
    if (list) this.list();
  }

  list(): void {
    const names = [...this.#rules].flatMap(([service, rules]) =>
      Object.keys(rules).map((name) => `inmesh/services/default/${service}/${name}`),
    );
    consul.set(LIST, names.length === 0 ? undefined : names.sort());
  }
}

/** A source of the service `web`, on a clock that follows real time. */
function open(...services: readonly string[]) {
  consul.set(CATALOG, Object.fromEntries(["web", ...services].map((name) => [name, []])));
  for (const service of services) consul.set(healthAt(service), [healthEntry({ id: `${service}-1`, service })]);
  const opened = openSource(consul, { own: { namespace: "default", service: "web" } });
  closers.push(opened.close);
  const { last } = opened;
  return {
    ...opened,
    keys: (view = last()) => view?.documents.map(({ key }) => key.replace("/default/", " ")) ?? [],
    known: (service: string, view = last()) => view?.services?.find((one) => one.service === service),
    has: (service: string, view = last()) => view?.workloads?.some((one) => one.service === service) ?? false,
  };
}

describe("policy for one service alone", () => {
  const shop = (rules: Readonly<Record<string, Readonly<Record<string, string>>>>): Shop => {
    const made = new Shop();
    for (const [service, each] of Object.entries(rules)) made.set(service, each);
    return made;
  };

  it("is read of the process itself from the start, and of others once they are used", async () => {
    shop({ web: { "VirtualService/web": rule("web") }, api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, views, keys, known, has } = open("api", "db");
    watch();
    await passing(() => views.length === 1);
    expect(keys()).toEqual(["VirtualService web"]);
    expect(known("api")).toMatchObject({ loaded: false, rulesLoaded: false });
    expect(known("db")).toEqual({ namespace: "default", service: "db", loaded: false });
    expect(consul.count(rulesAt("api"))).toBe(0);
    use("api");
    await passing(() => known("api")?.loaded === true);
    expect(known("api")).toMatchObject({ loaded: true, rulesLoaded: true });
    expect([keys(), has("api")]).toEqual([["VirtualService web", "VirtualService api"], true]);
  });

  it("takes five questions when a thousand services have some and five are used", async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `service-${index}`);
    const all = new Shop();
    for (const name of names) all.set(name, { [`VirtualService/${name}`]: rule(name) }, false);
    all.list();
    const { watch, use, passing, views, keys, last, rest } = open(...names);
    watch();
    await passing(() => views.length === 1);
    expect(keys()).toEqual([]);
    for (const name of names.slice(0, 5)) use(name);
    await passing(() => last()?.services?.filter(({ loaded }) => loaded).length === 5);
    await rest();
    expect(keys()).toHaveLength(5);
    const asked = consul.requests.map(({ path }) => path).filter((path) => path.startsWith(`${LIST}default/`));
    expect([...new Set(asked)].sort()).toEqual(names.slice(0, 5).map(rulesAt));
    expect(consul.asked(LIST).every(({ query }) => query.has("keys"))).toBe(true);
  });

  it("is told before or with the first instance, never after", async () => {
    shop({ api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, rest, views, keys, known, has } = open("api");
    watch();
    await passing(() => views.length === 1);
    consul.script(rulesAt("api"), () => "hold");
    use("api");
    await passing(() => consul.held(healthAt("api")) === 1);
    await rest();
    expect([has("api"), known("api")?.loaded]).toEqual([false, false]);
    consul.script(rulesAt("api"), undefined);
    consul.wake(rulesAt("api"));
    await passing(() => has("api"));
    for (const view of views) expect(has("api", view) && keys(view).length === 0).toBe(false);
  });

  it("comes with that of where it leads, and of no other", async () => {
    shop({
      api: { "VirtualService/api": rule("api", "db") },
      db: { "DestinationRule/db": subsets("db"), "VirtualService/db": rule("db", "disk") },
      disk: { "DestinationRule/disk": subsets("disk") },
      other: { "DestinationRule/other": subsets("other") },
    });
    const { watch, use, passing, views, keys, known, has } = open("api", "db", "disk", "other");
    watch();
    await passing(() => views.length === 1);
    use("api");
    await passing(() => known("api")?.rulesLoaded === true);
    const expected = ["VirtualService api", "DestinationRule db", "VirtualService db", "DestinationRule disk"];
    expect(keys()).toEqual(expected);
    expect([has("db"), known("db")?.rulesLoaded]).toEqual([false, true]); // nobody calls it yet
    for (const view of views.slice(1)) expect([0, 4]).toContain(keys(view).length);
  });

  it("is read where rules for everybody lead, and of what documents declare", async () => {
    shop({
      db: { "DestinationRule/db": subsets("db") },
      declared: { "DestinationRule/declared": subsets("declared") },
      api: { "VirtualService/api": rule("api") },
    });
    const entry = `{apiVersion: networking.istio.io/v1, kind: ServiceEntry, metadata: {name: e}, spec: {hosts: [declared.default.svc.cluster.local], resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}]}}`;
    consul.set(SHARED, [
      kvEntry("inmesh/policy/default/VirtualService/two", rule("one, two", "db")),
      kvEntry("inmesh/policy/default/ServiceEntry/e", entry),
    ]);
    const { watch, passing, views, keys } = open("api", "db", "declared");
    watch();
    await passing(() => views.length === 1);
    expect([...keys()].sort()).toEqual([
      "DestinationRule db",
      "DestinationRule declared",
      "ServiceEntry e",
      "VirtualService one",
    ]);
  });

  it("makes a host known that nobody serves, and is read once it is called", async () => {
    shop({
      stranger: { "VirtualService/stranger": rule("stranger", "db") },
      outside: { "DestinationRule/outside": subsets("outside") }, // says nothing of what exists
    });
    const { watch, use, passing, views, keys, known } = open("db");
    watch();
    await passing(() => views.length === 1);
    expect([keys(), known("outside")]).toEqual([[], undefined]);
    expect(known("stranger")).toEqual({
      ...{ namespace: "default", service: "stranger", loaded: false, rulesLoaded: false },
    });
    use("stranger");
    await passing(() => known("stranger")?.rulesLoaded === true);
    expect([keys(), known("stranger")?.loaded]).toEqual([["VirtualService stranger"], true]);
  });

  it("waits with rules that stand where everybody reads them for those of where they lead", async () => {
    shop({ db: { "DestinationRule/db": subsets("db") } });
    consul.set(SHARED, [kvEntry("inmesh/policy/default/VirtualService/api", rule("api", "db"))]);
    const { watch, use, passing, views, keys, known } = open("api", "db");
    watch();
    await passing(() => views.length === 1);
    expect([keys(), known("api")?.rulesLoaded]).toEqual([["VirtualService api"], false]);
    use("api");
    await passing(() => known("api")?.loaded === true);
    expect(keys()).toEqual(["VirtualService api", "DestinationRule db"]);
  });

  it("takes nothing away when it comes to a service that is in use, or does not come", async () => {
    const rules = shop({});
    const { watch, use, passing, views, keys, known, has, source, clock } = open("api");
    use("api");
    watch();
    await passing(() => has("api"));
    consul.script(rulesAt("api"), () => ({ status: 500, body: "rpc error" }));
    rules.set("api", { "VirtualService/api": rule("api") });
    await passing(() => source.status.state === "stale");
    expect([has("api"), known("api")?.loaded, keys()]).toEqual([true, true, []]);
    consul.script(rulesAt("api"), undefined);
    clock.advance(3_000);
    await passing(() => keys().length === 1);
    for (const view of views) expect(has("api", view)).toBe(true);
    rules.set("api");
    await passing(() => keys().length === 0);
    expect(known("api")).toEqual({ namespace: "default", service: "api", loaded: true });
  });

  it("of a new destination is told with the rule that leads there", async () => {
    const rules = shop({
      api: { "VirtualService/api": rule("api") },
      db: { "DestinationRule/db": subsets("db") },
    });
    const { watch, use, passing, rest, views, keys, has } = open("api", "db");
    use("api");
    watch();
    await passing(() => has("api"));
    consul.script(rulesAt("db"), () => "hold");
    rules.set("api", { "VirtualService/api": rule("api", "db") });
    await passing(() => consul.held(rulesAt("db")) === 1);
    await rest();
    const before = views.length;
    expect(JSON.stringify(views.at(-1)?.documents)).not.toContain("db");
    consul.script(rulesAt("db"), undefined);
    consul.wake(rulesAt("db"));
    await passing(() => views.length > before);
    expect([keys(), views.length]).toEqual([["VirtualService api", "DestinationRule db"], before + 1]);
  });

  it.each<[string, (rules: Shop) => void]>([
    ["its keys", (rules) => rules.set("api")],
    ["the list", () => consul.set(LIST, undefined)],
  ])("is never missing while a document moves from one place to the other, when %s tell it first", async (_, take) => {
    const rules = shop({ api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, views, keys, has, rest } = open("api");
    use("api");
    watch();
    await passing(() => has("api"));
    take(rules); // gone here first, as seen from here
    await rest();
    consul.set(SHARED, [kvEntry("inmesh/policy/default/VirtualService/api", rule("api, other"))]);
    await passing(() => JSON.stringify(views.at(-1)?.documents).includes("other"));
    for (const view of views) expect(keys(view)).toEqual(["VirtualService api"]);
  });

  it("goes when nobody has used the service for an hour", async () => {
    shop({ api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, keys, known, has, clock } = open("api");
    use("api");
    watch();
    await passing(() => has("api"));
    clock.advance(3_600_000 + 120_000);
    await passing(() => keys().length === 0);
    expect([has("api"), known("api")]).toMatchObject([false, { loaded: false, rulesLoaded: false }]);
    await passing(() => consul.held(rulesAt("api")) === 0);
  });

  it("stays while Consul is away", async () => {
    shop({ api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, keys, has, source } = open("api");
    use("api");
    watch();
    await passing(() => has("api"));
    consul.cut();
    for (const path of [LIST, rulesAt("api"), SHARED]) consul.script(path, () => ({ status: 500, body: "no leader" }));
    await passing(() => source.status.state === "stale");
    expect([keys(), has("api")]).toEqual([["VirtualService api"], true]);
  });

  it("is not taken for empty when a server has not heard of it yet", async () => {
    shop({ api: { "VirtualService/api": rule("api") } });
    const { watch, use, passing, views, keys, known, source, clock } = open("api");
    watch();
    await passing(() => views.length === 1);
    consul.script(rulesAt("api"), () => ({ status: 404, headers: { "x-consul-index": "1" } }));
    use("api");
    await passing(() => source.status.state === "stale");
    expect(source.status.reason).toMatch(/has not heard of the keys below inmesh\/services\/default\/api\/ yet/);
    expect(known("api")?.rulesLoaded).toBe(false);
    consul.script(rulesAt("api"), undefined);
    clock.advance(3_000);
    await passing(() => keys().length === 1);
  });

  it("is reported where it is for others, too, or below no service", async () => {
    shop({ web: { "VirtualService/web": rule("web, api"), "VirtualService/ok": rule("web") } });
    const lost = ["inmesh/services/default/No Label/VirtualService/x", "inmesh/services/lost"];
    consul.set(LIST, ["inmesh/services/default/web/VirtualService/web", ...lost]);
    const { watch, passing, views, last } = open("api");
    watch();
    await passing(() => views.length === 1);
    expect(last()?.problems.filter(({ code }) => code === "IM0721")).toMatchObject([
      ...lost.map((file) => ({ severity: "warning", file })),
      {
        resource: "VirtualService/default/web",
        message: expect.stringContaining("move it to inmesh/policy/default/VirtualService/web"),
      },
    ]);
  });
});
