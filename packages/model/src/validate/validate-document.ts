/** A document judged alone: schema first, then Istio's own rules. What is wrong comes back as Problems, all of it. */

import { SCHEMAS, type SpecByKind, specPath } from "../kind/schema.js";
import type { Problem } from "../problem.js";
import { problemAt } from "../problem-at.js";
import { type Document, KINDS, type Kind, type ObjectMeta, type Path, type Resource } from "../resource.js";
import { withoutNullFields } from "./absent-fields.js";
import { checkAuthorizationPolicy } from "./authorization-policy.js";
import { checkDestinationRule } from "./destination-rule.js";
import { readEnvelope } from "./envelope.js";
import { checkGatewayGrpcRoute } from "./gateway-grpc-route.js";
import { checkGatewayHttpRoute } from "./gateway-http-route.js";
import { checkCircuitBreaker, checkRateLimit, checkResilience } from "./host-policy.js";
import { checkMeshMode, checkService } from "./kubernetes.js";
import { checkMeshConfig } from "./mesh-config.js";
import { checkPeerAuthentication } from "./peer-authentication.js";
import { Report } from "./report.js";
import { checkRequestAuthentication } from "./request-authentication.js";
import { reportSchemaFaults } from "./schema-fault.js";
import { checkServiceEntry } from "./service-entry.js";
import { checkSidecar } from "./sidecar.js";
import { checkTelemetry } from "./telemetry.js";
import { checkVirtualService } from "./virtual-service.js";
import { checkWorkloadEntry, checkWorkloadGroup } from "./workload-entry.js";

/** A resource whose kind tells the type of its spec. */
export type AnyResource = { readonly [K in Kind]: Resource<SpecByKind[K]> & { readonly kind: K } }[Kind];

export interface Validated {
  /** Absent when one of the problems is an error. */
  readonly resource?: AnyResource;
  /** What it would be, where its schema holds and one of Istio's rules does not: for those who judge a set. */
  readonly refused?: AnyResource;
  readonly problems: readonly Problem[];
}

type Check<K extends Kind> = (spec: SpecByKind[K], path: Path, report: Report, metadata: ObjectMeta) => void;

const CHECKS: { readonly [K in Kind]: Check<K> } = {
  VirtualService: checkVirtualService,
  DestinationRule: checkDestinationRule,
  ServiceEntry: checkServiceEntry,
  WorkloadEntry: (spec, path, report) => checkWorkloadEntry(spec, path, report),
  WorkloadGroup: checkWorkloadGroup,
  Sidecar: checkSidecar,
  MeshConfig: checkMeshConfig,
  Service: checkService,
  Namespace: () => {},
  MeshMode: checkMeshMode,
  HTTPRoute: checkGatewayHttpRoute,
  GRPCRoute: checkGatewayGrpcRoute,
  CircuitBreaker: checkCircuitBreaker,
  Resilience: checkResilience,
  RateLimit: checkRateLimit,
  PeerAuthentication: checkPeerAuthentication,
  RequestAuthentication: checkRequestAuthentication,
  AuthorizationPolicy: checkAuthorizationPolicy,
  Telemetry: checkTelemetry,
};

/** Never throws. Istio's rules are judged only where the schema holds: they take its types for granted. */
export function validateDocument(document: Document): Validated {
  try {
    return validate(document);
  } catch (error) {
    // A fault of ours must not take the mesh down with it: the document is refused, its neighbours go live.
    const message = `inmesh failed to judge the document (${String(error).slice(0, 200)}). It is refused. Please report it.`;
    return {
      problems: [
        problemAt(document.origin, [], { code: "IM0006", severity: "error", message, resource: document.key }),
      ],
    };
  }
}

function validate(document: Document): Validated {
  const kind = KINDS.find((name) => name === document.kind);
  const report = new Report(document);
  if (kind === undefined) {
    report.error(["kind"], `${document.kind} is no kind that inmesh reads. Remove the document.`);
    return { problems: report.problems() };
  }
  const metadata = readEnvelope(document, kind, report);
  const path = specPath(kind);
  const schema = SCHEMAS[kind];
  const written = kind === "MeshConfig" ? document.value : (document.value["spec"] ?? Object.create(null));
  const spec = withoutNullFields(written, schema);
  if (holdsProto(spec)) refuseProto(spec, path, report);
  const schemaReport = new Report(document);
  reportSchemaFaults(schema, spec, path, schemaReport);
  if (schemaReport.hasErrors) return { problems: [...report.problems(), ...schemaReport.problems()] };
  (CHECKS[kind] as Check<Kind>)(spec as SpecByKind[Kind], path, report, metadata);
  const problems = report.problems();
  const { apiVersion, key, name, namespace, origin, hash } = document;
  // The schema judges without converting, so the spec is the document's own data: null prototypes and all.
  const resource = { kind, apiVersion, key, name, namespace, metadata, spec, origin, hash } as AnyResource;
  return report.hasErrors ? { refused: resource, problems } : { resource, problems };
}

function holdsProto(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(holdsProto);
  if (Object.hasOwn(value, "__proto__")) return true;
  for (const key in value) if (holdsProto((value as Readonly<Record<string, unknown>>)[key])) return true;
  return false;
}

/** zod passes over `__proto__` in maps, so its value would go unjudged. No header, label or port has that name. */
function refuseProto(value: unknown, path: Path, report: Report): void {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) {
    report.error([...path, "__proto__"], '"__proto__" is not taken as a name. Rename it.');
  }
  for (const key in value) {
    const part = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof part === "object" && part !== null)
      refuseProto(part, [...path, Array.isArray(value) ? Number(key) : key], report);
  }
}
