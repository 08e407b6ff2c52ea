/** What a call says of the TLS that its cluster's policy asks for: whom it must lead to, and why it cannot be had. */

import { isIP } from "node:net";
import type { ClientTls, Cluster, Endpoint } from "@inmesh/model";
import { MeshError } from "../errors.js";
import { withoutBrackets } from "../security/client-address.js";
import type { Call } from "./call.js";
import { rewrittenAuthority } from "./request-edit.js";

const PORT = /:\d*$/;

/** Code of a transport's error that says so: the server is somebody else than policy expects. */
export const WRONG_PEER_CODE = "ERR_INMESH_WRONG_PEER";

/** Both ends show a certificate of the mesh. */
export function isMeshTls({ mode, auto }: ClientTls): boolean {
  return auto === true || mode === "ISTIO_MUTUAL";
}

/**
 * Whether connections to an endpoint are encrypted.
 * @param hasIdentity of this process. One that has none calls members in plaintext unless a rule asks for TLS, as clients
 * without a sidecar do.
 */
export function isSecured({ mode, auto, strict }: ClientTls, { member }: Endpoint, hasIdentity: boolean): boolean {
  return auto === true ? hasIdentity && (strict === true || member === true) : mode !== "DISABLE";
}

/**
 * The name that the server is asked for, and its certificate: as Istio's auto SNI, the host of the request as rules
 * rewrite it, without port; or the IP address, which is no server name. Of a header that the application writes itself
 * nothing depends: who is verified must not be up to somebody whose request is passed on (pitfalls T6).
 */
export function serverNameOf({ cluster, route, destination, host }: Call): string {
  const { config } = cluster!; // asked for a call that has entered one
  const { tls } = config.policy;
  if (tls.sni !== "") return tls.sni;
  if (isMeshTls(tls)) return meshServerName(config);
  const authority = (route && rewrittenAuthority(route, destination, host)) ?? host;
  const name = isIP(authority) === 6 ? authority : authority.replace(PORT, "");
  return withoutBrackets(name).toLowerCase();
}

/** As Istio's clients ask its sidecars: `outbound_.80_.v1_.reviews.shop.svc.cluster.local`. */
export function meshServerName({ port, subset, host }: Pick<Cluster, "port" | "subset" | "host">): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}

/** `DestinationRule/shop/pay spec.trafficPolicy.tls`. */
export function tlsSource({ source, auto }: ClientTls): string {
  if (source === null) return auto === true ? "auto mTLS" : "its DestinationRule";
  const { resource, path } = source;
  return `${resource.kind}/${resource.namespace}/${resource.name} ${path}`;
}

/** Fails closed: sending in plaintext what policy wants encrypted would be worse than not sending it. */
export function tlsRefused({ name, policy: { tls } }: Cluster, route: string): MeshError {
  const remedy =
    tls.credentialName !== ""
      ? "Name a file by caCertificates instead, or leave both out for the roots of Node"
      : "Set tls.mode SIMPLE, or DISABLE where plaintext is meant";
  return new MeshError(
    "TLS_UNAVAILABLE",
    `${tlsSource(tls)} asks for TLS to "${name}" by ${tls.refusal}. The call was not sent. ${remedy}`,
    { route, cluster: name },
  );
}
