/** Application protocol of a port. policy-semantics §0.8. */

import { PROTOCOLS, type Protocol } from "../snapshot/workload.js";

const KNOWN: ReadonlySet<string> = new Set(PROTOCOLS);

const APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  "kubernetes.io/h2c": "http2",
  "kubernetes.io/ws": "http",
  "kubernetes.io/wss": "https",
};

/** Ports whose servers speak first, so that nothing can be sniffed: SMTP, DNS, MySQL, MongoDB. */
const TCP_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/** Of a ServiceEntry: the protocol as written. */
export function parseProtocol(text: string | undefined): Protocol {
  const lower = (text ?? "").toLowerCase();
  return KNOWN.has(lower) ? (lower as Protocol) : "unknown";
}

/** Of a Kubernetes Service: appProtocol, else the port's name up to the first dash. */
export function kubernetesProtocol(
  {
    name = "",
    appProtocol,
    protocol,
  }: { name?: string | undefined; appProtocol?: string | undefined; protocol?: string | undefined },
  number: number,
): Protocol {
  if (protocol === "UDP") return "udp";
  const declared = appProtocol === undefined ? undefined : (APP_PROTOCOLS[appProtocol] ?? parseProtocol(appProtocol));
  if (declared !== undefined && declared !== "unknown") return declared;
  const lower = name.toLowerCase();
  const named = parseProtocol(lower.startsWith("grpc-web") ? "grpc-web" : lower.split("-")[0]);
  return named === "unknown" && TCP_PORTS.has(number) ? "tcp" : named;
}
