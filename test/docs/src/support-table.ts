/**
 * Generates docs/reference/support.md: whoever makes a field work deletes its row from the table of those that are not
 * honoured, gives it one with its proof, and runs `INMESH_UPDATE_DOCS=1 npm test -w @inmesh-test/docs`.
 */

import { KINDS, type Kind } from "@inmesh/model";
import { NOT_HONOURED_FIELDS } from "@inmesh/model/internal";
import { consulTable } from "./consul-fields.js";
import { canonical, fieldsByKind, isBelow } from "./support-fields.js";
import { FIELD_ROWS, type FieldRow, PROOFS, type Proof } from "./support-proofs.js";

/** What the kinds do here, beyond their fields. */
const WHAT: Readonly<Record<(typeof KINDS)[number], string>> = {
  VirtualService:
    "Rules for clients in the mesh (`gateways` empty or with `mesh`): hosts and their precedence, every match, weights, rewrite, redirect, direct response, header operations, timeout, retries, faults, CORS, delegates, exportTo.",
  DestinationRule:
    "Lookup by level, subsets by labels and by `topology.kubernetes.io/region` and `zone`, `topology.istio.io/subzone` and `network`, port-level settings, ROUND_ROBIN, RANDOM, LEAST_REQUEST, PASSTHROUGH, consistentHash, localities, zones and warm-up ([load balancing](../guides/load-balancing.md)), connectTimeout, idleTimeout, maxRequestsPerConnection, maxConnectionDuration, tcpKeepalive.time, HTTP/2 to endpoints ([connections](resilience.md#connections)), tls of mode SIMPLE with sni, subjectAltNames, caCertificates, caCrl and insecureSkipVerify ([external services](../guides/external-services.md#tls-to-the-service)), exportTo, workloadSelector. The annotation `inmesh.dev/load-balancer: PEAK_EWMA` chooses the latency-aware balancer.",
  ServiceEntry:
    "Every resolution: STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS and NONE; endpoints or workloadSelector; addresses, ports, exportTo, subjectAltNames. Several of one namespace for one host are one service. Names are looked up by the calling process, when it first calls, and again by their TTL: [external services](../guides/external-services.md).",
  WorkloadEntry:
    "Address, ports, labels (those of the document before those of the spec), weight, locality (or the label `istio-locality`), serviceAccount.",
  WorkloadGroup: "Validated.",
  Sidecar:
    "workloadSelector, egress hosts with exclusions, by port; outboundTrafficPolicy. What rules send to comes along with them, but is not called by its own name.",
  MeshConfig:
    "As `mesh.yaml`. Trust domains are taken in lower case. Fields that concern a proxy only are named by `analyze`.",
  Service:
    "Ports with protocol by name or appProtocol, selector, clusterIP, type ExternalName, annotations for exportTo. The annotation `inmesh.dev/service-accounts: cart, back/stock` names accounts under which its processes may run, beside its own name.",
  Namespace:
    'Known by name. The annotation `inmesh.dev/ignore-path-case: "true"` makes the rules about its workloads compare paths without case; in the root namespace those of the whole mesh.',
  HTTPRoute:
    "Of Gateway API, `gateway.networking.k8s.io/v1` and `v1beta1`: parents that are a Service or a ServiceEntry, by port or sectionName; rules of the service's namespace for everybody, of the caller's namespace for itself; every match in the order of the specification (expressions before prefixes), weights, header modifiers, redirect, rewrite, mirrors, CORS, timeouts, retry. A backend that does not exist gets its share a 500. Never merged with a VirtualService (IM0308). Filters of one backend may change headers only; ExtensionRef and ExternalAuth are refused.",
  GRPCRoute:
    "Of Gateway API, `gateway.networking.k8s.io/v1`: parents, namespaces, weights, header modifiers and mirrors as of an HTTPRoute; matches by service and method, exact or by expression, and by headers. A method is the path `/package.Service/Method`, so the rules hold for every HTTP request with that path. One list with the HTTPRoutes of its host, as in Istio. A backend that does not exist gets its share a 503, which gRPC calls UNAVAILABLE.",
  MeshMode:
    "Ours: `off`, `observe` and `on` for the mesh (root namespace), a namespace, or workloads by selector; the narrowest holds.",
  CircuitBreaker:
    "Ours: when callers of a host stop calling it for a while, and what they get instead ([resilience](resilience.md)). The caller's namespace, the host's and the root namespace may speak, the first that does holds.",
  Resilience:
    "Ours: what Istio has no field for ([resilience](resilience.md)). All but `server` is for the callers of a host, found as a CircuitBreaker is; `server` is for its own processes, and only their namespace and the root namespace may write it.",
  RateLimit:
    "Ours: how many requests the processes of a host take, each by itself, or all together by Envoy's rate limit service ([resilience](resilience.md)). Their namespace and the root namespace may write it; all of them hold.",
  PeerAuthentication:
    "DISABLE, PERMISSIVE and STRICT for the mesh (root namespace), a namespace, a workload by selector, and its ports; the oldest of a scope holds. Callers go by those of the mesh and of the service's namespace.",
  RequestAuthentication:
    "All that mean a workload, together: those of the root namespace and of its own, by selector. Documents with targetRefs are for gateways and waypoints, which there are none of.",
  Telemetry:
    "Tracing, metrics and access log of the calls and the requests of a workload: the root namespace's, its own namespace's, those that select it. Expressions are a part of CEL ([telemetry](telemetry.md)). Documents with targetRefs are for gateways and waypoints, which there are none of.",
  AuthorizationPolicy:
    'Those of the root namespace and of the workload\'s own, by selector. Documents with targetRefs are for gateways and waypoints, which there are none of. The annotation `istio.io/dry-run` tries an ALLOW or a DENY without effect, `inmesh.dev/ignore-path-case: "true"` says that the application ignores the case of paths ([guide](../guides/authorization.md)).',
};

