/** What `inmesh help IM0801` and its like say: problems of security policy, each with documents that have it and documents put right. */

import { SET_PROBLEM_CODES } from "@inmesh/model";
import { destinationRule, REVIEWS } from "./example-documents.js";
import type { ProblemHelp } from "./problem-help.js";

const OURS: Readonly<Record<string, string>> = SET_PROBLEM_CODES;

function security(kind: string, spec: string, namespace = "shop", name = "reviews"): string {
  return `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec:\n${spec}`;
}

const peer = (spec: string, namespace?: string, name?: string): string =>
  security("PeerAuthentication", spec, namespace, name);
const policy = (spec: string): string => security("AuthorizationPolicy", spec);
const service = (accounts: string): string => `apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop, annotations: { inmesh.dev/service-accounts: "${accounts}" } }
spec: { ports: [{ name: http, port: 80 }], selector: { app: reviews } }
`;

const SELECTED = "  selector: { matchLabels: { app: reviews } }\n";
const STRICT = "  mtls: { mode: STRICT }\n";
const EVERYBODY = "  rules: [{}]\n";
const FROM_WEB = "  rules:\n    - from: [{ source: { principals: [cluster.local/ns/shop/sa/web] } }]\n";
const ASK = "  action: CUSTOM\n  provider: { name: ask }\n  rules: [{}]\n";
const INTERNAL = REVIEWS.replace("  resolution:", "  location: MESH_INTERNAL\n  resolution:");
const WITH_TOKEN = policy('  rules:\n    - from: [{ source: { requestPrincipals: ["*"] } }]\n');
const ISSUER = "  jwtRules: [{ issuer: https://accounts.example.com }]\n";

interface Entry extends Omit<ProblemHelp, "when" | "message"> {
  readonly yaml: string;
  readonly good: string;
}

const ENTRIES: Readonly<Record<string, Entry>> = {
  IM0801: {
    severity: "warning",
    remedy: "Write a selector in place of the targets, or keep the document for a gateway that reads it, too.",
    yaml: policy(`  targetRefs: [{ group: "", kind: Service, name: reviews }]\n${EVERYBODY}`),
    good: policy(SELECTED + EVERYBODY),
  },
  IM0802: {
    severity: "info",
    remedy: "Nothing, where everything is meant to be refused that no other policy allows. Else write rules.",
    yaml: policy("  action: ALLOW\n"),
    good: policy(FROM_WEB),
  },
  IM0803: {
    severity: "warning",
    remedy: "Name whom or what the rule is for, or remove the field. A policy that lets nobody in has no rules at all.",
    yaml: policy("  rules: [{ from: [] }]\n"),
    good: policy(FROM_WEB),
  },
  IM0804: {
    severity: "warning",
    remedy: "Write it in the namespace of the workloads that it selects.",
    yaml: peer(SELECTED + STRICT, "istio-system"),
    good: peer(SELECTED + STRICT),
  },
  IM0805: {
    severity: "warning",
    remedy: "Keep one of the two. They are never merged.",
    yaml: `${peer(STRICT)}---\n${peer("  mtls: { mode: PERMISSIVE }\n", "shop", "lenient")}`,
    good: peer(STRICT),
  },
  IM0806: {
    severity: "warning",
    remedy:
      "Callers go by the mode of the namespace and of the mesh. Tell them by a DestinationRule with tls.mode DISABLE, or write PERMISSIVE, which takes both.",
    yaml: peer(`${SELECTED}  mtls: { mode: DISABLE }\n`),
    good: peer(`${SELECTED}  mtls: { mode: PERMISSIVE }\n`),
  },
  IM0807: {
    severity: "warning",
    remedy: "Remove the tls block, and members of the mesh are called over mTLS, or write mode ISTIO_MUTUAL.",
    yaml: `${INTERNAL}---\n${peer(STRICT)}---\n${destinationRule("reviews", "  trafficPolicy: { tls: { mode: DISABLE } }\n")}`,
    good: `${INTERNAL}---\n${peer(STRICT)}---\n${destinationRule("reviews", "  trafficPolicy: { tls: { mode: ISTIO_MUTUAL } }\n")}`,
  },
  IM0808: {
    severity: "error",
    remedy: "Define the provider in mesh.yaml, under extensionProviders, with envoyExtAuthzHttp, or correct its name.",
    yaml: policy(ASK),
    good: `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
extensionProviders: [{ name: ask, envoyExtAuthzHttp: { service: authz.shop.svc.cluster.local, port: 8000 } }]
---
${policy(ASK)}`,
  },
  IM0809: {
    severity: "warning",
    remedy:
      "Write a RequestAuthentication that names the issuer of the tokens. Without one nobody has a principal by token.",
    yaml: WITH_TOKEN,
    good: `${security("RequestAuthentication", ISSUER)}---\n${WITH_TOKEN}`,
  },
  IM0810: {
    severity: "warning",
    remedy: "Write accounts of the Service's namespace, or namespace/account, with commas between them.",
    yaml: service("reviews*"),
    good: service("reviews, back/reviews"),
  },
};

const entries = Object.entries(ENTRIES);

export const SECURITY_PROBLEM_HELP: Readonly<Record<string, ProblemHelp>> = Object.fromEntries(
  entries.map(([code, { good: _, ...help }]) => [code, { when: OURS[code] ?? "", ...help }]),
);

export const GOOD_SECURITY_DOCUMENTS: Readonly<Record<string, string>> = Object.fromEntries(
  entries.map(([code, { good }]) => [code, good]),
);
