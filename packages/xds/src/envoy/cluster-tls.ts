/** transport_socket and transport_socket_matches of a cluster: how its connections are encrypted, and whom they must lead to. */

import { type ClientTls, PLAINTEXT } from "@inmesh/model";
import { type Findings, known } from "./refusal.js";
import { type AnyMessage, anyOf, anyType, type Fields } from "./schema.js";
import type { StringMatcher } from "./string-matcher.js";

export type TransportSocket = Fields<{ name: string; typed_config: AnyMessage }>;

export type SocketMatch = Fields<{
  name: string;
  match: Readonly<Record<string, unknown>>;
  transport_socket: TransportSocket;
}>;

type DataSource = Fields<{
  filename: string;
  inline_bytes: Uint8Array;
  inline_string: string;
  environment_variable: string;
}>;
type Instance = Fields<{ instance_name: string; certificate_name: string }>;
type SecretName = Fields<{ name: string }>;

export type ValidationContext = Fields<{
  trusted_ca: DataSource;
  crl: DataSource;
  ca_certificate_provider_instance: Instance;
  match_subject_alt_names: readonly StringMatcher[];
  match_typed_subject_alt_names: readonly Fields<{ san_type: string; matcher: StringMatcher }>[];
  system_root_certs: object;
  trust_chain_verification: string;
  verify_certificate_spki: readonly string[];
  verify_certificate_hash: readonly string[];
  require_signed_certificate_timestamp: boolean;
  custom_validator_config: object;
}>;

export type CommonTls = Fields<{
  tls_params: Fields<{ tls_minimum_protocol_version: string }>;
  tls_certificates: readonly Fields<{ certificate_chain: DataSource; private_key: DataSource }>[];
  tls_certificate_sds_secret_configs: readonly SecretName[];
  tls_certificate_provider_instance: Instance;
  tls_certificate_certificate_provider_instance: Instance;
  validation_context: ValidationContext;
  validation_context_sds_secret_config: SecretName;
  combined_validation_context: Fields<{
    default_validation_context: ValidationContext;
    validation_context_sds_secret_config: SecretName;
    validation_context_certificate_provider_instance: Instance;
  }>;
  validation_context_certificate_provider_instance: Instance;
  alpn_protocols: readonly string[];
  custom_handshaker: object;
}>;

type UpstreamTls = Fields<{
  common_tls_context: CommonTls;
  sni: string;
  auto_host_sni: boolean;
  auto_sni_san_validation: boolean;
}>;

const UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const RAW = new Set(["envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"]);
/** What a process of the mesh says of its endpoints: `envoy.transport_socket_match` in their metadata. */
const TLS_MODE = "tlsMode";

const VALIDATION_READ = known(
  ...["trusted_ca", "crl", "ca_certificate_provider_instance", "match_subject_alt_names"],
  ...["match_typed_subject_alt_names", "system_root_certs", "trust_chain_verification"],
);

/** @param sockets by metadata of the endpoint, of which the first that fits counts */
/** @param acceptsUnnamed see `XdsTarget` */
export function compileClusterTls(
  socket: TransportSocket | undefined,
  sockets: readonly SocketMatch[],
  acceptsUnnamed: boolean,
  findings: Findings,
): ClientTls {
  const socketTls = (each: TransportSocket): ClientTls => tlsOfSocket(each, acceptsUnnamed, findings);
  if (sockets.length === 0) return socket === undefined ? PLAINTEXT : socketTls(socket);
  const mesh = sockets.find(({ match }) => match?.[TLS_MODE] !== undefined);
  const others = sockets.filter((each) => each !== mesh && Object.keys(each.match ?? {}).length === 0);
  const rest = others[0]?.transport_socket ?? socket;
  const plain = rest === undefined ? PLAINTEXT : socketTls(rest);
  if (mesh === undefined) return plain;
  const tls = socketTls(mesh.transport_socket ?? {});
  if (sockets.length > 1 + others.length)
    findings.notHonoured("transport_socket_matches by other metadata than tlsMode");
  // Members of the mesh over its TLS, all others in plaintext: what auto mTLS means here, too.
  if (tls.mode === "ISTIO_MUTUAL" && tls.refusal === "" && plain.mode === "DISABLE") {
    const { sni, identities, anyIdentity } = tls;
    return { ...PLAINTEXT, auto: true, sni, identities, ...(anyIdentity && { anyIdentity }) };
  }
  return {
    ...tls,
    refusal: tls.refusal || "of several kinds by metadata, which this version tells apart for the mesh's own only",
  };
}

function tlsOfSocket({ typed_config: any }: TransportSocket, acceptsUnnamed: boolean, findings: Findings): ClientTls {
  if (RAW.has(anyType(any))) return PLAINTEXT;
  const spec = anyOf<UpstreamTls>(any, UPSTREAM_TLS);
  // Security: what is not understood is never sent in another way than was asked.
  if (spec === undefined) {
    findings.fault(`transport_socket ${anyType(any) || "without a type"} is not known`);
    return PLAINTEXT;
  }
  const common = spec.common_tls_context ?? {};
  checkCommon(common, findings);
  const validation = validationOf(common);
  findings.unread(validation, VALIDATION_READ, "validation_context");
  if (spec.auto_host_sni) findings.notHonoured("transport_socket.auto_host_sni");
  const { names, refusal } = wantedNames(validation);
  const roots = rootsOf(common, validation);
  const own = ownCertificate(common);
  const sni = spec.sni ?? "";
  if (own.kind === "mesh" || roots.kind === "mesh") {
    const anyIdentity = acceptsUnnamed && names.length === 0;
    return {
      ...{ ...PLAINTEXT, mode: "ISTIO_MUTUAL", sni, identities: names, refusal },
      ...(anyIdentity && { anyIdentity }),
    };
  }
  const mustBeFor =
    roots.kind === "system" || (roots.kind === "file" && !(acceptsUnnamed && spec.auto_sni_san_validation !== true));
  const failed = refusal || own.refusal || roots.refusal;
  return {
    ...PLAINTEXT,
    mode: own.kind === "none" ? "SIMPLE" : "MUTUAL",
    sni,
    subjectAltNames: names,
    // Differs: Envoy takes every certificate of a known CA where no name is written; here it must be for the server's name
    // unless the operator says otherwise, and whoever buys a certificate of a public CA is never taken for the server.
    verifiesServerName: names.length === 0 && mustBeFor,
    insecureSkipVerify: roots.kind === "none",
    caCertificates: roots.file,
    caCrl: validation.crl?.filename ?? "",
    clientCertificate: own.certificate,
    privateKey: own.key,
    refusal: failed,
  };
}

