/**
 * `identity: auto` under a control plane that speaks xDS: what is there to get a certificate with. Somebody has put it there, so
 * it is used; where there is nothing, the process has no identity. Decided once, before anything of a control plane is loaded.
 */

import { basename, dirname } from "node:path";

export interface FoundIdentityOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  exists(path: string): boolean;
  /** @throws what is in the way */
  readFile(path: string): string;
}

/** Where Istio's injection puts a token for its authority. */
export const TOKEN_FILE = "/var/run/secrets/tokens/istio-token";
/** Where Istio's agent writes what it gets (`OUTPUT_CERTS`). */
const AGENT_FOLDER = "/var/lib/istio/data";
/** What tells that a folder is one of those that `files:` reads. */
const CHAIN_FILES: ReadonlySet<string> = new Set(["cert-chain.pem", "tls.crt", "svid.pem"]);

/** istiod in plain text, and over TLS, where its authority is. */
const [PLAIN_PORT, TLS_PORT] = ["15010", "15012"];

/** @param config `xds://…` @returns what the setting `identity` would say; undefined: there is nothing */
export function foundIdentity(config: string, options: FoundIdentityOptions): string | undefined {
  const { env, exists } = options;
  if (env["SPIFFE_ENDPOINT_SOCKET"]) return "spiffe";
  const [, place = "", query = ""] = /^xds:\/\/([^?]*)\??(.*)$/is.exec(config) ?? [];
  const parameters = new URLSearchParams(query);
  // What the stream is shown itself, the authority takes, too.
  if (parameters.has("token") || parameters.has("cert")) return "istio-ca";
  const { host, port = TLS_PORT } = /^(?<host>\[[^\]]+\]|[^:/]+)(?::(?<port>\d+))?\/?$/.exec(place)?.groups ?? {};
  if (host !== undefined && (port === TLS_PORT || port === PLAIN_PORT) && exists(TOKEN_FILE)) {
    return port === TLS_PORT ? "istio-ca" : `istio-ca:${host}:${TLS_PORT}`;
  }
  const folder = place.replace("/", "") === "" ? bootstrapFolder(options) : undefined;
  if (folder !== undefined) return `files:${folder}`;
  return exists(`${AGENT_FOLDER}/cert-chain.pem`) ? `files:${AGENT_FOLDER}` : undefined;
}

interface WrittenBootstrap {
  readonly certificate_providers?: Readonly<
    Record<string, { readonly config?: { readonly certificate_file?: string } } | undefined>
  >;
}

/** Of the certificates that a bootstrap names. One that cannot be read is told of by whoever opens the stream. */
function bootstrapFolder({ env, readFile }: FoundIdentityOptions): string | undefined {
  const path = env["GRPC_XDS_BOOTSTRAP"];
  try {
    const text = path ? readFile(path) : (env["GRPC_XDS_BOOTSTRAP_CONFIG"] ?? "{}");
    const { certificate_providers: providers = {} } = JSON.parse(text) as WrittenBootstrap;
    const { certificate_file: file } = (providers["default"] ?? Object.values(providers)[0])?.config ?? {};
    return file !== undefined && CHAIN_FILES.has(basename(file)) ? dirname(file) : undefined;
  } catch {
    return undefined;
  }
}
