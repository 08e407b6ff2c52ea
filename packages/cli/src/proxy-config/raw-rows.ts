/** Listeners and matches of Envoy's own, as a control plane sent them, in the words of istioctl's tables. */

/** JSON of another process: nothing in it is taken for granted. */
type Json = { readonly [field: string]: Json } & { readonly length?: number };

export interface RawChain {
  readonly match: string;
  readonly destination: string;
}

/** One for each filter chain; of a listener for gRPC clients, which has none, one for all. */
export function chainsOf(listener: Json | undefined): readonly RawChain[] {
  const api = listener?.["api_listener"]?.["api_listener"];
  if (api !== undefined) return [{ match: "ALL", destination: destinationOf(api) }];
  const own = items(listener?.["filter_chains"]);
  const rest = listener?.["default_filter_chain"];
  return [
    ...own.map((chain) => ({ match: matchOf(chain["filter_chain_match"]), destination: filtersOf(chain) })),
    ...(rest === undefined ? [] : [{ match: "ALL", destination: filtersOf(rest) }]),
  ];
}

function matchOf(match: Json | undefined): string {
  if (match === undefined) return "ALL";
  const port = text(match["destination_port"]);
  const prefixes = items(match["prefix_ranges"]).map(
    (range) => `${text(range["address_prefix"])}/${text(range["prefix_len"])}`,
  );
  const list = (field: string): string => items(match[field]).map(text).join(",");
  const parts = [
    ...(port === "" && prefixes.length === 0
      ? []
      : [`Addr: ${prefixes.join(",") || "*"}${port === "" ? "" : `:${port}`}`]),
    ...(list("server_names") === "" ? [] : [`SNI: ${list("server_names")}`]),
    ...(text(match["transport_protocol"]) === "" ? [] : [`Trans: ${text(match["transport_protocol"])}`]),
    ...(list("application_protocols") === "" ? [] : [`App: ${list("application_protocols")}`]),
  ];
  return parts.join("; ") || "ALL";
}

function filtersOf(chain: Json): string {
  const found = items(chain["filters"]).map(({ typed_config: config }) =>
    config === undefined ? "" : destinationOf(config),
  );
  return found.filter((each) => each !== "").join(", ") || "Non-HTTP/Non-TCP";
}

/** Of an HttpConnectionManager or a TcpProxy; empty: of neither. */
function destinationOf(config: Json): string {
  const table = text(config["rds"]?.["route_config_name"]);
  if (table !== "") return `Route: ${table}`;
  const inline = config["route_config"];
  if (inline !== undefined) {
    const clusters = items(inline["virtual_hosts"])
      .flatMap((host) => items(host["routes"]))
      .map(({ route }) => text(route?.["cluster"]));
    return `Inline Route: ${[...new Set(clusters.filter((each) => each !== ""))].join(", ") || text(inline["name"])}`;
  }
  const cluster = text(config["cluster"]);
  if (cluster !== "") return `Cluster: ${cluster}`;
  const weighted = items(config["weighted_clusters"]?.["clusters"]).map(({ name }) => text(name));
  return weighted.length === 0 ? "" : `Weighted Clusters: ${weighted.join(", ")}`;
}

/** `/api* header x-user "beta"`; istioctl shows the path alone, so that two routes look the same. */
export function routeMatchText(match: Json | undefined): string {
  if (match === undefined) return "/*";
  const { prefix, path, safe_regex: regex, path_separated_prefix: elements, connect_matcher: connect } = match;
  const place =
    text(path) ||
    (text(regex?.["regex"]) && `regex ${text(regex?.["regex"])}`) ||
    (text(elements) && `${text(elements)}/*`) ||
    (connect === undefined ? `${text(prefix) || "/"}*` : "CONNECT");
  const named = (list: Json | undefined, noun: string) =>
    items(list).map((each) => `${noun} ${text(each["name"])} ${wantedText(each)}`.trim());
  return [place, ...named(match["headers"], "header"), ...named(match["query_parameters"], "query")].join(", ");
}

function wantedText(matcher: Json): string {
  const not = matcher["invert_match"] === undefined ? "" : "not ";
  const strings = matcher["string_match"] ?? matcher;
  for (const kind of ["exact", "prefix", "suffix", "contains", "exact_match", "prefix_match", "suffix_match"]) {
    const wanted = text(strings[kind]);
    if (wanted !== "") return `${not}${kind.replace("_match", "")} "${wanted}"`;
  }
  const regex = text((strings["safe_regex"] ?? matcher["safe_regex_match"])?.["regex"]);
  return regex === "" ? `${not}present`.trim() : `${not}regex ${regex}`;
}

function items(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter((each) => each !== null && each !== undefined) : [];
}

function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? `${value}` : "";
}
