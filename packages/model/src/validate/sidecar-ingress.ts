/** Rules of a Sidecar's ingress listeners. policy-semantics §3.3. */

import type { IngressListenerSpec, ServerTlsSpec } from "../kind/sidecar.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import {
  dnsLabelFault,
  ipFault,
  isHttpProtocol,
  isTlsProtocol,
  portFault,
  protocolFault,
  UNIX_PREFIX,
  unixPathFault,
} from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkConnectionPool } from "./traffic-policy.js";

const LOCAL_HOSTS: readonly string[] = ["", "127.0.0.1", "0.0.0.0", "::1", "::"];

export function checkIngress(listeners: readonly IngressListenerSpec[], path: Path, report: Report): void {
  const ports = new Set<number>();
  for (const [index, { port, bind = "", defaultEndpoint = "", tls, connectionPool }] of listeners.entries()) {
    const at = [...path, index];
    if (port === undefined) {
      report.error(at, "the listener has no port. Write port: {number: …, protocol: HTTP}.");
      continue;
    }
    const { number = 0, protocol = "", name = "", targetPort = 0 } = port;
    if (targetPort > 0)
      report.error([...at, "port", "targetPort"], "targetPort means nothing in a Sidecar. Use defaultEndpoint.");
    if (name !== "") report.check([...at, "port", "name"], dnsLabelFault(name));
    report.check([...at, "port", "protocol"], protocolFault(protocol));
    report.check([...at, "port"], portFault(number));
    if (bind !== "") report.check([...at, "bind"], ipFault(bind));
    if (ports.has(number)) report.error([...at, "port"], `port ${number} has a listener already. Remove one.`);
    ports.add(number);
    if (defaultEndpoint !== "") report.check([...at, "defaultEndpoint"], defaultEndpointFault(defaultEndpoint));
    if (tls !== undefined) {
      if (!isTlsProtocol(protocol))
        report.error(
          [...at, "tls"],
          `port ${number} speaks ${protocol || "any protocol"}. Set protocol: HTTPS or TLS, or remove tls.`,
        );
      checkServerTls(tls, [...at, "tls"], report);
    }
    checkConnectionPool(connectionPool, [...at, "connectionPool"], report);
    if (connectionPool?.http !== undefined && !isHttpProtocol(protocol)) {
      report.warn(
        [...at, "connectionPool", "http"],
        `port ${number} does not speak HTTP, so only the tcp limits count. Remove http.`,
      );
    }
  }
}

/** `127.0.0.1:8080`, `[::1]:8080`, `:8080` or `unix:///path`. */
function defaultEndpointFault(endpoint: string): string | undefined {
  if (endpoint.startsWith(UNIX_PREFIX)) return unixPathFault(endpoint.slice(UNIX_PREFIX.length));
  const [, bracketed, plain, port] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([-+]?\d+)$/.exec(endpoint) ?? [];
  if (port === undefined || !LOCAL_HOSTS.includes(bracketed ?? plain ?? "")) {
    return `${quote(endpoint)} is no local endpoint. Write 127.0.0.1:<port>, [::1]:<port>, 0.0.0.0:<port> or unix://<path>.`;
  }
  return portFault(Number(port));
}

/** A listener of a workload is TLS from outside the mesh: certificates come from files only. */
function checkServerTls(tls: ServerTlsSpec, path: Path, report: Report): void {
  const { mode = "PASSTHROUGH", caCertificates, tlsCertificates = [], serverCertificate, privateKey, caCrl } = tls;
  const unsupported = [
    "subjectAltNames",
    "credentialNames",
    "tlsCertificates",
    "credentialName",
    "httpsRedirect",
  ] as const;
  for (const field of unsupported) {
    const value = tls[field];
    const isSet = Array.isArray(value) ? value.length > 0 : Boolean(value);
    if (isSet) report.error([...path, field], `${field} is not supported in a Sidecar. Remove it.`);
  }
  if (mode === "ISTIO_MUTUAL" || mode === "AUTO_PASSTHROUGH") {
    report.error([...path, "mode"], `mode ${mode} is not supported in a Sidecar. Use SIMPLE or MUTUAL.`);
    return;
  }
  const old = tls.minProtocolVersion === "TLSV1_0" || tls.minProtocolVersion === "TLSV1_1";
  if (old && (tls.cipherSuites ?? []).length === 0) {
    report.warn(
      [...path, "minProtocolVersion"],
      "no cipher suite allowed by default fits versions below 1.2. Raise it, or name cipherSuites.",
    );
  }
  if (mode === "PASSTHROUGH") {
    if (caCrl || serverCertificate || privateKey || caCertificates)
      report.warn(path, "PASSTHROUGH uses no certificates. Remove them.");
    return;
  }
  const needed =
    mode === "SIMPLE" ? { serverCertificate, privateKey } : { serverCertificate, privateKey, caCertificates };
  for (const [field, file] of Object.entries(tlsCertificates.length > 0 ? {} : needed)) {
    if (!file) report.error(path, `mode ${mode} needs ${field}. Name the file.`);
  }
  if (caCrl && mode === "SIMPLE")
    report.error([...path, "caCrl"], "SIMPLE asks clients for no certificate, so caCrl means nothing. Remove it.");
}
