/** Sidecar (networking.istio.io): what a workload sees of the mesh. policy-semantics §3.3. */

import * as z from "zod/mini";
import { destination, flag, labelsSelector, message, stringList, text, uint32 } from "./field.js";
import { connectionPool } from "./traffic-policy.js";

const port = message({ number: uint32, protocol: text, name: text, targetPort: uint32 });

const captureMode = z.enum(["DEFAULT", "IPTABLES", "NONE"]);

const tlsVersion = z.enum(["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]);

export const serverTls = message({
  httpsRedirect: flag,
  mode: z.enum(["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]),
  serverCertificate: text,
  privateKey: text,
  caCertificates: text,
  caCrl: text,
  credentialName: text,
  credentialNames: stringList,
  caCertCredentialName: text,
  tlsCertificates: z.array(message({ serverCertificate: text, privateKey: text, caCertificates: text })),
  subjectAltNames: stringList,
  verifyCertificateSpki: stringList,
  verifyCertificateHash: stringList,
  minProtocolVersion: tlsVersion,
  maxProtocolVersion: tlsVersion,
  cipherSuites: stringList,
  insecureSkipVerify: flag,
});

const ingressListener = message({
  port,
  bind: text,
  captureMode,
  defaultEndpoint: text,
  tls: serverTls,
  connectionPool,
});

const egressListener = message({ port, bind: text, captureMode, hosts: stringList });

export const sidecar = message({
  workloadSelector: labelsSelector,
  ingress: z.array(ingressListener),
  egress: z.array(egressListener),
  inboundConnectionPool: connectionPool,
  outboundTrafficPolicy: message({ mode: z.enum(["REGISTRY_ONLY", "ALLOW_ANY"]), egressProxy: destination }),
});

export type SidecarSpec = z.infer<typeof sidecar>;
export type EgressListenerSpec = z.infer<typeof egressListener>;
export type IngressListenerSpec = z.infer<typeof ingressListener>;
export type SidecarPortSpec = z.infer<typeof port>;
export type ServerTlsSpec = z.infer<typeof serverTls>;
