/** Random policies and requests from a small vocabulary, so that rules meet requests often. */

import type { Random } from "@inmesh/core";

const HOSTS = ["reviews", "stock"];
const PATHS = ["/", "/api", "/api/", "/api/v1", "/API/v1/x", "/static/a.css", "/old"];
const NAMES = ["x-user", "x-team", "x-env"];
const VALUES = ["ann", "bob", "beta", ""];
const METHODS = ["GET", "POST", "HEAD", "OPTIONS"];
const ORIGIN = "https://shop.example";

type Spec = Record<string, unknown>;

export class RandomPolicy {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Documents as a team would apply them, some of which fit together. */
  documents(): unknown[] {
    const documents = [this.#destinationRule("reviews"), this.#destinationRule("stock")];
    for (let count = 1 + this.#random.int(3); count > 0; count--) documents.push(this.#virtualService(count));
    if (this.#chance(0.4)) documents.push(this.#httpRoute());
    if (this.#chance(0.3)) {
      documents.push({
        apiVersion: "networking.istio.io/v1",
        kind: "Sidecar",
        metadata: { name: "default", namespace: "shop" },
        spec: {
          egress: [{ hosts: [this.#one(["./*", "*/*", "./reviews.shop.svc.cluster.local"])] }],
          outboundTrafficPolicy: { mode: this.#one(["ALLOW_ANY", "REGISTRY_ONLY"]) },
        },
      });
    }
    return documents;
  }

  request(): { method: string; host: string; path: string; headers: Record<string, string> } {
    const headers: Record<string, string> = {};
    for (const name of NAMES) if (this.#chance(0.4)) headers[name] = this.#one(VALUES);
    const method = this.#one([...METHODS, "GET", "GET"]);
    if (this.#chance(0.3)) headers["origin"] = this.#one([ORIGIN, "https://other.example"]);
    if (method === "OPTIONS" && this.#chance(0.7)) headers["access-control-request-method"] = "POST";
    if (this.#chance(0.15)) headers["x-fail"] = "503";
    const query = this.#chance(0.3) ? this.#one(["?a=1", "?a=2&b", "?", "?b=ann"]) : "";
    const host = this.#one([
      ...HOSTS,
      ...HOSTS,
      "reviews.shop",
      "reviews.shop.svc.cluster.local",
      "nobody",
      "named.example",
    ]);
    return { method, host, path: this.#one(PATHS) + query, headers };
  }

  #destinationRule(host: string): unknown {
    const subsets = ["v1", "v2", "v3"]
      .filter(() => this.#chance(0.8))
      .map((name) => ({ name, labels: { version: name } }));
    return {
      apiVersion: "networking.istio.io/v1",
      kind: "DestinationRule",
      metadata: { name: host, namespace: "shop" },
      spec: { host, subsets, trafficPolicy: { loadBalancer: { simple: this.#one(["RANDOM", "ROUND_ROBIN"]) } } },
    };
  }

  #virtualService(number: number): unknown {
    const rules = Array.from({ length: 1 + this.#random.int(7) }, (_, at) => this.#rule(at));
    return {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: `rules-${number}`, namespace: "shop" },
      spec: { hosts: [this.#one([...HOSTS, "*.shop.svc.cluster.local", "named.example"])], http: rules },
    };
  }

  #rule(at: number): Spec {
    const rule: Spec = this.#chance(0.5) ? { name: `rule-${at}` } : {};
    if (this.#chance(0.8)) rule["match"] = this.#many(1, 2, () => this.#match());
    const kind = this.#random.next();
    if (kind < 0.12) rule["redirect"] = this.#redirect();
    else if (kind < 0.24)
      rule["directResponse"] = { status: this.#one([200, 204, 403, 503]), body: { string: "said\n" } };
    else Object.assign(rule, this.#forward());
    if (this.#chance(0.4)) rule["headers"] = this.#headers();
    if (this.#chance(0.2)) {
      rule["corsPolicy"] = {
        allowOrigins: [{ exact: ORIGIN }],
        allowMethods: ["GET", "POST"],
        allowHeaders: ["x-user"],
        maxAge: "10s",
        ...(this.#chance(0.5) && { allowCredentials: true }),
        ...(this.#chance(0.3) && { unmatchedPreflights: "IGNORE" }),
      };
    }
    return rule;
  }

  #forward(): Spec {
    const routes = this.#many(1, 3, () => ({
      destination: {
        host: this.#one([...HOSTS, ...HOSTS, "missing"]),
        ...(this.#chance(0.7) && { subset: this.#one(["v1", "v2", "v3"]) }),
      },
      ...(this.#chance(0.3) && { headers: this.#headers() }),
    }));
    const weights =
      routes.length === 1
        ? [100]
        : routes.length === 2
          ? this.#one([
              [90, 10],
              [100, 0],
              [50, 50],
            ])
          : [60, 30, 10];
    const forward: Spec = { route: routes.map((route, at) => ({ ...route, weight: weights[at] })) };
    if (this.#chance(0.3)) {
      forward["rewrite"] = this.#one<Spec>([
        { uri: "/new" },
        { authority: "internal.example" },
        { uri: "/", authority: "internal" },
        { uriRegexRewrite: { match: "^/([a-z]+)", rewrite: "/r/\\1" } },
      ]);
    }
    if (this.#chance(0.2)) forward["timeout"] = "20s";
    if (this.#chance(0.4)) {
      const retryOn = this.#one(["5xx", "503", "connect-failure", "gateway-error,reset"]);
      forward["retries"] = { attempts: this.#random.int(3), retryOn, backoff: "1ms" };
    } else forward["retries"] = undefined;
    if (this.#chance(0.15)) {
      const percentage = { value: this.#one([0, 100]) };
      forward["fault"] = { abort: { httpStatus: 418, percentage } };
    }
    return forward;
  }

  #match(): Spec {
    const match: Spec = {};
    if (this.#chance(0.7)) {
      const path = this.#one(PATHS);
      match["uri"] = this.#one<Spec>([{ exact: path }, { prefix: path }, { prefix: path }, { regex: `${path}.*` }]);
      if (this.#chance(0.2)) match["ignoreUriCase"] = true;
    }
    if (this.#chance(0.3)) match["headers"] = { [this.#one(NAMES)]: this.#stringMatch() };
    if (this.#chance(0.15)) match["withoutHeaders"] = { [this.#one(NAMES)]: this.#stringMatch() };
    if (this.#chance(0.15))
      match["queryParams"] = { [this.#one(["a", "b"])]: this.#one<Spec>([{ exact: "1" }, { regex: "[12]" }]) };
    if (this.#chance(0.1)) match["method"] = { exact: this.#one(METHODS) };
    if (this.#chance(0.1)) match["authority"] = this.#one<Spec>([{ prefix: "rev" }, { exact: "stock" }]);
    if (this.#chance(0.1)) match["sourceLabels"] = this.#one<Spec>([{ app: "web" }, { app: "other" }]);
    if (this.#chance(0.1)) match["sourceNamespace"] = this.#one(["shop", "other"]);
    if (this.#chance(0.1)) match["port"] = this.#one([80, 8080]);
    return match;
  }

  #stringMatch(): Spec {
    return this.#one<Spec>([{ exact: this.#one(VALUES) }, { prefix: "b" }, { regex: "a.*|bob" }, {}]);
  }

  #headers(): Spec {
    const operations = (): Spec => ({
      ...(this.#chance(0.6) && { set: { [this.#one(NAMES)]: this.#one(["set", "%REQ(x-user)%", "100%%"]) } }),
      ...(this.#chance(0.4) && { add: { [this.#one([...NAMES, "x-served"])]: this.#one(["added", "%REQ(x-team)%"]) } }),
      ...(this.#chance(0.4) && { remove: [this.#one([...NAMES, "x-served"])] }),
    });
    return {
      ...(this.#chance(0.7) && { request: operations() }),
      ...(this.#chance(0.7) && { response: operations() }),
    };
  }

  #redirect(): Spec {
    return {
      ...this.#one<Spec>([{ uri: "/moved" }, { prefixRewrite: "/moved" }, { authority: "moved.example" }]),
      ...(this.#chance(0.3) && { scheme: "https" }),
      ...(this.#chance(0.3) && this.#one<Spec>([{ port: 8443 }, { derivePort: "FROM_REQUEST_PORT" }])),
      ...(this.#chance(0.5) && { redirectCode: this.#one([301, 302, 303, 307, 308]) }),
    };
  }

  #httpRoute(): unknown {
    const rules = this.#many(1, 4, () => {
      const redirects = this.#chance(0.15);
      const filters = [
        this.#chance(0.3) && {
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: this.#one(NAMES), value: "gw" }] },
        },
        this.#chance(0.3) && {
          type: "ResponseHeaderModifier",
          responseHeaderModifier: { add: [{ name: "x-served", value: "gw" }] },
        },
        !redirects && this.#chance(0.2) && { type: "URLRewrite", urlRewrite: { hostname: "gw.example" } },
        redirects && { type: "RequestRedirect", requestRedirect: { hostname: "gw.example", statusCode: 301 } },
      ].filter(Boolean);
      return {
        matches: this.#many(1, 2, () => ({
          path: { type: this.#one(["Exact", "PathPrefix"]), value: this.#one(["/", "/api", "/api/v1", "/old"]) },
          ...(this.#chance(0.3) && { headers: [{ name: this.#one(NAMES), value: this.#one(["ann", "bob"]) }] }),
        })),
        filters,
        ...(!redirects && {
          backendRefs: this.#many(1, 2, () => ({
            name: this.#one([...HOSTS, "missing"]),
            port: 80,
            weight: this.#one([1, 3]),
          })),
        }),
      };
    });
    return {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "gateway", namespace: "shop" },
      spec: { parentRefs: [{ group: "", kind: "Service", name: this.#one(HOSTS), port: 80 }], rules },
    };
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #one<Item>(items: readonly Item[]): Item {
    return items[this.#random.int(items.length)]!; // never empty
  }

  #many<Item>(least: number, most: number, make: () => Item): Item[] {
    return Array.from({ length: least + this.#random.int(most - least + 1) }, make);
  }
}
