/** The identity of this process and the certificates behind it, for the admin endpoint. The key is not looked at. */

import { X509Certificate } from "node:crypto";
import type { CertificateView, CertsView, IdentityView } from "@inmesh/core/admin";
import type { DataPlane } from "../plane/data-plane.js";

export function identityView({ identity }: DataPlane): IdentityView {
  if (identity === undefined) return { state: "off", id: "", source: "", generation: 0 };
  const { current } = identity;
  const { state, source, reason, renewsAt } = identity.status;
  return {
    ...{ state, id: current?.self.id ?? "", source },
    ...(reason !== undefined && { reason }),
    ...(current && { notBefore: isoOf(current.notBefore), notAfter: isoOf(current.notAfter) }),
    ...(renewsAt !== undefined && { renewsAt: isoOf(renewsAt) }),
    generation: current?.generation ?? 0,
  };
}

export function certsView(plane: DataPlane): CertsView {
  const { current } = plane.identity ?? {};
  const bundles = [...(current?.bundles ?? [])];
  return {
    identity: identityView(plane),
    chain: (current?.certificateChain.match(BLOCK) ?? []).map(certificateView),
    roots: bundles.map(([trustDomain, roots]) => ({ trustDomain, certificates: roots.map(certificateView) })),
    tokenKeys: plane.engine.guard.tokens?.read() ?? [],
  };
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificateView(pem: string): CertificateView {
  const { subjectAltName = "", serialNumber, subject, issuer, ...found } = read(pem);
  return {
    id: /(?:^|, )URI:([^,]+)/.exec(subjectAltName)?.[1] ?? "",
    serial: serialNumber,
    subject: (subject ?? "").replaceAll("\n", ", "), // undefined where it is empty, whatever the types say
    issuer: (issuer ?? "").replaceAll("\n", ", "),
    ...found,
  };
}

function read(pem: string) {
  const { subjectAltName, serialNumber, subject, issuer, validFrom, validTo, fingerprint256 } = new X509Certificate(
    pem,
  );
  return {
    ...{ subjectAltName, serialNumber, subject, issuer },
    notBefore: isoOf(Date.parse(validFrom)),
    notAfter: isoOf(Date.parse(validTo)),
    fingerprint: fingerprint256,
  };
}

function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
