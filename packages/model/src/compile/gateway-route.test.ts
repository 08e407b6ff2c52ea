import { describe, expect, it } from "vitest";
import {
  CLIENT,
  lease,
  request,
  resource,
  route,
  sent,
  snapshotOf,
  target,
  virtualService,
} from "./fixture.test.helper.js";

const SERVICE = "{ports: [{name: http, port: 80}, {name: admin, port: 8080}]}";
const SERVICES = ["reviews", "a", "b"].map((name) => resource("Service", name, SERVICE));
const cluster = (host: string, port = 80) => `outbound|${port}||${host}.shop.svc.cluster.local`;

/** @param rules YAML in flow style @param parent more of the parentRef */
function httpRoute(name: string, rules: string, parent = "", metadata = "") {
  const ref = `{group: "", kind: Service, name: reviews, namespace: shop${parent}}`;
  return resource("HTTPRoute", name, `{parentRefs: [${ref}], rules: [${rules}]}`, metadata);
}

const to = (backend: string, more = "") => `{${more}backendRefs: [{name: ${backend}, port: 80}]}`;

function ruleOf(rule: string, path = "/", part = {}) {
  const found = snapshotOf([...SERVICES, httpRoute("r", rule)])
    .routes.lookup("reviews", 80)
    ?.find(request(path, part));
  if (found === undefined) throw new Error("no rule matches");
  return found;
}