/** gRFC A29: what must not be passed over. */
export function checkCommon(common: CommonTls, findings: Findings): void {
  const validation = validationOf(common);
  for (const name of ["verify_certificate_spki", "verify_certificate_hash"] as const) {
    if ((validation[name] ?? []).length > 0) findings.fault(`validation_context.${name} is not supported`);
  }
  if (validation.require_signed_certificate_timestamp) {
    findings.fault("validation_context.require_signed_certificate_timestamp is not supported");
  }
  if (validation.custom_validator_config !== undefined) {
    findings.fault("validation_context.custom_validator_config is not supported");
  }
  if (common.custom_handshaker !== undefined) findings.fault("common_tls_context.custom_handshaker is not supported");
}

export function validationOf(common: CommonTls): ValidationContext {
  return common.combined_validation_context?.default_validation_context ?? common.validation_context ?? {};
}

/** Names that the certificate must have one of. A matcher that is no exact one cannot be kept, so nothing is sent. */
function wantedNames(validation: ValidationContext): { readonly names: readonly string[]; readonly refusal: string } {
  const typed = (validation.match_typed_subject_alt_names ?? []).map(({ matcher = {} }) => matcher);
  const matchers = [...(validation.match_subject_alt_names ?? []), ...typed];
  const exact = matchers.flatMap(({ exact, ignore_case }) => (exact !== undefined && !ignore_case ? exact : []));
  const whole = exact.length === matchers.length;
  return {
    names: exact,
    refusal: whole ? "" : "whose certificate is judged by patterns, which this version does not do",
  };
}

interface Roots {
  readonly kind: "mesh" | "file" | "system" | "none";
  readonly file: string;
  readonly refusal: string;
}

/** Names that istiod gives to secrets of files: `file-root:/etc/ca.pem`, `file-cert:/etc/cert.pem~/etc/key.pem`. */
const FILE_ROOT = "file-root:";
const FILE_CERT = "file-cert:";
const SYSTEM = "system";

function rootsOf(common: CommonTls, validation: ValidationContext): Roots {
  const combined = common.combined_validation_context;
  const instance =
    validation.ca_certificate_provider_instance ??
    combined?.validation_context_certificate_provider_instance ??
    common.validation_context_certificate_provider_instance;
  if (instance !== undefined) return { kind: "mesh", file: "", refusal: "" };
  const secret = (combined?.validation_context_sds_secret_config ?? common.validation_context_sds_secret_config)?.name;
  if (secret !== undefined) {
    if (secret === "ROOTCA") return { kind: "mesh", file: "", refusal: "" };
    if (secret === `${FILE_ROOT}${SYSTEM}`) return { kind: "system", file: "", refusal: "" };
    if (secret.startsWith(FILE_ROOT)) return { kind: "file", file: secret.slice(FILE_ROOT.length), refusal: "" };
    return {
      kind: "file",
      file: "",
      refusal: `its CA is the secret "${secret}", and there is no store of secrets here`,
    };
  }
  if (validation.system_root_certs !== undefined) return { kind: "system", file: "", refusal: "" };
  if (validation.trusted_ca === undefined) return { kind: "none", file: "", refusal: "" };
  const file = validation.trusted_ca.filename ?? "";
  return {
    kind: "file",
    file,
    refusal: file === "" ? "its CA is written into the cluster, and only files are read" : "",
  };
}

interface OwnCertificate {
  readonly kind: "mesh" | "file" | "none";
  readonly certificate: string;
  readonly key: string;
  readonly refusal: string;
}

function ownCertificate(common: CommonTls): OwnCertificate {
  const none = { certificate: "", key: "", refusal: "" };
  if (
    (common.tls_certificate_provider_instance ?? common.tls_certificate_certificate_provider_instance) !== undefined
  ) {
    return { kind: "mesh", ...none };
  }
  const secret = common.tls_certificate_sds_secret_configs?.[0]?.name;
  if (secret === "default") return { kind: "mesh", ...none };
  if (secret?.startsWith(FILE_CERT)) {
    const [certificate = "", key = ""] = secret.slice(FILE_CERT.length).split("~");
    return { kind: "file", certificate, key, refusal: "" };
  }
  if (secret !== undefined) {
    return {
      kind: "file",
      ...none,
      refusal: `its certificate is the secret "${secret}", and there is no store of secrets here`,
    };
  }
  const written = common.tls_certificates?.[0];
  if (written === undefined) return { kind: "none", ...none };
  const certificate = written.certificate_chain?.filename ?? "";
  const key = written.private_key?.filename ?? "";
  const refusal = certificate && key ? "" : "its certificate is written into the cluster, and only files are read";
  return { kind: "file", certificate, key, refusal };
}
