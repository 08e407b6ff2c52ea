/**
 * What Istio's dashboards and Kiali ask Prometheus, panel by panel, for the shop's traffic. The variables of dashboards are filled in as
 * Grafana does, and rates are of the whole window, since the traffic is over when they are asked for.
 */

const SOURCE = 'reporter=~"source|waypoint"';
const DESTINATION = 'reporter=~"destination|waypoint"';
const REVIEWS = 'destination_service=~"reviews.shop.svc.cluster.local"';
const TO_REVIEWS = 'destination_workload_namespace=~"shop",destination_workload=~"reviews-v1|reviews-v2"';
const quantile = (q: string, selector: string, by: string): string =>
  `histogram_quantile(${q}, sum(rate(istio_request_duration_milliseconds_bucket{${selector}}[1m])) by (${by}, le)) / 1000`;
const bytes = (name: string, selector: string): string =>
  `histogram_quantile(0.99, sum(rate(${name}_bucket{${selector}}[1m])) by (destination_workload, le))`;

export const DASHBOARDS: Readonly<Record<string, string>> = {
  "mesh: traffic volume": `round(sum(rate(istio_requests_total{${SOURCE}}[1m])), 0.001)`,
  "mesh: success rate": `sum(rate(istio_requests_total{${SOURCE},response_code!~"5.*"}[1m])) / sum(rate(istio_requests_total{${SOURCE}}[1m]))`,
  "mesh: 4xxs": `round(sum(rate(istio_requests_total{${SOURCE},response_code=~"4.*"}[1m])), 0.01) or vector(0)`,
  "mesh: 5xxs": `round(sum(rate(istio_requests_total{${SOURCE},response_code=~"5.*"}[1m])), 0.01) or vector(0)`,
  "mesh: workloads, requests": `label_join(sum(rate(istio_requests_total{${SOURCE}}[1m])) by (destination_workload, destination_workload_namespace, destination_service), "destination_workload_var", ".", "destination_workload", "destination_workload_namespace")`,
  "mesh: workloads, p50": quantile("0.50", SOURCE, "destination_workload, destination_workload_namespace"),
  "mesh: workloads, p99": quantile("0.99", SOURCE, "destination_workload, destination_workload_namespace"),
  "mesh: components by version": "sum(istio_build) by (component, tag)",
  "service: client request volume": `round(sum(rate(istio_requests_total{${SOURCE},${REVIEWS}}[5m])), 0.001)`,
  "service: client success rate": `sum(rate(istio_requests_total{${SOURCE},${REVIEWS},response_code!~"5.*"}[5m])) / sum(rate(istio_requests_total{${SOURCE},${REVIEWS}}[5m]))`,
  "service: client duration": quantile("0.99", `${SOURCE},${REVIEWS}`, "destination_service"),
  "service: server request volume": `round(sum(rate(istio_requests_total{${DESTINATION},${REVIEWS}}[5m])), 0.001)`,
  "service: incoming by source and code, mTLS": `round(sum(rate(istio_requests_total{connection_security_policy="mutual_tls",${REVIEWS},${DESTINATION}}[5m])) by (source_workload, source_workload_namespace, response_code), 0.001)`,
  "service: incoming by destination workload": `round(sum(rate(istio_requests_total{connection_security_policy="mutual_tls",${REVIEWS},${DESTINATION}}[5m])) by (destination_workload, destination_workload_namespace), 0.001)`,
  "service: request size": bytes("istio_request_bytes", `${DESTINATION},${REVIEWS}`),
  "service: response size": bytes("istio_response_bytes", `${DESTINATION},${REVIEWS}`),
  "workload: incoming requests": `round(sum(rate(istio_requests_total{${DESTINATION},${TO_REVIEWS}}[5m])), 0.001)`,
  "workload: outgoing requests": `round(sum(rate(istio_requests_total{${SOURCE},source_workload_namespace=~"shop",source_workload=~"gateway"}[5m])) by (destination_service, response_code), 0.001)`,
  "workload: request duration": quantile("0.95", `${DESTINATION},${TO_REVIEWS}`, "destination_workload"),
};

const GRAPH_LABELS = [
  ...["source_cluster", "source_workload_namespace", "source_workload", "source_canonical_service"],
  ...["source_canonical_revision", "destination_cluster", "destination_service_namespace", "destination_service"],
  ...["destination_service_name", "destination_workload_namespace", "destination_workload"],
  ...["destination_canonical_service", "destination_canonical_revision", "request_protocol", "response_code"],
  ...["grpc_response_status", "response_flags"],
].join(",");

export const KIALI = {
  graph: `sum(rate(istio_requests_total{reporter="source",source_workload_namespace="shop"}[1m])) by (${GRAPH_LABELS}) > 0`,
  incoming: `sum(rate(istio_requests_total{reporter="destination",destination_service_namespace="shop"}[1m])) by (${GRAPH_LABELS}) > 0`,
  padlock: `sum(rate(istio_requests_total{reporter="destination",destination_workload_namespace="shop"}[1m])) by (source_workload,destination_workload,source_principal,destination_principal,connection_security_policy) > 0`,
  responseTime: `sum(rate(istio_request_duration_milliseconds_sum{reporter="source"}[1m])) by (source_workload,destination_service_name) / sum(rate(istio_request_duration_milliseconds_count{reporter="source"}[1m])) by (source_workload,destination_service_name) > 0`,
};
