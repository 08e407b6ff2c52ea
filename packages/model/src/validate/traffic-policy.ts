/** Rules of a traffic policy and its parts. policy-semantics §6.4. */

import type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  OutlierDetectionSpec,
  PortTrafficPolicySpec,
  TrafficPolicySpec,
} from "../kind/traffic-policy.js";
import type { Path } from "../resource.js";
import { checkLoadBalancer } from "./load-balancer.js";
import { fqdnFault, isIpAddress, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";

const EMPTY = "the policy is empty. Set a field, or remove it.";

export function checkTrafficPolicy(policy: TrafficPolicySpec | undefined, path: Path, report: Report): void {
  if (policy === undefined) return;
  if (Object.keys(policy).length === 0) report.error(path, EMPTY);
  checkCommon(policy, path, report);
  for (const [index, entry] of (policy.portLevelSettings ?? []).entries()) {
    checkPortPolicy(entry, [...path, "portLevelSettings", index], report);
  }
  const { tunnel, proxyProtocol, retryBudget } = policy;
  report.range([...path, "retryBudget", "percent"], retryBudget?.percent, 0, 100);
  if (tunnel === undefined) return;
  const at = [...path, "tunnel"];
  if (proxyProtocol !== undefined) report.error(at, "tunnel and proxyProtocol exclude each other. Remove one.");
  if (tunnel.protocol && tunnel.protocol !== "CONNECT" && tunnel.protocol !== "POST") {
    report.error([...at, "protocol"], 'the protocol is neither "CONNECT" nor "POST". Write one of them.');
  }
  const { targetHost = "", targetPort = 0 } = tunnel;
  if (!isIpAddress(targetHost)) report.check(targetHost === "" ? at : [...at, "targetHost"], fqdnFault(targetHost));
  report.check(targetPort === 0 ? at : [...at, "targetPort"], portFault(targetPort));
}

function checkPortPolicy(policy: PortTrafficPolicySpec, path: Path, report: Report): void {
  const { port, ...parts } = policy;
  if (port === undefined) report.error(path, "the entry names no port. Write port: {number: …}.");
  if (Object.keys(parts).length === 0) report.error(path, EMPTY);
  checkCommon(policy, path, report);
}

/** What a policy for all ports and one for a single port both have. */
function checkCommon(policy: Omit<PortTrafficPolicySpec, "port">, path: Path, report: Report): void {
  checkOutlierDetection(policy.outlierDetection, [...path, "outlierDetection"], report);
  checkConnectionPool(policy.connectionPool, [...path, "connectionPool"], report);
  checkLoadBalancer(policy.loadBalancer, policy.outlierDetection !== undefined, [...path, "loadBalancer"], report);
  checkClientTls(policy.tls, [...path, "tls"], report);
}

export function checkOutlierDetection(outlier: OutlierDetectionSpec | undefined, path: Path, report: Report): void {
  if (outlier === undefined) return;
  if ((outlier.consecutiveErrors ?? 0) !== 0) {
    const at = [...path, "consecutiveErrors"];
    report.warn(
      at,
      "consecutiveErrors is deprecated and ignored. Write consecutive5xxErrors or consecutiveGatewayErrors.",
    );
  }
  if ((outlier.consecutiveLocalOriginFailures ?? 0) > 0 && outlier.splitExternalLocalOriginErrors !== true) {
    const at = [...path, "consecutiveLocalOriginFailures"];
    report.error(at, "it counts only with splitExternalLocalOriginErrors: true. Set that, or remove it.");
  }
  report.range([...path, "maxEjectionPercent"], outlier.maxEjectionPercent, 0, 100);
  report.range([...path, "minHealthPercent"], outlier.minHealthPercent, 0, 100);
  for (const [index, code] of (outlier.outlierDetectionHttpErrorCodes ?? []).entries()) {
    report.range([...path, "outlierDetectionHttpErrorCodes", index], code, 100, 599);
  }
}

export function checkConnectionPool(pool: ConnectionPoolSpec | undefined, path: Path, report: Report): void {
  if (pool === undefined) return;
  const { tcp, http } = pool;
  if (tcp === undefined && http === undefined)
    report.error(path, "the pool has neither tcp nor http. Set one, or remove it.");
  const limits = {
    tcp: { maxConnections: tcp?.maxConnections },
    http: {
      http1MaxPendingRequests: http?.http1MaxPendingRequests,
      http2MaxRequests: http?.http2MaxRequests,
      maxRequestsPerConnection: http?.maxRequestsPerConnection,
      maxRetries: http?.maxRetries,
      maxConcurrentStreams: http?.maxConcurrentStreams,
    },
  };
  for (const [part, fields] of Object.entries(limits)) {
    for (const [field, value] of Object.entries(fields)) {
      if ((value ?? 0) < 0) report.error([...path, part, field], `found ${value}, expected 0 or more. Correct it.`);
    }
  }
  if (http?.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol === true) {
    report.error(
      [...path, "http", "useClientProtocol"],
      "UPGRADE and useClientProtocol contradict each other. Remove one.",
    );
  }
  const keepAlive = http?.http2KeepAlive;
  for (const field of keepAlive === undefined ? [] : (["interval", "timeout"] as const)) {
    if (keepAlive?.[field] === undefined)
      report.error([...path, "http", "http2KeepAlive"], `${field} is missing. Set it.`);
  }
}

const CONFIG_MAP = "configmap://";

export function checkClientTls(tls: ClientTlsSpec | undefined, path: Path, report: Report): void {
  if (tls === undefined) return;
  const { mode = "DISABLE", credentialName = "", caCertificates, clientCertificate, privateKey, caCrl } = tls;
  const hasNames = (tls.subjectAltNames ?? []).length > 0;
  const external = mode === "SIMPLE" || mode === "MUTUAL";
  if (credentialName.startsWith(CONFIG_MAP)) {
    const [namespace, ...rest] = credentialName.slice(CONFIG_MAP.length).split("/");
    if (rest.length !== 1 || namespace !== report.namespace) {
      report.error([...path, "credentialName"], `expected ${CONFIG_MAP}${report.namespace}/<name>. Correct it.`);
    }
  }
  if (
    tls.insecureSkipVerify === true &&
    external &&
    (caCertificates || hasNames || (mode === "SIMPLE" && credentialName))
  ) {
    const at = [...path, "insecureSkipVerify"];
    report.error(
      at,
      "nothing is verified, so caCertificates, credentialName and subjectAltNames contradict it. Remove one or the other.",
    );
  }
  if (external && credentialName !== "") {
    if (!(clientCertificate || caCertificates || privateKey || caCrl)) return;
    report.error(
      [...path, "credentialName"],
      "credentialName replaces the certificate files. Remove one or the other.",
    );
  } else if (mode === "MUTUAL") {
    for (const [field, file] of Object.entries({ clientCertificate, privateKey })) {
      if (!file)
        report.error(
          path,
          `mode MUTUAL needs ${field}. Name the file, or use ISTIO_MUTUAL for the mesh's own identity.`,
        );
    }
  }
}
