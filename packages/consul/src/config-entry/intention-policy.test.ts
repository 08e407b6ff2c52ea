import { seededRandom } from "@inmesh/core/testing";
import { describe, expect, it } from "vitest";
import type { Intention, IntentionSource, Permission, ValueMatch } from "./config-entry.js";
import { intentionPolicy } from "./intention-policy.js";

interface Request {
  readonly from: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Consul: the first intention that fits decides; permissions in order, and where none holds the default. */
function consulAllows(request: Request, to: string, intentions: readonly Intention[], otherwise: boolean): boolean {
  for (const destination of [to, "*"]) {
    for (const name of [request.from, "*"]) {
      const source = intentions
        .filter((each) => each.destination === destination)
        .flatMap(({ sources }) => sources)
        .find((each) => each.name === name && each.peer === "");
      if (source === undefined) continue;
      if (source.action !== undefined) return source.action === "allow";
      const permission = source.permissions.find((each) => holds(each, request));
      return permission === undefined ? otherwise : permission.action === "allow";
    }
  }
  return otherwise;
}

function holds({ pathExact, pathPrefix, methods, headers }: Permission, request: Request): boolean {
  if (pathExact !== undefined && request.path !== pathExact) return false;
  if (pathPrefix !== undefined && !request.path.startsWith(pathPrefix)) return false;
  if (methods.length > 0 && !methods.includes(request.method)) return false;
  return headers.every(({ name, kind, value, invert }) => {
    const found = request.headers[name];
    if (found === undefined) return kind === "present" && invert;
    const fits = {
      exact: found === value,
      prefix: found.startsWith(value),
      suffix: found.endsWith(value),
      present: true,
    };
    return fits[kind as "exact"] !== invert;
  });
}

type Rule = {
  readonly from?: readonly { readonly source: Readonly<Record<string, readonly string[]>> }[];
  readonly to?: readonly { readonly operation: Readonly<Record<string, readonly string[]>> }[];
  readonly when?: readonly {
    readonly key: string;
    readonly values?: readonly string[];
    readonly notValues?: readonly string[];
  }[];
};

/** Istio: policy-semantics §4.5. */
function istioMatches(rule: Rule, request: Request): boolean {
  const like = (patterns: readonly string[] | undefined, value: string): boolean =>
    patterns?.some((pattern) => {
      if (pattern === "*") return value !== "";
      if (pattern.startsWith("*")) return value.endsWith(pattern.slice(1));
      return pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern;
    }) ?? false;
  const all = (
    fields: Readonly<Record<string, readonly string[]>>,
    values: Readonly<Record<string, string>>,
  ): boolean =>
    Object.entries(fields).every(([field, patterns]) => {
      if (!field.startsWith("not")) return like(patterns, values[field] ?? "");
      return !like(patterns, values[field.charAt(3).toLowerCase() + field.slice(4)] ?? "");
    });
  const principals = request.from === "" ? "" : `cluster.local/ns/default/sa/${request.from}`;
  const fromFits = rule.from?.some(({ source }) => all(source, { principals })) ?? true;
  const toFits =
    rule.to?.some(({ operation }) => all(operation, { paths: request.path, methods: request.method })) ?? true;
  const whenFits = (rule.when ?? []).every(({ key, values, notValues }) => {
    const value = request.headers[/\[(.*)\]/.exec(key)?.[1] ?? ""] ?? "";
    return (values === undefined || like(values, value)) && !(notValues !== undefined && like(notValues, value));
  });
  return fromFits && toFits && whenFits;
}

describe("intentions as an AuthorizationPolicy", () => {
  it.each(["allow", "deny"] as const)(
    "let in whom Consul lets in, where the default is %s: 200 sets by chance",
    (otherwise) => {
      const random = seededRandom(7);
      const of = <T>(values: readonly T[]): T => values[random.int(values.length)]!; // none is empty
      const header = (): ValueMatch => ({
        ...{
          name: of(["x-a", "x-b"]),
          kind: of(["present", "exact", "prefix", "suffix"] as const),
          value: of(["1", "12", "2"]),
        },
        ...{ ignoreCase: false, invert: random.next() < 0.3 },
      });
      const permission = (): Permission => ({
        action: of(["allow", "deny"] as const),
        ...of<Pick<Permission, "pathExact" | "pathPrefix">>([
          { pathExact: "/a", pathPrefix: undefined },
          { pathExact: undefined, pathPrefix: of(["/", "/a", "/b"]) },
          { pathExact: undefined, pathPrefix: undefined },
        ]),
        ...{ pathRegex: undefined, needsToken: false, methods: random.next() < 0.4 ? [of(["GET", "PUT"])] : [] },
        headers: Array.from({ length: random.int(3) }, header),
      });
      const source = (name: string): IntentionSource => ({
        ...{ name, peer: random.next() < 0.1 ? "west" : "" },
        ...(random.next() < 0.6
          ? { action: of(["allow", "deny"] as const), permissions: [] }
          : { action: undefined, permissions: Array.from({ length: 1 + random.int(3) }, permission) }),
      });
      let denied = 0;
      for (let n = 0; n < 200; n++) {
        const intentions = ["web", "*"].map((destination): Intention => {
          const names = ["api", "job", "*"].filter(() => random.next() < 0.5);
          return { destination, sources: names.map(source), origin: destination };
        });
        const nameOf = (service: string) => ({ service, namespace: "default" });
        const policy = intentionPolicy("web", { intentions, otherwise, nameOf });
        const { rules = [] } = (policy?.spec ?? {}) as { readonly rules?: readonly Rule[] };
        for (let asked = 0; asked < 20; asked++) {
          const headers = Object.fromEntries(
            ["x-a", "x-b"].filter(() => random.next() < 0.6).map((name) => [name, of(["1", "12", "2"])]),
          );
          const request = {
            from: of(["api", "job", "other"]),
            path: of(["/a", "/ab", "/b", "/c"]),
            method: of(["GET", "PUT"]),
            headers,
          };
          const matched = rules.some((rule) => istioMatches(rule, request));
          const allowed = otherwise === "allow" ? !matched : matched;
          const wanted = consulAllows(request, "web", intentions, otherwise === "allow");
          expect([JSON.stringify({ request, intentions, rules }), allowed]).toEqual([expect.anything(), wanted]);
          if (!wanted) denied += 1;
        }
      }
      expect(denied).toBeGreaterThan(500);
    },
  );

  it("refuses who shows no identity where everybody is refused, and lets nobody in who shows none", () => {
    const all = (action: "allow" | "deny"): Intention[] => [
      { destination: "web", sources: [{ name: "*", peer: "", action, permissions: [] }], origin: "web" },
    ];
    const nameOf = (service: string) => ({ service, namespace: "default" });
    const anonymous = { from: "", path: "/", method: "GET", headers: {} };
    const rulesOf = (action: "allow" | "deny", otherwise: "allow" | "deny") =>
      (intentionPolicy("web", { intentions: all(action), otherwise, nameOf })?.spec["rules"] ?? []) as readonly Rule[];
    expect(rulesOf("deny", "allow").some((rule) => istioMatches(rule, anonymous))).toBe(true);
    expect(rulesOf("allow", "deny").some((rule) => istioMatches(rule, anonymous))).toBe(false);
  });
});
