/** `x-forwarded-client-cert`, by which a proxy tells its application who called: Envoy's format and its five ways with it. */

import type { ForwardedClientCert } from "@inmesh/model";
import { CLIENT_CERT_HEADER, hideHeaders, showHeader } from "../inbound-headers.js";
import type { RequestHead } from "../request-head.js";
import type { KnownPeer } from "./peers.js";

/**
 * Nobody's word is taken for an identity unless policy says so: what came over the wire goes first.
 * @param came the request holds the header
 * @param peer undefined: plaintext
 * @param self SPIFFE id of this process
 */
export function forwardClientCert(
  head: RequestHead,
  came: boolean,
  way: ForwardedClientCert,
  peer: KnownPeer | undefined,
  self: string,
): void {
  const forwards =
    way === "ALWAYS_FORWARD_ONLY" || (peer !== undefined && way !== "SANITIZE" && way !== "SANITIZE_SET");
  const before = came && forwards ? head.headers[CLIENT_CERT_HEADER] : undefined;
  const adds = peer !== undefined && (way === "SANITIZE_SET" || way === "APPEND_FORWARD");
  if (came && (adds || !forwards)) hideHeaders(head, isClientCert);
  if (!adds) return;
  const element = clientCertElement(peer, self);
  showHeader(head, CLIENT_CERT_HEADER, before === undefined ? element : `${String(before)},${element}`);
}

/** One hop, as Envoy writes it when Istio has it tell subject and URI. */
export function clientCertElement({ hash, subject, identity }: KnownPeer, self: string): string {
  const quoted = subject.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `By=${self};Hash=${hash};Subject="${quoted}";URI=${identity.id}`;
}

function isClientCert(name: string): boolean {
  return name.length === CLIENT_CERT_HEADER.length && name.toLowerCase() === CLIENT_CERT_HEADER;
}
