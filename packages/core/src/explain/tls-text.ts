/** The TLS of a cluster's connections in words: what is said to the server, what its certificate must be, and who says so. */

import type { ClientTls } from "@inmesh/model";
import { tlsSource } from "../call/tls.js";

/** `SIMPLE as "pay.example.com", whose certificate must be for that name, by Node's roots (DestinationRule/…)`; `DISABLE`. */
export function tlsText(tls: ClientTls): string {
  const { mode, sni, refusal } = tls;
  if (mode === "DISABLE") return mode;
  const by = `(${tlsSource(tls)})`;
  if (refusal !== "") return `${mode}, so calls fail: it asks for ${refusal} ${by}`;
  const name = sni === "" ? "the request's host" : `"${sni}"`;
  return `${mode}, asking for ${name}; ${verifiedText(tls)} ${by}`;
}

function verifiedText(tls: ClientTls): string {
  const { insecureSkipVerify, subjectAltNames, verifiesServerName, caCertificates, caCrl } = tls;
  if (insecureSkipVerify) return "the server is not verified (insecureSkipVerify)";
  const names = subjectAltNames.map((name) => `"${name}"`).join(" or ");
  const also = verifiesServerName ? ["that name"] : [];
  const wanted = [...also, ...(names === "" ? [] : [names])].join(" and ");
  const roots = caCertificates === "" ? "Node's roots" : caCertificates;
  const revoked = caCrl === "" ? "" : `, less what ${caCrl} revokes`;
  return `its certificate must be for ${wanted}, by ${roots}${revoked}`;
}