describe("HTTPRoutes of a Service", () => {
  it("are rules of its host, with their places; what none of them matches is a 404", () => {
    const snapshot = snapshotOf([
      ...SERVICES,
      httpRoute("r", to("a", "name: api, matches: [{path: {value: /api}}], ")),
    ]);
    const host = snapshot.routes.lookup("reviews", 80);
    expect(host?.resource).toEqual({ kind: "HTTPRoute", namespace: "shop", name: "r" });
    const found = host?.find(request("/api/x?y"));
    expect(found).toMatchObject({ name: "api", path: "spec.rules[0].matches[0]", resource: { kind: "HTTPRoute" } });
    expect(target(found)).toBe(cluster("a"));
    expect(sent(snapshot, "reviews", 80, "/apix")).toBe("404");
    expect(sent(snapshot, "a", 80, "/apix")).toBe(cluster("a"));
  });

  it("match a prefix by whole elements, whatever number of rules there is", () => {
    const many = Array.from({ length: 9 }, (_, index) => to("b", `matches: [{path: {value: /other${index}}}], `));
    for (const rest of [[], many]) {
      const rules = [to("a", "matches: [{path: {value: /api/}}], "), ...rest].join(", ");
      const snapshot = snapshotOf([...SERVICES, httpRoute("r", rules)]);
      const paths = ["/api", "/api/", "/api/x", "/api?x", "/apix", "/ap", "/", "/API"];
      const found = paths.filter((path) => sent(snapshot, "reviews", 80, path) === cluster("a"));
      expect(found).toEqual(["/api", "/api/", "/api/x", "/api?x"]);
    }
  });

  it.each([
    [
      "an exact path before a longer expression",
      "{path: {type: Exact, value: /x}}",
      "{path: {type: RegularExpression, value: '/x.{0}'}}",
    ],
    ["an expression before a prefix", "{path: {type: RegularExpression, value: '/.'}}", "{path: {value: /x}}"],
    ["the longer prefix", "{path: {value: /x}}", "{path: {value: /}, method: GET}"],
    ["a method before headers", "{method: GET}", "{headers: [{name: h, value: v}]}"],
    [
      "more headers before more query parameters",
      "{headers: [{name: h, value: v}]}",
      "{queryParams: [{name: q, value: '1'}]}",
    ],
    ["more query parameters", "{queryParams: [{name: q, value: '1'}]}", "{}"],
    ["the first", "{path: {value: /x}}", "{path: {value: /x}}"],
  ])("prefer %s", (_, better, worse) => {
    const asked = { headers: { h: "v" } };
    const first = to("a", `matches: [${better}], `);
    const second = to("b", `matches: [${worse}], `);
    expect(target(ruleOf(`${first}, ${second}`, "/x?q=1", asked))).toBe(cluster("a"));
    if (better !== worse) expect(target(ruleOf(`${second}, ${first}`, "/x?q=1", asked))).toBe(cluster("a"));
  });

  it("of several documents are one list: the older first, then by namespace and name", () => {
    const at = (day: number) => `creationTimestamp: "2026-01-0${day}T00:00:00Z"`;
    const both = (a: string, b: string) =>
      snapshotOf([...SERVICES, httpRoute("z", to("a"), "", a), httpRoute("y", to("b"), "", b)]);
    expect(sent(both(at(1), at(2)), "reviews")).toBe(cluster("a"));
    expect(sent(both(at(2), at(1)), "reviews")).toBe(cluster("b"));
    expect(sent(both("", ""), "reviews")).toBe(cluster("b"));
  });

  it.each([
    [", port: 8080", [cluster("reviews"), cluster("a")]],
    [", sectionName: admin", [cluster("reviews"), cluster("a")]],
    [", sectionName: nobody", [cluster("reviews"), cluster("reviews", 8080)]],
    ["", [cluster("a"), cluster("a")]],
  ])("are for the port that the parent names: %s", (parent, expected) => {
    const snapshot = snapshotOf([...SERVICES, httpRoute("r", to("a"), parent)]);
    expect([sent(snapshot, "reviews", 80), sent(snapshot, "reviews", 8080)]).toEqual(expected);
  });

  it("of the caller's namespace are for its callers only, and take the place of the service's own", () => {
    const other = { client: { ...CLIENT, namespace: "front" } };
    const own = httpRoute("own", to("a"));
    const foreign = httpRoute("front/theirs", "{backendRefs: [{name: b, namespace: shop, port: 80}]}");
    const host = "reviews.shop.svc.cluster.local";
    expect(sent(snapshotOf([...SERVICES, own, foreign]), host)).toBe(cluster("a"));
    expect(sent(snapshotOf([...SERVICES, own, foreign], [], other), host)).toBe(cluster("b"));
    expect(sent(snapshotOf([...SERVICES, foreign]), host)).toBe(cluster("reviews"));
    expect(sent(snapshotOf([...SERVICES, own], [], other), host)).toBe(cluster("a"));
  });

  it("are for processes that register themselves, and for ServiceEntries", () => {
    expect(sent(snapshotOf([httpRoute("r", to("a"))], [lease("reviews"), lease("a")]), "reviews")).toBe(cluster("a"));
    const entry = resource(
      "ServiceEntry",
      "api",
      "{hosts: [api.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
    );
    const ref = "{group: networking.istio.io, kind: ServiceEntry, name: api}";
    const rule =
      "{backendRefs: [{group: networking.istio.io, kind: Hostname, name: api.example.com, port: 80}], timeouts: {request: 2s}}";
    const snapshot = snapshotOf([entry, resource("HTTPRoute", "r", `{parentRefs: [${ref}], rules: [${rule}]}`)]);
    expect(sent(snapshot, "api.example.com")).toBe("outbound|80||api.example.com");
    expect(snapshot.routes.lookup("api.example.com", 80)?.routes[0]?.timeoutMs).toBe(2_000);
  });

  it("leave the host alone where their parent is a Gateway", () => {
    const snapshot = snapshotOf([
      ...SERVICES,
      resource("HTTPRoute", "r", `{parentRefs: [{name: reviews}], rules: [${to("a")}]}`),
    ]);
    expect(sent(snapshot, "reviews")).toBe(cluster("reviews"));
  });

  it("come through a Sidecar with what they send to", () => {
    const sidecar = resource("Sidecar", "s", '{egress: [{hosts: ["shop/reviews.shop.svc.cluster.local"]}]}');
    const narrow = [...SERVICES, sidecar];
    expect(snapshotOf(narrow).cluster(cluster("a"))).toBeUndefined();
    const snapshot = snapshotOf([...narrow, httpRoute("r", to("a"))]);
    expect(snapshot.cluster(sent(snapshot, "reviews"))?.host).toBe("a.shop.svc.cluster.local");
  });

  it("keep what they compiled to while another service's change", () => {
    const mine = httpRoute("r", to("a"));
    const theirs = (backend: string) =>
      resource("HTTPRoute", "a", `{parentRefs: [{group: "", kind: Service, name: a}], rules: [${to(backend)}]}`);
    const first = snapshotOf([...SERVICES, mine, theirs("a")]);
    const [host, other] = [first.routes.lookup("reviews", 80), first.routes.lookup("a", 80)];
    const second = snapshotOf([...SERVICES, mine, theirs("b")], [], {}, first);
    expect(second.routes.lookup("reviews", 80)).toBe(host);
    expect(second.routes.lookup("a", 80)).not.toBe(other);
    expect(sent(second, "a")).toBe(cluster("b"));
  });
});

