/** Real Istio's decisions under random AuthorizationPolicies (../shared/cases/istio-authz.json). */

import { type Claims, compile } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { readCaseFile, resourcesOf, whyMissing } from "../testing/recorded-cases.test.helper.js";
import { authorize } from "./authorize.js";

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
