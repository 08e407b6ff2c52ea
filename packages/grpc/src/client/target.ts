/** What a client says it talks to, read as grpc-js reads it: `reviews:50051`, `dns:///reviews:50051`, `xds:///reviews:50051`. */

export interface Target {
  /** As given. */
  readonly text: string;
  /** `host:port` for the mesh to look up; undefined for what is none of its business: sockets of this machine, lists of addresses. */
  readonly origin: string | undefined;
  /** What `:authority` says unless the application says otherwise. */
  readonly authority: string;
  /** Nobody but the mesh can resolve it: `inmesh:` and `xds:`. */
  readonly meshOnly: boolean;
}

const SCHEME = /^(inmesh|xds|dns|ipv4|ipv6):(?:\/\/([^/]*)\/)?\/?(.*)$/;
const HAS_PORT = /:\d+$/;

/** Where a target names no port: grpc-js's for names, and the one that a service of the mesh always has. */
const DNS_PORT = 443;
const MESH_PORT = 80;

export function parseTarget(text: string): Target {
  const [, scheme = "", authority = "", path = ""] = SCHEME.exec(text) ?? [];
  const meshOnly = scheme === "inmesh" || scheme === "xds";
  const name = scheme === "" ? text : path;
  // Whoever names a server of names wants that one asked.
  const foreign = name === "" || name.includes("/") || name.includes(",") || (authority !== "" && !meshOnly);
  if (foreign || text.startsWith("unix")) return { text, origin: undefined, authority: name, meshOnly };
  const host = scheme === "ipv6" && !name.startsWith("[") && !HAS_PORT.test(name) ? `[${name}]` : name;
  const withPort = HAS_PORT.test(host) ? host : `${host}:${meshOnly ? MESH_PORT : DNS_PORT}`;
  return { text, origin: `http://${withPort}`, authority: name, meshOnly };
}
