/** Who sends: what OpenTelemetry calls the resource of this process. */

import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  osDetector,
  processDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_NAMESPACE,
  ATTR_SERVICE_VERSION,
} from "@opentelemetry/semantic-conventions";

export type Env = Readonly<Record<string, string | undefined>>;

export interface ProcessNames {
  readonly env: Env;
  readonly service: string;
  readonly namespace: string;
  readonly instance: string;
  /** Of the application; empty. */
  readonly version: string;
}

const DETECTORS = {
  env: envDetector,
  host: hostDetector,
  os: osDetector,
  process: processDetector,
  serviceinstance: serviceInstanceIdDetector,
} as const;

/** What the environment says stands above what the mesh knows. */
export function resourceOf({ env, service, namespace, instance, version }: ProcessNames): Resource {
  const asked = (env["OTEL_NODE_RESOURCE_DETECTORS"]?.trim() || "env,host,process")
    .split(",")
    .map((name) => name.trim());
  const names = asked.includes("none") ? [] : asked.includes("all") ? Object.keys(DETECTORS) : ["env", ...asked];
  const detectors = [...new Set(names)].flatMap((name) =>
    Object.hasOwn(DETECTORS, name) ? [DETECTORS[name as keyof typeof DETECTORS]] : [],
  );
  const own = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: service,
    [ATTR_SERVICE_NAMESPACE]: namespace,
    [ATTR_SERVICE_INSTANCE_ID]: instance,
    ...(version !== "" && { [ATTR_SERVICE_VERSION]: version }),
  });
  return defaultResource().merge(own).merge(detectResources({ detectors }));
}