describe("beside a VirtualService", () => {
  const at = (day: number) => `creationTimestamp: "2026-01-0${day}T00:00:00Z"`;
  const vs = (more = "", day = 1, host = "reviews.shop.svc.cluster.local") =>
    virtualService("vs", host, route("b.shop.svc.cluster.local"), more, at(day));
  const from = (namespace: string) => ({ client: { ...CLIENT, namespace } });
  const HOST = "reviews.shop.svc.cluster.local";

  it.each([
    ["the service's own route, for callers elsewhere, when it is older", "shop/r", 1, vs("", 2), "front", "a"],
    ["the older VirtualService", "shop/r", 2, vs("", 1), "front", "b"],
    ["a route of the caller's own namespace", "shop/r", 2, vs("", 1), "shop", "a"],
    ["a route of the caller for a foreign service", "front/r", 2, vs("", 1), "front", "a"],
    ["a VirtualService that is the namespace's own", "shop/r", 1, vs(', exportTo: ["."]', 2), "shop", "b"],
    ["a VirtualService for the caller's namespace only", "shop/r", 1, vs(", exportTo: [front]", 2), "front", "b"],
    ["the same, before a route of the caller", "front/r", 1, vs(", exportTo: [front]", 2), "front", "b"],
    [
      "a route of the caller, where the VirtualService is for others",
      "front/r",
      2,
      vs(", exportTo: [back]", 1),
      "front",
      "a",
    ],
    ["a route, before a wildcard", "shop/r", 2, vs("", 1, "*.shop.svc.cluster.local"), "front", "a"],
  ])("one of the two is used whole: %s", (_, name, day, other, namespace, expected) => {
    const mine = httpRoute(name, "{backendRefs: [{name: a, namespace: shop, port: 80}]}", "", at(day));
    const snapshot = snapshotOf([...SERVICES, mine, other], [], from(namespace));
    expect(sent(snapshot, HOST)).toBe(cluster(expected));
    expect(snapshot.routes.lookup(HOST, 80)?.resource?.kind).toBe(expected === "a" ? "HTTPRoute" : "VirtualService");
  });

  it("the other one is used on ports that the first is not for", () => {
    const snapshot = snapshotOf([...SERVICES, httpRoute("r", to("a"), ", port: 80"), vs()]);
    expect([sent(snapshot, "reviews", 80), sent(snapshot, "reviews", 8080)]).toEqual([
      cluster("a"),
      cluster("b", 8080),
    ]);
  });
});

