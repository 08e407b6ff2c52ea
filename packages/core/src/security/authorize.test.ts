/** Real Istio's decisions under random AuthorizationPolicies (../shared/cases/istio-authz.json). */

import { type Claims, compile } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { readCaseFile, resourcesOf, whyMissing } from "../testing/recorded-cases.test.helper.js";
import { type AuthorizeRequest, authorize } from "./authorize.js";

interface RecordedCase {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly host: string;
    readonly port: number;
    readonly ip: string;
    readonly principal?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly jwt?: Claims;
  };
  readonly expect: {
    readonly allow: boolean;
    readonly status?: number;
    readonly path?: string;
    readonly handshake?: false;
  };
}

interface RecordedGroup {
  readonly id: string;
  readonly rootNamespace: string;
  readonly workload: {
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly serviceAccount: string;
    readonly ip: string;
  };
  readonly policies: readonly unknown[];
  readonly cases: readonly RecordedCase[];
}

const FILE = "istio-authz.json";
const missing = whyMissing(FILE);

/** In force when the answers were recorded; keys do not matter here. */
const TOKENS = {
  apiVersion: "security.istio.io/v1",
  kind: "RequestAuthentication",
  metadata: { name: "tokens", namespace: "istio-system" },
  spec: { jwtRules: ["iss-a", "iss-b"].map((issuer) => ({ issuer, jwksUri: `https://${issuer}.test/keys` })) },
};

describe("authorize", () => {
  it.skipIf(missing !== undefined)(
    `decides as Istio did${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    () => {
      const { groups } = readCaseFile<{ groups: readonly RecordedGroup[] }>(FILE);
      const wrong: string[] = [];
      let judged = 0;
      for (const { id, workload, policies, cases } of groups) {
        const snapshot = compile({
          resources: resourcesOf([...policies, TOKENS]),
          workloads: [],
          client: { service: "cart", ...workload },
          problems: [],
          version: 1,
        });
        for (const { request, expect: wanted } of cases) {
          const { ip, jwt, ...rest } = request;
          const answer = authorize(snapshot, {
            ...rest,
            sourceIp: ip,
            destinationIp: workload.ip,
            ...(jwt && { claims: jwt }),
          });
          judged += 1;
          const same =
            answer.allowed === wanted.allow &&
            (wanted.status === undefined || answer.status === wanted.status) &&
            (wanted.path === undefined || answer.path === wanted.path);
          if (!same) wrong.push(`${id}: ${JSON.stringify({ request, wanted, answer })}`);
        }
      }
      expect(wrong.slice(0, 3)).toEqual([]);
      expect([judged, wrong.length]).toEqual([4_620, 0]);
    },
  );
});

/** As Istio 1.26 with Envoy 1.40 decided, over HTTP/1.1. */
describe("conditions on headers, pseudo headers too", () => {
  it.each<[string, string, Partial<AuthorizeRequest>, boolean]>([
    [":path", "/a", { path: "/a" }, true],
    [":path", "/a", { path: "/a?x=1" }, false],
    [":path", "/a?x=1", { path: "/b/../a?x=1" }, true],
    [":method", "G*", {}, true],
    [":method", "G*", { method: "POST" }, false],
    ["Host", "cart", {}, true],
    ["host", "CART:80", { host: "CART:80" }, true],
    [":authority", "cart*", { host: "CART" }, false],
    [":scheme", "http", {}, true],
    [":scheme", "https", { principal: "cluster.local/ns/shop/sa/web" }, true],
    [":scheme", "https", { headers: { "x-forwarded-proto": "HTTPS" } }, true],
    [":scheme", "http", { headers: { "x-forwarded-proto": "junk" } }, true],
    ["x-forwarded-proto", "http", {}, true],
    ["x-user", "*", { headers: { "x-user": "" } }, true],
    ["x-user", "*", {}, false],
    ["x-user", "b*", { headers: { "x-user": "" } }, false],
    ["x-forwarded-proto", "https", { headers: { "x-forwarded-proto": "HTTPS" } }, false],
  ])("a DENY where %s is %s, asked by %j: denies %s", (name, value, asked, denied) => {
    const rules = [{ when: [{ key: `request.headers[${name}]`, values: [value] }] }];
    const policy = {
      ...{ apiVersion: "security.istio.io/v1", kind: "AuthorizationPolicy" },
      ...{ metadata: { name: "p", namespace: "shop" }, spec: { action: "DENY", rules } },
    };
    const snapshot = compile({
      resources: resourcesOf([policy]),
      workloads: [],
      client: { service: "cart", namespace: "shop", labels: {} },
      problems: [],
      version: 1,
    });
    expect(authorize(snapshot, { host: "cart", port: 8080, ...asked }).allowed).toBe(!denied);
  });
});
