/**
 * What `inmesh help IST0101` says, and the rows of docs/reference/problems.md: a test writes the page from here.
 * Every example in YAML is judged by a test and must lead to its code. A list, so it is longer than other files.
 */

import { DOCUMENT_PROBLEM_CODES, SET_PROBLEM_CODES } from "@inmesh/model";
import {
  circuitBreaker,
  destinationRule,
  envoyFilter,
  gateway,
  httpRoute,
  meshMode,
  REVIEWS,
  rateLimit,
  sidecar,
  sidecarOf,
  TO_PORT_80,
  TO_REVIEWS,
  virtualService,
} from "./example-documents.js";
import { REGISTRY_PROBLEM_HELP } from "./registry-problem-help.js";
import { SECURITY_PROBLEM_HELP } from "./security-problem-help.js";
import { TELEMETRY_PROBLEM_HELP } from "./telemetry-problem-help.js";

export interface ProblemHelp {
  /** As the page says it: some codes have more than one. */
  readonly severity: string;
  /** When it is reported: a phrase. */
  readonly when: string;
  /** Sentences. */
  readonly remedy: string;
  /** Documents that have the problem; ./good-example.ts has them put right; absent where no document can. */
  readonly yaml?: string;
  /** What is said, where no document can show it. */
  readonly message?: string;
}

const OURS: Readonly<Record<string, string>> = {
  ...DOCUMENT_PROBLEM_CODES,
  ...SET_PROBLEM_CODES,
};

/** What the table of the code says, and what the page adds to it. */
const ours = (code: string, more = ""): string => `${OURS[code] ?? ""}${more}`;

