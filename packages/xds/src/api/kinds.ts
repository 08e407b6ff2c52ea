/**
 * The kinds that istiod tells of over its aggregated stream beside Envoy's own types: which name each is asked for under, and
 * which message it comes as. Of each kind one version answers; others are answered empty, without an error (istiod 1.26).
 */

export interface ApiKind {
  readonly kind: string;
  /** As a document writes it. */
  readonly apiVersion: string;
  /** The whole type URL of requests and answers. */
  readonly url: string;
  /** Full name of the message inside, whatever version was asked for. */
  readonly message: string;
}

const NETWORKING = ["VirtualService", "DestinationRule", "ServiceEntry", "WorkloadEntry", "WorkloadGroup", "Sidecar"];
const SECURITY = ["PeerAuthentication", "RequestAuthentication", "AuthorizationPolicy"];

/** Bare, where the others come with metadata around them. */
export const MESH_CONFIG: ApiKind = {
  kind: "MeshConfig",
  apiVersion: "mesh.istio.io/v1alpha1",
  url: "core/v1alpha1/MeshConfig",
  message: "istio.mesh.v1alpha1.MeshConfig",
};

/** Whatever this version honours of what istiod has. */
export const API_KINDS: readonly ApiKind[] = [
  ...NETWORKING.map((kind) => apiKind(kind, "networking.istio.io/v1", `istio.networking.v1alpha3.${kind}`)),
  ...SECURITY.map((kind) => apiKind(kind, "security.istio.io/v1", `istio.security.v1beta1.${kind}`)),
  apiKind("Telemetry", "telemetry.istio.io/v1", "istio.telemetry.v1alpha1.Telemetry"),
  MESH_CONFIG,
];

function apiKind(kind: string, apiVersion: string, message: string): ApiKind {
  return { kind, apiVersion, url: `${apiVersion}/${kind}`, message };
}
