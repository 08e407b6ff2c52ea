/** Who a peer is, by a chain that TLS has verified against all roots together. mtls.md §4. */

import { X509Certificate } from "node:crypto";
import type { Credentials, PeerChain, PeerVerdict } from "@inmesh/core";
import { parseSpiffeId } from "@inmesh/model";

export interface Known {
  readonly credentials: Credentials;
  /** Trust domains for which the roots of this process's own vouch where they have none. */
  readonly aliases: readonly string[];
  readonly wallMs: number;
}

export function verifyPeer(chain: PeerChain, { credentials, aliases, wallMs }: Known): PeerVerdict {
  const [leaf, ...above] = chain.map((der) => new X509Certificate(der));
  if (leaf === undefined) return { refusal: "it shows no certificate" };
  const names = (leaf.subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  if (names.length !== 1) return { refusal: `its certificate has ${names.length} URI names` };
  const peer = parseSpiffeId(names[0]!.slice("URI:".length)); // one, as just counted
  if (peer === undefined) return { refusal: "its name is no SPIFFE id" };
  if (leaf.ca) return { refusal: `the certificate of ${peer.id} is one of an authority` };
  if (Date.parse(leaf.validTo) <= wallMs) return { refusal: `the certificate of ${peer.id} has expired` };
  const { bundles, self } = credentials;
  const own =
    bundles.get(peer.trustDomain) ?? (aliases.includes(peer.trustDomain) ? bundles.get(self.trustDomain) : []);
  const roots = (own ?? []).map((pem) => new X509Certificate(pem));
  const last = above.at(-1) ?? leaf;
  const known = roots.some(
    (root) => root.fingerprint256 === last.fingerprint256 || (last.checkIssued(root) && last.verify(root.publicKey)),
  );
  if (!known) return { refusal: `no root of ${peer.trustDomain} that this process knows has signed for ${peer.id}` };
  return { peer };
}