export const PROBLEM_HELP: Readonly<Record<string, ProblemHelp>> = {
  IST0106: {
    severity: "error",
    when: "a field is unknown or of the wrong type, or breaks one of Istio's validation rules",
    remedy: "The message names the field, what was found and what is expected. Correct it at the line it names.",
    yaml: virtualService("    - timeout: soon\n      route: [{ destination: { host: reviews } }]\n"),
  },
  IST0002: {
    severity: "warning",
    when: "a field that Istio's analyzer calls deprecated",
    remedy: "It still works. Replace it with the field that the message names.",
    yaml: virtualService(
      "    - fault: { delay: { percent: 10, fixedDelay: 1s } }\n      route: [{ destination: { host: reviews } }]\n",
    ),
  },
  IST0101: {
    severity: "error",
    when: "a VirtualService names a host, port, subset, delegate or Gateway that is not there (hosts and ports: only beside a registry)",
    remedy:
      "Correct the name, or define it: a subset in a DestinationRule, a host by a ServiceEntry or by starting its service.",
    yaml: `${REVIEWS}---\n${virtualService("    - route: [{ destination: { host: reviews, subset: v3 } }]\n")}`,
  },
  IST0109: {
    severity: "error",
    when: "several VirtualServices claim one host and can be seen together; the message names their files",
    remedy: "Merge them into one, keep them apart with exportTo, or use delegates.",
    yaml: `${virtualService(TO_REVIEWS)}---\n${virtualService(TO_REVIEWS).replace("name: reviews,", "name: reviews-too,")}`,
  },
  IST0110: {
    severity: "error",
    when: "several Sidecars select the same workloads; only one is used",
    remedy: "Merge them, or let their selectors choose different workloads.",
    yaml: `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1, namespace: shop, labels: { app: web } }
spec: { address: 10.1.0.9, labels: { app: web } }
---
${sidecar("a", "  workloadSelector: { labels: { app: web } }\n")}---\n${sidecar("b", "  workloadSelector: { labels: { app: web } }\n")}`,
  },
  IST0111: {
    severity: "error",
    when: "several Sidecars without a selector cover one namespace; only one is used",
    remedy: "Keep one for the namespace, and give the others a workloadSelector.",
    yaml: `${sidecar("a", "")}---\n${sidecar("b", "")}`,
  },
  IST0112: {
    severity: "error",
    when: "the destination has several ports and the rule names none",
    remedy: "Write the port: destination: { host: reviews, port: { number: 80 } }.",
    yaml: `${REVIEWS.replace("protocol: HTTP }]", "protocol: HTTP }, { number: 9090, name: http-admin, protocol: HTTP }]")}---\n${virtualService(TO_REVIEWS)}`,
  },
  IST0127: {
    severity: "warning",
    when: "a MeshMode selects by labels that no running process has (only beside a registry)",
    remedy: "Correct the labels, or start the processes. `inmesh mode` shows who runs which mode.",
    message:
      'IST0127 warning mode.yaml:5:5 no running process in namespace "shop" has the labels app=wbe: the mode holds for nobody',
  },
  IST0128: {
    severity: "warning",
    when: "TLS without caCertificates for a whole DestinationRule: the roots of Node are trusted, by Istio before 1.27 everybody; with insecureSkipVerify nobody checks who answers",
    remedy: "Name the file of the roots: tls: { mode: SIMPLE, caCertificates: /etc/ssl/roots.pem }.",
    yaml: destinationRule("reviews", "  trafficPolicy: { tls: { mode: SIMPLE } }\n"),
  },
  IST0129: {
    severity: "warning",
    when: "TLS without caCertificates for one port of a DestinationRule: the roots of Node are trusted, by Istio before 1.27 everybody; with insecureSkipVerify nobody checks who answers",
    remedy: "Name the file of the roots for that port: tls: { mode: SIMPLE, caCertificates: /etc/ssl/roots.pem }.",
    yaml: destinationRule(
      "reviews",
      "  trafficPolicy:\n    portLevelSettings: [{ port: { number: 443 }, tls: { mode: SIMPLE } }]\n",
    ),
  },
  IST0130: {
    severity: "warning",
    when: "a rule of a VirtualService can never be used: a second one without a match, or one whose matches all stand in earlier rules",
    remedy: "Delete it, or give it a match of its own.",
    yaml: virtualService(TO_REVIEWS + TO_REVIEWS),
  },
  IST0131: {
    severity: "info",
    when: "a match of a VirtualService is never used, because an earlier match covers it",
    remedy: "Put the narrower match first, or delete the later one.",
    yaml: virtualService(
      `    - match: [{ uri: { prefix: /api } }]\n  ${TO_REVIEWS.replace("- ", "")}`.replace(
        "      route",
        "      route",
      ) +
        "    - match: [{ uri: { prefix: /api } }, { uri: { prefix: /v2 } }]\n      route: [{ destination: { host: reviews } }]\n",
    ),
  },
  IST0132: {
    severity: "warning",
    when: "a VirtualService names a Gateway that has none of its hosts",
    remedy:
      "Add the host to a server of the Gateway, or correct the hosts of the rules. inmesh has no gateways: it says so for those who have.",
    yaml: `${gateway("api.example.com")}---\n${virtualService(TO_REVIEWS).replace("  http:", "  gateways: [front]\n  http:")}`,
  },
  IST0133: {
    severity: "warning",
    when: "Istio's validation warns: deprecated fields, selectors without labels, aborts without a status, TCP without addresses, any EnvoyFilter",
    remedy: "It is accepted. The message says what Istio advises instead.",
    yaml: sidecar("web", "  workloadSelector: { labels: {} }\n"),
  },
  IST0134: {
    severity: "warning",
    when: "a TCP port of a ServiceEntry without addresses, whatever its resolution",
    remedy: "Give the ServiceEntry addresses, or the port a protocol that names its host, such as HTTP or TLS.",
    yaml: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: shop }
spec:
  hosts: [db.example.com]
  ports: [{ number: 5432, name: tcp, protocol: TCP }]
  resolution: NONE
`,
  },
  IST0151: {
    severity: "warning",
    when: "an EnvoyFilter places a patch relative to others and has no priority",
    remedy: "Set priority. An EnvoyFilter has no effect in inmesh: this is for the proxies that read the same files.",
    yaml: envoyFilter("HTTP_FILTER", "{ operation: INSERT_BEFORE, value: { name: limits } }"),
  },
  IST0152: {
    severity: "error",
    when: "an EnvoyFilter uses REPLACE on something else than HTTP_FILTER or NETWORK_FILTER",
    remedy: "Use MERGE, or another applyTo.",
    yaml: envoyFilter("CLUSTER", "{ operation: REPLACE, value: { name: limits } }"),
  },
  IST0153: {
    severity: "error",
    when: "an EnvoyFilter uses ADD on ROUTE_CONFIGURATION or HTTP_ROUTE, which Istio ignores",
    remedy: "Use MERGE or INSERT_FIRST, or another applyTo.",
    yaml: envoyFilter("HTTP_ROUTE", "{ operation: ADD, value: { name: limits } }"),
  },
  IST0154: {
    severity: "error",
    when: "an EnvoyFilter uses REMOVE on ROUTE_CONFIGURATION or HTTP_ROUTE, which Istio ignores",
    remedy: "Use another operation or applyTo.",
    yaml: envoyFilter("ROUTE_CONFIGURATION", "{ operation: REMOVE }"),
  },
  IST0155: {
    severity: "warning",
    when: "an EnvoyFilter places a patch relative to one that is for some proxy versions only, and has no priority",
    remedy: "Set priority.",
    yaml: `${envoyFilter("HTTP_FILTER", "{ operation: ADD, value: { name: limits } }\n      match: { proxy: { proxyVersion: '1[.]26.*' } }")}    - applyTo: HTTP_FILTER\n      patch: { operation: INSERT_AFTER, value: { name: limits } }\n`,
  },
  IST0165: {
    severity: "warning",
    when: "a VirtualService names a Gateway that Istio makes by itself for one of Gateway API",
    remedy: "Use HTTPRoutes with Gateway API, or a Gateway of your own.",
    yaml: virtualService(TO_REVIEWS).replace(
      "  http:",
      "  gateways: [front-istio-autogenerated-k8s-gateway-default]\n  http:",
    ),
  },
  IST0173: {
    severity: "error",
    when: "a subset that none of its service's running workloads belongs to",
    remedy:
      "Start workloads with the labels of the subset, or correct the labels. `inmesh endpoints SERVICE -o wide` shows those that run.",
    message: 'IST0173 error reviews.yaml:8:7 subset "v3" of "reviews" selects none of its 2 workloads',
  },
  IST0174: {
    severity: "warning",
    when: "a DestinationRule for a host that is not there (only beside a registry)",
    remedy: "Correct the host, or start its service. `inmesh services` lists who is known.",
    message: 'IST0174 warning ratings.yaml:5:9 no service has the host "raitings". Did you mean "ratings"?',
  },
  IM0001: {
    severity: "error",
    when: ours("IM0001"),
    remedy: "Correct the YAML at the line the message names. The documents the file last held stay in force meanwhile.",
    yaml: "apiVersion: networking.istio.io/v1\nkind: [VirtualService\n",
  },
  IM0002: {
    severity: "error",
    when: ours("IM0002"),
    remedy: "Every document needs apiVersion, kind and metadata.name.",
    yaml: "apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: { hosts: [reviews] }\n",
  },
  IM0003: {
    severity: "warning, or error when the kind is almost one we know",
    when: ours("IM0003"),
    remedy: "Correct the kind, or leave the document to whom it belongs: inmesh passes it over.",
    yaml: "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: reviews, namespace: shop }\n",
  },
  IM0004: {
    severity: "error for security kinds, else warning",
    when: ours("IM0004"),
    remedy: "The document has no effect here. docs/reference/support.md lists what this version honours.",
    yaml: gateway("reviews.example.com"),
  },
  IM0005: {
    severity: "error",
    when: ours("IM0005"),
    remedy: "Nesting ends at 64 levels, and aliases may add 10,000 values. Write the document out, or split it.",
    yaml: `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: deep }\nspec: ${"[".repeat(70)}${"]".repeat(70)}\n`,
  },
  IM0006: {
    severity: "error",
    when: ours("IM0006", " (a fault of ours: please report it)"),
    remedy: "Report the document with the message; its last good version stays in force.",
    message: "IM0006 error reviews.yaml:1 inmesh failed while it judged this document: …",
  },
  IM0201: {
    severity: "warning",
    when: ours("IM0201"),
    remedy: "Do not rely on it: docs/reference/support.md lists the fields and what happens without them.",
    yaml: destinationRule("reviews", "  trafficPolicy: { proxyProtocol: { version: V1 } }\n"),
  },
  IM0301: {
    severity: "warning",
    when: ours("IM0301"),
    remedy: "The command is sent as it stands. Write a plain value, or a command that inmesh fills in.",
    yaml: virtualService(
      '    - headers: { request: { set: { x-cluster: "%UPSTREAM_CLUSTER%" } } }\n      route: [{ destination: { host: reviews } }]\n',
    ),
  },
  IM0302: {
    severity: "info; warning when another host is spelled almost so; error for ports",
    when: ours("IM0302"),
    remedy: "Nothing to do when the service starts later. Else correct the host, or declare it with a ServiceEntry.",
    yaml: virtualService("    - route: [{ destination: { host: ratings } }]\n"),
  },
  IM0303: {
    severity: "error",
    when: ours("IM0303"),
    remedy: "Hosts mean the same in any case: merge the two documents.",
    yaml: `${virtualService(TO_REVIEWS)}---\n${virtualService(TO_REVIEWS).replace("name: reviews,", "name: other,").replace("hosts: [reviews]", "hosts: [Reviews]")}`,
  },
  IM0304: {
    severity: "warning",
    when: ours("IM0304"),
    remedy: "Give endpoints of the ServiceEntry the labels of the subset, or correct the labels.",
    yaml: `${REVIEWS}---\n${destinationRule("reviews", "  subsets: [{ name: v3, labels: { version: v3 } }]\n")}`,
  },
  IM0305: {
    severity: "error",
    when: ours("IM0305"),
    remedy: "Keep one of the two. `inmesh mode` shows which one holds.",
    yaml: `${meshMode("calm")}---\n${meshMode("eager")}`,
  },
  IM0306: {
    severity: "warning",
    when: ours("IM0306"),
    remedy: "Move the rule without a match to the end. Istio after 1.26 reports such a rule as IST0130.",
    yaml: virtualService(
      `${TO_REVIEWS}    - match: [{ uri: { prefix: /api } }]\n      route: [{ destination: { host: reviews } }]\n`,
    ),
  },
  IM0314: {
    severity: "warning",
    when: ours("IM0314"),
    remedy: "Give the Sidecar a listener for that port, or one without a port, that has the host. istiod says nothing.",
    yaml: `${REVIEWS}---\n${virtualService(TO_PORT_80)}---\n${sidecarOf("{ number: 8080, name: http, protocol: HTTP }")}`,
  },
  IM0307: {
    severity: "warning",
    when: ours("IM0307"),
    remedy: "Name the file of the roots for the subset too: tls: { mode: SIMPLE, caCertificates: /etc/ssl/roots.pem }.",
    yaml: destinationRule(
      "reviews",
      "  subsets:\n    - name: v1\n      labels: { version: v1 }\n      trafficPolicy: { tls: { mode: SIMPLE } }\n",
    ),
  },
  IM0308: {
    severity: "warning",
    when: ours("IM0308"),
    remedy:
      "Write all rules of a host in one language. A VirtualService for some namespaces only comes first, then a route of the caller's namespace, then the older one.",
    yaml: `${REVIEWS}---\n${virtualService(TO_REVIEWS)}---\n${httpRoute("{ group: '', kind: Service, name: reviews }")}`,
  },
  IM0309: {
    severity: "warning; info for parents that are Gateways",
    when: ours("IM0309"),
    remedy: "Name the Service whose callers the route is for: { group: '', kind: Service, name: reviews }.",
    yaml: `${REVIEWS}---\n${httpRoute("{ name: front }")}`,
  },
  IM0310: {
    severity: "error",
    when: ours("IM0310"),
    remedy: "Name a Service, or a Hostname of group networking.istio.io.",
    yaml: `${REVIEWS}---\n${httpRoute("{ group: '', kind: Service, name: reviews }", "{ group: '', kind: Bucket, name: reviews, port: 80 }")}`,
  },
  IM0311: {
    severity: "warning",
    when: ours("IM0311", " (only beside a registry)"),
    remedy: "Correct the host, or declare it. `inmesh services` lists those that are known.",
    message:
      'IM0311 warning limits.yaml:5:9 "revews" (revews.shop.svc.cluster.local) is no Service, no ServiceEntry and no running process. The document has no effect now. Did you mean "reviews"?',
  },
  IM0312: {
    severity: "error",
    when: ours("IM0312"),
    remedy: "Keep one of the two, or give one of the CircuitBreakers a `subset`.",
    yaml: `${circuitBreaker("calm")}---\n${circuitBreaker("eager")}`,
  },
  IM0313: {
    severity: "warning",
    when: ours("IM0313"),
    remedy: "Write it in the namespace of the service, or in the root namespace.",
    yaml: `${REVIEWS}---\n${rateLimit("front")}`,
  },
  ...REGISTRY_PROBLEM_HELP,
  ...SECURITY_PROBLEM_HELP,
  ...TELEMETRY_PROBLEM_HELP,
};
