/**
 * How it looks when it is right: for each example of ./problem-help.ts the same documents put right, judged by a test. Where
 * no document shows the problem, the command or the setting that ends it. A list, so it is longer than other files.
 */

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
import { GOOD_SECURITY_DOCUMENTS } from "./security-problem-help.js";
import { GOOD_TELEMETRY_DOCUMENTS } from "./telemetry-problem-help.js";

const API = "    - match: [{ uri: { prefix: /api } }]\n      route: [{ destination: { host: reviews } }]\n";
const PLAIN = `${REVIEWS}---\n${virtualService(TO_REVIEWS)}`;
const MATCH_FIRST = virtualService(API + TO_REVIEWS);
const CA = "tls: { mode: SIMPLE, caCertificates: /etc/ssl/roots.pem }";
const REVIEWS_SERVICE = "{ group: '', kind: Service, name: reviews }";
const forFront = (yaml: string): string => yaml.replace("  http:", "  gateways: [front]\n  http:");

/** Documents. */
export const GOOD_DOCUMENTS: Readonly<Record<string, string>> = {
  IST0106: virtualService("    - timeout: 2s\n      route: [{ destination: { host: reviews } }]\n"),
  IST0002: virtualService(
    "    - fault: { delay: { percentage: { value: 10 }, fixedDelay: 1s } }\n      route: [{ destination: { host: reviews } }]\n",
  ),
  IST0101: `${REVIEWS}---\n${destinationRule("reviews", "  subsets: [{ name: v1, labels: { version: v1 } }]\n")}---\n${virtualService("    - route: [{ destination: { host: reviews, subset: v1 } }]\n")}`,
  IST0109: virtualService(API + TO_REVIEWS),
  IST0110: `${sidecar("a", "  workloadSelector: { labels: { app: web } }\n")}---\n${sidecar("b", "  workloadSelector: { labels: { app: reviews } }\n")}`,
  IST0111: `${sidecar("a", "")}---\n${sidecar("b", "  workloadSelector: { labels: { app: web } }\n")}`,
  IST0112: `${REVIEWS.replace("protocol: HTTP }]", "protocol: HTTP }, { number: 9090, name: http-admin, protocol: HTTP }]")}---\n${virtualService("    - route: [{ destination: { host: reviews, port: { number: 80 } } }]\n")}`,
  IST0127: `${meshMode("calm").trimEnd().replace("{ mode: observe }", "{ mode: observe, selector: { matchLabels: { app: web } } }")}\n`,
  IST0128: destinationRule("reviews", `  trafficPolicy: { ${CA} }\n`),
  IST0129: destinationRule("reviews", `  trafficPolicy:\n    portLevelSettings: [{ port: { number: 443 }, ${CA} }]\n`),
  IST0130: MATCH_FIRST,
  IST0131: virtualService(
    `    - match: [{ uri: { prefix: /api/v2 } }]\n      route: [{ destination: { host: reviews } }]\n${API}`,
  ),
  IST0132: `${gateway('"*"')}---\n${forFront(virtualService(TO_REVIEWS))}`,
  IST0133: sidecar("web", "  workloadSelector: { labels: { app: web } }\n"),
  IST0134: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: shop }
spec:
  hosts: [db.example.com]
  addresses: [10.9.0.4]
  ports: [{ number: 5432, name: tcp, protocol: TCP }]
  resolution: NONE
`,
  IST0151: envoyFilter("HTTP_FILTER", "{ operation: INSERT_BEFORE, value: { name: limits } }", "  priority: 10\n"),
  IST0152: envoyFilter("CLUSTER", "{ operation: MERGE, value: { name: limits } }"),
  IST0153: envoyFilter("HTTP_ROUTE", "{ operation: MERGE, value: { name: limits } }"),
  IST0154: envoyFilter("CLUSTER", "{ operation: REMOVE }", "  priority: 10\n"),
  IST0155: envoyFilter("HTTP_FILTER", "{ operation: INSERT_AFTER, value: { name: limits } }", "  priority: 10\n"),
  IST0165: `${gateway('"*"')}---\n${forFront(virtualService(TO_REVIEWS))}`,
  IST0173: `${REVIEWS}---\n${destinationRule("reviews", "  subsets: [{ name: v1, labels: { version: v1 } }]\n")}`,
  IST0174: `${REVIEWS}---\n${destinationRule("reviews", "")}`,
  IM0001: PLAIN,
  IM0002: virtualService(TO_REVIEWS),
  IM0003: REVIEWS,
  IM0004: virtualService(TO_REVIEWS),
  IM0005: virtualService(TO_REVIEWS),
  IM0201: destinationRule("reviews", "  trafficPolicy: { loadBalancer: { simple: RANDOM } }\n"),
  IM0301: virtualService(
    '    - headers: { request: { set: { x-caller: "%REQ(x-app)%" } } }\n      route: [{ destination: { host: reviews } }]\n',
  ),
  IM0302: PLAIN,
  IM0303: virtualService(API + TO_REVIEWS),
  IM0304: `${REVIEWS}---\n${destinationRule("reviews", "  subsets: [{ name: v1, labels: { version: v1 } }]\n")}`,
  IM0305: meshMode("calm"),
  IM0311: `${REVIEWS}---\n${circuitBreaker("reviews")}`,
  IM0312: `${circuitBreaker("calm")}---\n${circuitBreaker("eager", "{ host: reviews, subset: v2 }")}`,
  IM0313: `${REVIEWS}---\n${rateLimit("shop")}`,
  IM0314: `${REVIEWS}---\n${virtualService(TO_PORT_80)}---\n${sidecarOf("{ number: 80, name: http, protocol: HTTP }")}`,
  IM0306: MATCH_FIRST,
  IM0307: destinationRule(
    "reviews",
    `  subsets:\n    - name: v1\n      labels: { version: v1 }\n      trafficPolicy: { ${CA} }\n`,
  ),
  IM0308: `${REVIEWS}---\n${httpRoute(REVIEWS_SERVICE)}`,
  IM0309: `${REVIEWS}---\n${httpRoute(REVIEWS_SERVICE)}`,
  IM0310: `${REVIEWS}---\n${httpRoute(REVIEWS_SERVICE)}`,
  IM0701: virtualService(TO_REVIEWS),
  ...GOOD_SECURITY_DOCUMENTS,
  ...GOOD_TELEMETRY_DOCUMENTS,
};

/** What to type, where no document shows the problem. */
export const GOOD_ELSEWHERE: Readonly<Record<string, string>> = {
  IM0006: "inmesh validate reviews.yaml -o json    # what to put into the report",
  IM0702: "chmod u+r mesh/reviews.yaml",
  IM0703: "rm mesh/.workloads/shop.web.1.yaml",
  IM0704: "chmod u+rwx mesh/.workloads",
  IM0705: "INMESH_CONFIG=./mesh/policy node server.js",
  IM0706: 'chmod -R go-rwx "$INMESH_STATE_DIR"',
  IM0707: "INMESH_STATE_DIR=/var/lib/reviews node server.js",
  IM0708: "inmesh analyze mesh/",
  IM0709: "sysctl fs.inotify.max_user_watches=524288",
  IM0720: "consul acl policy update -name reviews -rules @reviews.hcl",
  IM0721: "inmesh apply -f mesh/reviews.yaml",
  IM0730: "consul config write web.hcl",
  IM0731: "inmesh delete virtualservice/web",
  IM0741: "inmesh status",
  IM0742: "inmesh status",
  IM0743: "inmesh status",
  IM0713: "chown -R $(id -u) mesh/.history",
};
