/** How a workload is called in Istio's metrics, by its labels: the same at both ends of a call. */

/** Of one end of a call. */
export interface WorkloadLabels {
  readonly workload: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}

/** Label that a process bears whose setting `workload` names it. */
export const WORKLOAD_LABEL = "inmesh.dev/workload";
/** Istio's, for the cluster that a workload runs in. */
export const CLUSTER_LABEL = "topology.istio.io/cluster";
export const DEFAULT_CLUSTER = "default";
export const UNKNOWN = "unknown";

export const UNKNOWN_WORKLOAD: WorkloadLabels = Object.freeze({
  ...{ workload: UNKNOWN, namespace: UNKNOWN, app: UNKNOWN, version: UNKNOWN },
  ...{ canonicalService: UNKNOWN, canonicalRevision: "latest", cluster: UNKNOWN },
});

type Labels = Readonly<Record<string, string>>;

/** @param service its short name, for those whose labels name none */
export function workloadLabels(labels: Labels, service: string, namespace: string): WorkloadLabels {
  const app = labels["app"];
  const version = labels["version"];
  const base = app ?? service;
  const workload = labels[WORKLOAD_LABEL] ?? (version === undefined ? base : `${base}-${version}`);
  return {
    workload,
    namespace,
    app: app ?? UNKNOWN,
    version: version ?? UNKNOWN,
    canonicalService: labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? app ?? workload,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? version ?? "latest",
    cluster: labels[CLUSTER_LABEL] ?? DEFAULT_CLUSTER,
  };
}

/** What all of several have in common; what they differ in is unknown. Workload, service and cluster are known together or not at all. */
export function commonLabels(all: readonly WorkloadLabels[]): WorkloadLabels {
  const [first, ...rest] = all;
  if (first === undefined) return UNKNOWN_WORKLOAD;
  const common = { ...first };
  for (const other of rest) {
    for (const key of KEYS) if (common[key] !== other[key]) common[key] = UNKNOWN_WORKLOAD[key];
  }
  if (common.canonicalService === UNKNOWN || common.cluster === UNKNOWN) {
    return { ...common, workload: UNKNOWN, canonicalService: UNKNOWN, cluster: UNKNOWN };
  }
  // Several versions of one service: Istio has a workload for each, and a caller's certificate does not say which.
  if (common.workload === UNKNOWN) return { ...common, workload: common.canonicalService };
  return common;
}

const KEYS = ["workload", "namespace", "app", "version", "canonicalService", "canonicalRevision", "cluster"] as const;
