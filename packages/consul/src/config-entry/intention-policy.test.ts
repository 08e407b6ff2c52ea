import { seededRandom } from "@inmesh/core/testing";
import {
  type AccessControl,
  type AccessRequest,
  compile,
  documentFromValue,
  parseSpiffeId,
  spiffeId,
  validateDocument,
} from "@inmesh/model";
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

/** Whom the process of `web` lets in by its AuthorizationPolicy: the engine that decides in it. */
function accessOf(spec: Readonly<Record<string, unknown>> | undefined): AccessControl {
  const value = {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "web", namespace: "default" },
    spec,
  };
  const resources = (spec === undefined ? [] : documentFromValue(value).documents).map((document) => {
    const { resource, problems } = validateDocument(document);
    return resource ?? expect.fail(JSON.stringify(problems));
  });
  const client = { service: "web", namespace: "default", labels: { app: "web" } };
  return compile({ resources, workloads: [], client, problems: [], version: 1 }).security.access;
}

function accessRequest({ from, path, method, headers }: Request): AccessRequest {
  return {
    http: { method, path, target: path, authority: "web", header: (name) => headers[name] },
    peer: from === "" ? undefined : parseSpiffeId(spiffeId("cluster.local", "default", from)),
    ...{ sourceIp: "10.0.0.1", remoteIp: "10.0.0.1", destinationIp: "10.0.0.2", port: 80, sni: "" },
  };
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
        const access = accessOf(policy?.spec);
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
          const { allowed } = access.decide(accessRequest(request));
          const wanted = consulAllows(request, "web", intentions, otherwise === "allow");
          expect([JSON.stringify({ request, intentions, spec: policy?.spec }), allowed]).toEqual([
            expect.anything(),
            wanted,
          ]);
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
    const allows = (action: "allow" | "deny", otherwise: "allow" | "deny") =>
      accessOf(intentionPolicy("web", { intentions: all(action), otherwise, nameOf })?.spec).decide(
        accessRequest(anonymous),
      ).allowed;
    expect(allows("deny", "allow")).toBe(false);
    expect(allows("allow", "deny")).toBe(false);
  });
});
