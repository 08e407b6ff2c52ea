/** Rows of `inmesh proxy-config` from the sections of a process's `/config_dump`, with the columns that istioctl prints. */

import type { ClustersView, ConfigKind, ConfigSection } from "@inmesh/core/admin";
import { outText } from "@inmesh/core/admin";
import { chainsOf, routeMatchText } from "./raw-rows.js";

/** Cells by title, in the order in which they are printed. */
export interface ConfigRow {
  readonly name: string;
  /** For `--fqdn` and `--port`; absent where the part has none. */
  readonly host?: string;
  readonly port?: number;
  readonly subset?: string;
  readonly cells: Readonly<Record<string, string>>;
  /** Printed by `-o wide` as well. */
  readonly wide: Readonly<Record<string, string>>;
}

/** Titles by kind, also where there are no rows. */
export const TITLES: Readonly<
  Record<ConfigKind, { readonly cells: readonly string[]; readonly wide: readonly string[] }>
> = {
  bootstrap: { cells: ["FIELD", "VALUE"], wide: [] },
  clusters: {
    cells: ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"],
    wide: ["LB POLICY", "TLS"],
  },
  listeners: { cells: ["ADDRESSES", "PORT", "MATCH", "DESTINATION"], wide: ["MTLS BY"] },
  routes: { cells: ["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"], wide: ["ACTION"] },
  endpoints: { cells: ["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"], wide: ["WEIGHT", "WORKLOADS"] },
  secrets: {
    cells: ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"],
    wide: ["ID"],
  },
};

/** JSON of another process: nothing in it is taken for granted. */
type Json = { readonly [field: string]: Json } & { readonly length?: number };

export interface RowsInput {
  /** Of the same process: which endpoints it leaves out now. */
  readonly clusters?: ClustersView | undefined;
  /** Unix ms. */
  readonly now: number;
}

export function rowsOf(kind: ConfigKind, section: ConfigSection, input: RowsInput): ConfigRow[] {
  return READ[kind](section as unknown as Json, input);
}

const READ: Readonly<Record<ConfigKind, (section: Json, input: RowsInput) => ConfigRow[]>> = {
  bootstrap: bootstrapRows,
  clusters: (section) =>
    items(section["dynamic_active_clusters"]).flatMap(({ cluster }) =>
      cluster === undefined ? [] : clusterRow(cluster),
    ),
  listeners: (section) =>
    items(section["dynamic_listeners"]).flatMap((part) => listenerRows(part["active_state"]?.["listener"])),
  routes: (section) => items(section["dynamic_route_configs"]).flatMap((part) => routeRows(part["route_config"])),
  endpoints: (section, { clusters }) =>
    items(section["dynamic_endpoint_configs"]).flatMap((part) => endpointRows(part["endpoint_config"], clusters)),
  secrets: (section, { now }) =>
    items(section["dynamic_active_secrets"]).flatMap((part) => secretRows(part["secret"], now)),
};

function bootstrapRows({ bootstrap }: Json): ConfigRow[] {
  const node = bootstrap?.["node"];
  const own = ownOf(bootstrap);
  const { NAMESPACE, LABELS, INMESH_VERSION, NODE_VERSION } = (node?.["metadata"] ?? {}) as Record<string, Json>;
  const fields: [string, string][] = [
    ["node id", text(node?.["id"])],
    ["cluster", text(node?.["cluster"])],
    ["namespace", text(NAMESPACE)],
    ["labels", pairs(LABELS)],
    [
      "locality",
      Object.values(node?.["locality"] ?? {})
        .map(text)
        .join("/"),
    ],
    ["inmesh", text(INMESH_VERSION)],
    ["node", text(NODE_VERSION)],
    ["mode", text(own?.["mode"])],
    ["patched", items(own?.["patched"]).map(text).join(",")],
    ["registry", text(own?.["registry"])],
    ["admin", text(own?.["admin"]) || text(bootstrap?.["admin"]?.["address"])],
  ];
  return fields.map(([field, value]) => ({
    name: field.replace(" ", "-"),
    cells: { FIELD: field, VALUE: value },
    wide: {},
  }));
}

function clusterRow(cluster: Json | undefined): ConfigRow {
  const name = text(cluster?.["name"]);
  const { host, port, subset } = partsOf(name);
  const [direction = "outbound"] = name.split("|");
  const own = ownOf(cluster);
  return {
    ...{ name, host, port, subset },
    cells: {
      "SERVICE FQDN": host || name,
      PORT: port === 0 ? "" : `${port}`,
      SUBSET: subset,
      DIRECTION: host === "" ? "" : direction,
      TYPE: text(cluster?.["type"]),
      "DESTINATION RULE": resourceOf(cluster),
    },
    wide: { "LB POLICY": text(own?.["load_balancer"]) || text(cluster?.["lb_policy"]), TLS: text(own?.["tls"]) },
  };
}

function listenerRows(listener: Json | undefined): ConfigRow[] {
  if (listener === undefined) return [];
  return ownOf(listener) === undefined ? rawListenerRows(listener) : [listenerRow(listener)];
}

function rawListenerRows(listener: Json): ConfigRow[] {
  const { address = "", port_value = 0 } = (listener["address"]?.["socket_address"] ?? {}) as Record<string, unknown>;
  const name = text(listener["name"]);
  const port = Number(port_value) || Number(/:(\d+)$/.exec(name)?.[1] ?? 0);
  return chainsOf(listener).map(({ match, destination }) => ({
    ...{ name, port },
    // One for gRPC clients has no address but the name that they dial.
    cells: {
      ADDRESSES: text(address) || name,
      PORT: port === 0 ? "" : `${port}`,
      MATCH: match,
      DESTINATION: destination,
    },
    wide: {},
  }));
}

