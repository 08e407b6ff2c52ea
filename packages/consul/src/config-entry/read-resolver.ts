/** service-resolver: which instances of a service are meant, and who stands in for them. */

import type {
  HashKey,
  LoadBalancer,
  NotHonoured,
  ResolverFailover,
  ResolverRedirect,
  ServiceResolver,
} from "./config-entry.js";
import type { Fields } from "./field.js";

const OTHER_CLUSTERS = ["Peer", "SamenessGroup"];

const POLICIES = ["random", "round_robin", "least_request", "ring_hash", "maglev"] as const;

/** Envoy's number of endpoints that are compared. */
const CHOICES = 2;

/** @throws {FieldFault} */
export function readResolver(name: string, fields: Fields): ServiceResolver {
  const notHonoured: NotHonoured[] = [];
  const failover = fields.map("Failover", (each) => readFailover(each, notHonoured));
  const redirect = fields.optional("Redirect");
  return {
    name,
    connectTimeoutMs: fields.durationMs("ConnectTimeout"),
    requestTimeoutMs: fields.durationMs("RequestTimeout"),
    defaultSubset: fields.text("DefaultSubset") ?? "",
    subsets: fields.map("Subsets", (subset) => ({
      filter: subset.text("Filter") ?? "",
      onlyPassing: subset.flag("OnlyPassing"),
    })),
    redirect: redirect && readTarget(redirect),
    failover,
    loadBalancer: readLoadBalancer(fields.optional("LoadBalancer"), notHonoured),
    byLocality: fields.optional("PrioritizeByLocality")?.text("Mode") === "failover",
    notHonoured,
  };
}

/** @throws {FieldFault} for one of another cluster, of whose services nothing is known here */
function readTarget(fields: Fields): ResolverRedirect {
  const [field] = fields.unread(OTHER_CLUSTERS);
  if (field !== undefined) throw fields.fault(field, "leads to another cluster, whose services are not known here");
  return {
    service: fields.text("Service") ?? "",
    subset: fields.text("ServiceSubset") ?? "",
    datacenter: fields.text("Datacenter") ?? "",
  };
}

function readFailover(fields: Fields, notHonoured: NotHonoured[]): ResolverFailover {
  for (const field of fields.unread(["SamenessGroup"])) notHonoured.push(elsewhere(`${fields.path}.${field}`));
  for (const field of fields.unread(["Policy"])) {
    notHonoured.push({ field: `${fields.path}.${field}`, why: "Targets are tried in the order written." });
  }
  const targets = fields.lists("Targets").flatMap((target) => {
    if (target.unread(OTHER_CLUSTERS).length === 0) return readTarget(target);
    notHonoured.push(elsewhere(target.path));
    return [];
  });
  return {
    service: fields.text("Service") ?? "",
    subset: fields.text("ServiceSubset") ?? "",
    datacenters: fields.texts("Datacenters"),
    targets,
  };
}

function elsewhere(field: string): NotHonoured {
  return { field, why: "Services of other clusters are not known here: nobody there stands in." };
}

function readLoadBalancer(fields: Fields | undefined, notHonoured: NotHonoured[]): LoadBalancer | undefined {
  const written = fields?.text("Policy");
  if (fields === undefined || written === undefined) return undefined;
  const policy = POLICIES.find((each) => each === written);
  if (policy === undefined)
    throw fields.fault("Policy", `is ${JSON.stringify(written)}, expected ${POLICIES.join(", ")}`);
  const choices = fields.fields("LeastRequestConfig").number("ChoiceCount") ?? CHOICES;
  if (choices !== CHOICES) {
    const field = `${fields.path}.LeastRequestConfig.ChoiceCount`;
    notHonoured.push({ field, why: "Two endpoints are compared.", severity: "info" });
  }
  const ring = fields.fields("RingHashConfig");
  if (ring.unread(["MaximumRingSize"]).length > 0) {
    const field = `${ring.path}.MaximumRingSize`;
    notHonoured.push({ field, why: "Rings grow as far as they need to.", severity: "info" });
  }
  const hashes = fields.lists("HashPolicies").map(readHash);
  if (hashes.length > 1) {
    const why = "One key is hashed, the first.";
    notHonoured.push({ field: `${fields.path}.HashPolicies[1]`, why });
  }
  return { policy, minimumRingSize: ring.number("MinimumRingSize") || undefined, hash: hashes[0] };
}

function readHash(fields: Fields): HashKey {
  if (fields.flag("SourceIP")) return { kind: "sourceIp" };
  const name = fields.text("FieldValue");
  const field = fields.text("Field");
  if (name === undefined) throw fields.fault("FieldValue", "is missing");
  if (field === "header") return { kind: "header", name };
  if (field === "query_parameter") return { kind: "queryParameter", name };
  if (field !== "cookie") throw fields.fault("Field", "is none of header, cookie, query_parameter");
  const cookie = fields.fields("CookieConfig");
  const ttlMs = cookie.flag("Session") ? 0 : cookie.durationMs("TTL");
  return { kind: "cookie", name, path: cookie.text("Path") ?? "", ttlMs };
}