/** The row that speaks of a field: its own, or the longest path that fits. Undefined where the field is not honoured. */
export function rowOf(kind: Kind, field: string): FieldRow | undefined {
  const own = FIELD_ROWS[kind].find(({ path }) => path === field);
  if (own !== undefined) return own;
  const isNot = (path: string) => isBelow(field, canonical(kind, path));
  if (NOT_HONOURED_FIELDS.some((other) => other.kind === kind && isNot(other.path))) return undefined;
  const fitting = FIELD_ROWS[kind].filter(({ path }) => isBelow(field, path));
  return fitting.reduce<FieldRow | undefined>(
    (best, row) => (best && best.path.length >= row.path.length ? best : row),
    undefined,
  );
}

export function supportTable(): string {
  const fields = fieldsByKind();
  const sections = KINDS.map((kind) => {
    const told = NOT_HONOURED_FIELDS.filter((field) => field.kind === kind);
    // The same block of a DestinationRule stands there for the service, a subset and a port.
    const refused = new Map(told.map(({ path, consequence }) => [canonical(kind, path), consequence]));
    for (const { path } of FIELD_ROWS[kind]) refused.delete(path); // honoured for some of its values
    const lines = [
      ...FIELD_ROWS[kind].map((row) =>
        honoured(
          row,
          (fields.get(kind) ?? []).filter((field) => rowOf(kind, field) === row),
        ),
      ),
      ...[...refused].map(
        ([path, consequence]) => `| \`${path}\` | no | ${consequence} | ${link("analyze names it")} |`,
      ),
    ];
    return `## ${kind}\n\n${WHAT[kind]}\n\n| field | here | | proof |\n|---|---|---|---|\n${lines.join("\n")}\n`;
  });
  return `# Support table

Generated by \`test/docs/src/support-table.ts\` from the schemas, from \`test/docs/src/support-proofs.ts\` and from
\`packages/model/src/validate/not-honoured-field.ts\`; a test compares, and looks whether each proof has the field.

Every field is validated as Istio validates it. **yes**: it does here what it does there. **differs**: it is honoured in another
way, or in part. **no**: it is accepted, changes what the third column says, and is named by \`inmesh analyze\` (IM0201) with
file and line. **refused**: the document is not applied, and the message says why. **no effect**: there is nothing here that it
could change. A document of a kind that is not listed is named too (IM0004); a security kind is an error, because ignoring it
would open a door.

${sections.join("\n")}
${consulTable()}
## Wanted differences

- Under auto mTLS a process that registered itself is a member of the mesh, whatever its labels say; \`security.istio.io/tlsMode\` counts
  on WorkloadEntries and endpoints of ServiceEntries, which people write. What a process says of its own account has no say in who may serve a service.
- A process without an identity calls in plaintext under auto mTLS, as a client without a sidecar does.
- A jwtRule without issuer is taken beside a jwksUri, and \`presence: REQUIRED\` is honoured, as by newer versions of Istio. A rule with both jwks and
  jwksUri is refused, as by its CRD.
- A POST or PATCH is retried only when nothing of it was sent, or when it carries \`idempotency-key\`. Envoy retries any method.
- An answer with \`x-envoy-overloaded\` is not retried, and \`grpc-status\` counts in answers to calls of gRPC only. Envoy heeds the
  first nowhere and the second everywhere.
- An idempotent request on a kept-alive connection that the peer had closed is sent again at once, without spending a retry.
- An endpoint that refuses connections is avoided for 0.5 s, doubling to 10 s, while another one is left.
- Host selection for a retry prefers an endpoint not tried yet over the fifth random pick.
- \`x-envoy-attempt-count\` is sent from the second attempt on.
- A destination without a port, whose service has only one, means that one, as Istio's reference says. istiod 1.26 takes the port that
  the caller addressed, and the call gets 503 when that is another.
- A host that only a VirtualService names is routed on every port, not on 80 alone.
- A route of Gateway API that a namespace wrote for its own callers leaves everybody else's rules alone. Istio takes a VirtualService that
  means the host by a wildcard away from them.
- A name that had addresses and has none must say so twice, 5 s apart, before its endpoints go. After a failed lookup it is asked for again
  after 1 s, doubling to \`dnsRefreshRate\`. On a machine with both IPv4 and IPv6 both are asked for.
- A 204 direct response is sent without a body, and one of 201 or 3xx without the \`location\` that Envoy makes of the request's own URL:
  whoever followed it came back.
- A full name with a dot at its end, \`reviews.shop.svc.cluster.local.\`, is its service, as to newer versions of Istio.
- \`remoteIpBlocks\` and \`remote.ip\` believe \`x-forwarded-for\` only as far as \`numTrustedProxies\` says: 0, where Istio's sidecars
  take its last entry from whoever calls.
- Values of \`headers\` understand Envoy's \`%REQ(…)%\`, \`%PROTOCOL%\` and \`%%\`. Its other commands are sent as they are written (IM0301).
- Lines of \`accept\`, \`content-type\`, \`authorization\` and \`user-agent\` that come several times are matched one by one, where Envoy joins
  them; text beyond ASCII is compared by characters, where Envoy compares bytes.
- \`~/*\` beside other hosts of a Sidecar's listener excludes everything, as in newer versions.
- A VirtualService's host in capitals means the name in small letters. An address \`::ffff:a.b.c.d\` in a block means \`a.b.c.d\`.
- A path with \`%00\` is not refused on the caller's side: a server with policy refuses it.
- \`tls.sni\` without any subjectAltNames: the certificate must be for that name. Istio takes any certificate of a known authority then.
- \`tls.credentialName\` without a workloadSelector: calls fail. Istio's sidecars ignore the whole block and send in plaintext.
- The server name of a TLS connection is the host that the request is addressed to, or what a rule rewrites it to; a Host header of the
  application's own does not count. \`caCertificates\` that are empty mean the roots of Node, NODE_EXTRA_CA_CERTS included, not the system's.
`;
}

/** `uri` and its `exact`, `prefix`, `regex` in one line. */
function honoured({ path, proofs, verdict = "yes", how = "" }: FieldRow, fields: readonly string[]): string {
  const parts = fields
    .map((field) => field.slice(path.length).replace(/^\./, ""))
    .filter((part) => part !== "" && part !== "[]");
  const below = parts.length === 0 ? "" : `: ${parts.map((part) => `\`${part}\``).join(", ")}`;
  return `| \`${path}\`${below} | ${verdict} | ${how} | ${proofs.map(link).join(", ")} |`;
}

function link(proof: Proof): string {
  const file = proof.startsWith("golden/") ? `packages/model/test/${proof}.yaml` : PROOFS[proof as keyof typeof PROOFS];
  return `[${proof}](../../${file})`;
}