describe("a rule", () => {
  it("draws by weight; a single backend takes all; weight 0 takes nothing", () => {
    const weights = (refs: string) => {
      const { action } = ruleOf(`{backendRefs: [${refs}]}`);
      return action.kind === "forward" ? action.destinations.map(({ weight }) => weight) : [action.kind, action.status];
    };
    expect(weights("{name: a, port: 80, weight: 3}, {name: b, port: 80}, {name: b, port: 8080, weight: 0}")).toEqual([
      3, 1,
    ]);
    expect(weights("{name: a, port: 80, weight: 7}")).toEqual([100]);
    expect(weights("{name: a, port: 80, weight: 0}")).toEqual(["directResponse", 500]);
    expect(weights("")).toEqual(["directResponse", 500]);
  });

  it("gives the share of a backend that is not there a 500", () => {
    expect(ruleOf(to("ghost")).action).toMatchObject({ kind: "forward", missingStatus: 500 });
    const snapshot = snapshotOf([...SERVICES, httpRoute("r", "{backendRefs: [{kind: Bucket, name: a, port: 80}]}")]);
    expect(snapshot.cluster(sent(snapshot, "reviews"))).toBeUndefined();
  });

  it.each([
    ["/foo", "/xyz", "/foo/bar", "/xyz/bar"],
    ["/foo", "/xyz/", "/foo/bar", "/xyz/bar"],
    ["/foo/", "/xyz", "/foo/bar", "/xyz/bar"],
    ["/foo", "/xyz", "/foo", "/xyz"],
    ["/foo", "/xyz", "/foo/", "/xyz/"],
    ["/foo", "", "/foo/bar", "/bar"],
    ["/foo", "", "/foo", "/"],
    ["/foo", "/", "/foo/", "/"],
    ["/", "/xyz", "/bar", "/xyz/bar"],
  ])("replaces the prefix %s by %j: %s becomes %s", (prefix, replacement, path, expected) => {
    const filter = `{type: URLRewrite, urlRewrite: {hostname: x.y, path: {type: ReplacePrefixMatch, replacePrefixMatch: "${replacement}"}}}`;
    const { rewrite } = ruleOf(to("a", `matches: [{path: {value: ${prefix}}}], filters: [${filter}], `), path);
    expect([rewrite?.path?.(path), rewrite?.authority]).toEqual([expected, "x.y"]);
  });

  it.each([
    ["{}", "http://reviews:8080/a?q", 302],
    ["{scheme: https, statusCode: 308}", "https://reviews/a?q", 308],
    ["{hostname: x.y, port: 8443}", "http://x.y:8443/a?q", 302],
    ["{port: 80}", "http://reviews/a?q", 302],
    ["{path: {type: ReplaceFullPath, replaceFullPath: /b}}", "http://reviews:8080/b?q", 302],
    ["{path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}", "http://reviews:8080/b/a?q", 302],
  ])("redirects by %s to %s", (spec, location, status) => {
    const rule = `{filters: [{type: RequestRedirect, requestRedirect: ${spec}}]}`;
    const asked = request("/a?q", { authority: "reviews:8080" });
    const found = snapshotOf([...SERVICES, httpRoute("r", rule)])
      .routes.lookup("reviews", 8080)
      ?.find(asked);
    if (found?.action.kind !== "redirect") throw new Error("no redirect");
    expect([found.action.location(asked), found.action.status]).toEqual([location, status]);
  });

  it("changes headers: the first of equal names counts, and a percent sign is one", () => {
    const modifier =
      "{set: [{name: X-A, value: '1'}, {name: x-a, value: '2'}], add: [{name: b, value: 50%}], remove: [C]}";
    const own = "{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}";
    const rule = `{filters: [{type: RequestHeaderModifier, requestHeaderModifier: ${modifier}}], backendRefs: [{name: a, port: 80, filters: [${own}]}]}`;
    expect(ruleOf(rule)).toMatchObject({
      requestHeaders: { set: [["x-a", "1"]], add: [["b", "50%%"]], remove: ["c"] },
      responseHeaders: { remove: ["server"] },
    });
  });

  it.each([
    ["{}", { kind: "cookie", name: "inmesh-session-httproute-shop-r-0", path: "/", permanent: false, idleMs: 0 }],
    ["{type: Header}", { kind: "header", name: "x-inmesh-session-httproute-shop-r-0" }],
    ["{type: Header, sessionName: X-Cart}", { kind: "header", name: "x-cart" }],
    [
      "{sessionName: Cart, absoluteTimeout: 1h, idleTimeout: 5m, cookieConfig: {lifetimeType: Permanent}}",
      { kind: "cookie", name: "Cart", permanent: true, absoluteMs: 3_600_000, idleMs: 300_000 },
    ],
  ])("keeps a session for sessionPersistence %s", (session, wanted) => {
    expect(ruleOf(to("a", `sessionPersistence: ${session}, `)).session).toMatchObject(wanted);
  });

  it("keeps a session's cookie to the path that was matched", () => {
    const paths =
      "[{path: {value: /cart}}, {path: {type: Exact, value: /pay}}, {path: {type: RegularExpression, value: /o.*}}]";
    const rule = to("a", `sessionPersistence: {sessionName: s}, matches: ${paths}, `);
    expect(["/cart/1", "/pay", "/orders"].map((path) => ruleOf(rule, path).session?.path)).toEqual([
      "/cart",
      "/pay",
      "/",
    ]);
    expect(ruleOf(to("a")).session).toBeUndefined();
  });

  it("mirrors: all, a percentage, a fraction, nothing", () => {
    const mirror = (more: string) => `{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}${more}}}`;
    const filters = ["", ", percent: 5", ", fraction: {numerator: 1, denominator: 4}", ", percent: 0"]
      .map(mirror)
      .join(", ");
    const { mirrors } = ruleOf(to("a", `filters: [${filters}], `));
    expect(mirrors.map(({ ratio, field, destination }) => [ratio, field, destination.cluster])).toEqual([
      [1, "filters[0].requestMirror", cluster("b")],
      [0.05, "filters[1].requestMirror", cluster("b")],
      [0.25, "filters[2].requestMirror", cluster("b")],
    ]);
  });

  it.each([
    ["timeouts: {request: 2s}", 2_000, 0, 3],
    ["timeouts: {request: 0s, backendRequest: 300ms}", 0, 300, 3],
    [
      "timeouts: {request: 1s, backendRequest: 300ms}, retry: {attempts: 5, codes: [503], backoff: 10ms}",
      1_000,
      300,
      6,
    ],
    ["retry: {}", 0, 0, 3],
    ["retry: {attempts: 0}", 0, 0, 1],
  ])("has %s", (fields, timeoutMs, perTryTimeoutMs, maxAttempts) => {
    const found = ruleOf(to("a", `${fields}, `));
    expect(found).toMatchObject({ timeoutMs, retry: { perTryTimeoutMs, maxAttempts } });
    expect(found.retry.on).toContain("connect-failure");
    expect([...found.retry.statusCodes]).toEqual(fields.includes("503") ? [503] : []);
  });

  it("allows origins by wildcard, for 5 s, and answers other preflights itself", () => {
    const cors =
      '{allowOrigins: ["https://*.example.com", "http://localhost:*", "https://a.b"], allowMethods: [GET], allowHeaders: ["*"], allowCredentials: true}';
    const policy = ruleOf(to("a", `filters: [{type: CORS, cors: ${cors}}], `)).cors;
    const origins = [
      "https://x.y.example.com",
      "https://example.com",
      "http://localhost:80",
      "https://a.b",
      "https://a.bc",
    ];
    expect(origins.filter((origin) => policy?.allowsOrigin(origin))).toEqual([origins[0], origins[2], origins[3]]);
    expect(policy).toMatchObject({
      maxAge: "5",
      allowMethods: "GET",
      forwardsUnmatchedPreflights: false,
      repeatsWhatIsAsked: true,
    });
  });

  it("without matches takes everything, and a document without rules has none that leads anywhere", () => {
    expect(ruleOf(to("a")).path).toBe("spec.rules[0]");
    const bare = resource("HTTPRoute", "r", '{parentRefs: [{group: "", kind: Service, name: reviews}]}');
    expect(sent(snapshotOf([...SERVICES, bare]), "reviews")).toBe("directResponse 500");
  });
});
