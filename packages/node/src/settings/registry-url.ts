/** Registries that are named by a URL, and how such a URL is shown: whatever may be a secret in it is not. */

/** `consul`, … in lower case; undefined for what is a path. */
export function schemeOf(config: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+):\/\//i.exec(config)?.[1]?.toLowerCase();
}

/** `consul+https` speaks TLS. */
export function isConsul(config: string): boolean {
  const scheme = schemeOf(config);
  return scheme === "consul" || scheme === "consul+https";
}

/** Any control plane that speaks xDS, such as istiod. */
export function isXds(config: string): boolean {
  return schemeOf(config) === "xds";
}

/** Without `user@` and without a query parameter that may hold a token. A path, and any other text, is left as it is. */
export function shownConfig(config: string): string {
  if (schemeOf(config) === undefined) return config;
  const [before = "", query] = config.split("?", 2);
  const kept = (query ?? "").split("&").filter((pair) => pair !== "" && !/^[^=]*(token|secret|password)/i.test(pair));
  // Up to the last `@`: a token may hold one that nobody escaped.
  return `${before.replace(/^([^:]+:\/\/).*@/, "$1")}${kept.length === 0 ? "" : `?${kept.join("&")}`}`;
}