function listenerRow(listener: Json): ConfigRow {
  const { address = "", port_value = 0 } = (listener?.["address"]?.["socket_address"] ?? {}) as Record<string, unknown>;
  const port = Number(port_value);
  const own = ownOf(listener);
  const byApplication = text(own?.["tls"]) === "application" ? ", TLS by the application" : "";
  return {
    ...{ name: text(listener?.["name"]), port },
    cells: {
      ADDRESSES: text(address),
      PORT: `${port}`,
      MATCH: `${text(own?.["protocol"])}, mTLS ${text(own?.["mtls"])}${byApplication}`,
      DESTINATION: "this process",
    },
    wide: { "MTLS BY": text(own?.["source"]) || "default" },
  };
}

function routeRows(config: Json | undefined): ConfigRow[] {
  const port = Number(text(config?.["name"]));
  return items(config?.["virtual_hosts"]).flatMap((host) => {
    const vhost = text(host["name"]);
    const domains = items(host["domains"]).map(text);
    const [first = "", ...others] = domains;
    return items(host["routes"]).map((route): ConfigRow => {
      const alternatives = items(route["match"]?.["inmesh"]).map(text);
      return {
        ...{ name: `${vhost}/${text(route["name"]) || "default"}`, host: vhost.slice(0, vhost.lastIndexOf(":")), port },
        cells: {
          NAME: text(config?.["name"]),
          "VHOST NAME": vhost,
          DOMAINS: others.length === 0 ? first : `${first} + ${others.length} more...`,
          MATCH: alternatives.join(" or ") || routeMatchText(route["match"]),
          "VIRTUAL SERVICE": resourceOf(route),
        },
        wide: { ACTION: actionText(route) },
      };
    });
  });
}

function actionText({ redirect, direct_response: direct, route }: Json): string {
  if (redirect !== undefined) return `redirect ${text(redirect["response_code"])}`;
  if (direct !== undefined) return `direct response ${text(direct["status"])}`;
  const weighted = items(route?.["weighted_clusters"]?.["clusters"]);
  if (weighted.length === 0) return text(route?.["cluster"]);
  return weighted.map((each) => `${text(each["name"])} ${text(each["weight"])}`).join(", ");
}

function endpointRows(config: Json | undefined, clusters: ClustersView | undefined): ConfigRow[] {
  const cluster = text(config?.["cluster_name"]);
  const { host, port, subset } = partsOf(cluster);
  const live = clusters?.clusters.find(({ name }) => name === cluster)?.endpoints;
  return items(config?.["endpoints"])
    .flatMap((locality) => items(locality["lb_endpoints"]))
    .map((part) => {
      const socket = part["endpoint"]?.["address"]?.["socket_address"];
      const id = `${text(socket?.["address"])}:${text(socket?.["port_value"])}`;
      const { out = [], ejectedForMs = 0, check } = live?.find((each) => each.id === id) ?? {};
      const isSick = check !== undefined && check.failures > 0;
      return {
        ...{ name: id, host, port, subset },
        cells: {
          ENDPOINT: id,
          STATUS: isSick ? "UNHEALTHY" : text(part["health_status"]) || "HEALTHY",
          "OUTLIER CHECK":
            out.length > 0 ? `FAILED: ${out.map(outText).join("; ")}` : ejectedForMs > 0 ? "FAILED" : "OK",
          CLUSTER: cluster,
        },
        wide: {
          WEIGHT: text(part["load_balancing_weight"]),
          WORKLOADS: items(ownOf(part)?.["workloads"]).map(text).join(","),
        },
      };
    });
}

function secretRows(secret: Json | undefined, now: number): ConfigRow[] {
  const name = text(secret?.["name"]);
  const own = ownOf(secret);
  const leaf = items(own?.["chain"]).slice(0, 1);
  const roots = items(own?.["roots"]).flatMap((each) => items(each["certificates"]));
  const type = secret?.["tls_certificate"] === undefined ? "CA" : "Cert Chain";
  return [...leaf, ...roots].map((certificate) => {
    const [notBefore, notAfter] = [text(certificate["notBefore"]), text(certificate["notAfter"])];
    const isValid = Date.parse(notBefore) <= now && now < Date.parse(notAfter);
    return {
      name,
      cells: {
        "RESOURCE NAME": name,
        TYPE: type,
        STATUS: "ACTIVE",
        "VALID CERT": `${isValid}`,
        "SERIAL NUMBER": text(certificate["serial"]).toLowerCase(),
        "NOT AFTER": notAfter,
        "NOT BEFORE": notBefore,
      },
      wide: { ID: text(certificate["id"]) || text(certificate["subject"]) },
    };
  });
}

/** `outbound|80|v1|reviews.shop.svc.cluster.local` */
function partsOf(cluster: string): { host: string; port: number; subset: string } {
  const [, port = "0", subset = "", host = ""] = cluster.split("|");
  return { host, port: Number(port), subset };
}

/** `reviews.shop`: name and namespace of the document behind it, as istioctl writes it. */
function resourceOf(part: Json | undefined): string {
  const path = text(part?.["metadata"]?.["filter_metadata"]?.["istio"]?.["config"]);
  const [, namespace, name] = /\/namespaces\/([^/]+)\/[^/]+\/([^/]+)$/.exec(path) ?? [];
  return name === undefined || namespace === undefined ? "" : `${name}.${namespace}`;
}

function ownOf(part: Json | undefined): Json | undefined {
  return part?.["metadata"]?.["filter_metadata"]?.["inmesh"];
}

function items(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((each) => each !== null && each !== undefined) : [];
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? `${value}` : "";
}

function pairs(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  return Object.entries(value)
    .map(([key, each]) => `${key}=${text(each)}`)
    .join(",");
}
