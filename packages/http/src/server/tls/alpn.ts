/** Which protocol is spoken below TLS: the application's server speaks one, and callers of other meshes have names of their own for it. */

/** In order of preference. Envoy under Istio offers the long names, and tells by them that the caller is of a mesh. */
const HTTP1 = ["http/1.1", "istio-http/1.1", "istio"] as const;
const HTTP2 = ["h2", "istio-h2", "istio"] as const;

/**
 * @param tunnels callers may be proxies that offer `h2` whatever the bytes are that they carry: Consul's own
 * @returns the one to answer with; undefined: the handshake ends with `no_application_protocol` (RFC 7301 §3.2) */
export function chooseProtocol(speaksHttp2: boolean, offered: readonly string[], tunnels = false): string | undefined {
  const known = (speaksHttp2 ? HTTP2 : HTTP1).find((name) => offered.includes(name));
  return known ?? (tunnels && offered.includes("h2") ? "h2" : undefined);
}

/** Envoy's sidecars would begin with a frame of their own there. */
const FRAMED = "istio-peer-exchange";

/** For a server that speaks neither: whatever the caller calls it, so that only TLS is agreed upon. */
export function chooseAny(offered: readonly string[]): string | undefined {
  return offered.includes("istio") ? "istio" : offered.find((name) => name !== FRAMED);
}
