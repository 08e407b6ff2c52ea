/** The TLS of a cluster's connections in words: what is said to the server, what its certificate must be, and who says so. */

import type { ClientTls, Cluster, Endpoint } from "@inmesh/model";
import { isSecured, meshServerName, tlsSource } from "../call/tls.js";

/** Names told; a service may have many. */
const TOLD = 5;

/** `SIMPLE, asking for "pay.example.com"; its certificate must be for that name, by Node's roots (DestinationRule/…)`; `DISABLE`. */
export function tlsText(cluster: Pick<Cluster, "policy" | "port" | "subset" | "host">): string {
  const { tls } = cluster.policy;
  const { mode, sni, refusal, auto, strict } = tls;
  if (auto === true) {
    const whom = strict === true ? "every endpoint is" : "members of the mesh are";
    const others = strict === true ? `STRICT by ${tlsSource(tls)}` : "others are called in plaintext";
    return `auto: ${whom} shown the identity of the process, asked for "${meshServerName(cluster)}" and must be ${whoeverOf(tls)}; ${others}`;
  }
  if (mode === "DISABLE") return mode;
  const by = `(${tlsSource(tls)})`;
  if (refusal !== "") return `${mode}, so calls fail: it asks for ${refusal} ${by}`;
  const own = mode === "ISTIO_MUTUAL" ? meshServerName(cluster) : "";
  const name = sni === "" && own === "" ? "the request's host" : `"${sni || own}"`;
  return `${mode}, ${shownText(tls)}asking for ${name}; ${verifiedText(tls)} ${by}`;
}

/** Why connections to an endpoint are in plaintext, a phrase; empty: they are encrypted. @param hasIdentity of this process */
export function plaintextReason(
  { policy: { tls }, service }: Pick<Cluster, "policy" | "service">,
  endpoint: Endpoint,
  hasIdentity: boolean,
): string {
  if (isSecured(tls, endpoint, hasIdentity)) return "";
  if (tls.auto === true) {
    return hasIdentity ? `${endpoint.id} is no member of the mesh` : "the caller has no identity";
  }
  if (tls.source !== null) return `${tlsSource(tls)} says DISABLE`;
  if (service.location === "external") return "it is outside the mesh, and no DestinationRule asks for TLS";
  return "policy has switched auto mTLS off for it";
}

function shownText({ mode, clientCertificate, privateKey }: ClientTls): string {
  if (mode === "ISTIO_MUTUAL") return "showing the identity of the process, ";
  return mode === "MUTUAL" ? `showing ${clientCertificate} with ${privateKey}, ` : "";
}

function verifiedText(tls: ClientTls): string {
  const { mode, insecureSkipVerify, subjectAltNames, verifiesServerName, caCertificates, caCrl } = tls;
  if (insecureSkipVerify) return "the server is not verified (insecureSkipVerify)";
  if (mode === "ISTIO_MUTUAL") return `its certificate must be for ${whoeverOf(tls)}, by the roots of the mesh`;
  const names = subjectAltNames.map((name) => `"${name}"`).join(" or ");
  const also = verifiesServerName ? ["that name"] : [];
  const wanted = [...also, ...(names === "" ? [] : [names])].join(" and ");
  const roots = caCertificates === "" ? "Node's roots" : caCertificates;
  const revoked = caCrl === "" ? "" : `, less what ${caCrl} revokes`;
  return `its certificate must be for ${wanted || "anybody"}, by ${roots}${revoked}`;
}

function whoeverOf({ identities, anyIdentity }: ClientTls): string {
  return anyIdentity === true ? "anybody" : anyOf(identities);
}

function anyOf(names: readonly string[]): string {
  if (names.length === 0) return "nobody";
  const told = names.slice(0, TOLD).map((name) => `"${name}"`);
  if (names.length > TOLD) told.push(`${names.length - TOLD} more`);
  return told.join(" or ");
}
