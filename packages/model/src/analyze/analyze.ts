/**
 * A set of valid documents judged together: what they name and nobody has, who contradicts whom, what has no effect. What
 * can be said of a document alone, validation has said before (policy-semantics §6.8 lists the codes).
 */

import { GATEWAY_ROUTE_KINDS } from "../compile/gateway-parent.js";
import { compileSettings } from "../compile/settings.js";
import type { AuthorizationPolicySpec } from "../kind/authorization-policy.js";
import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { GatewayRouteSpec } from "../kind/gateway-grpc-route.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { PeerAuthenticationSpec } from "../kind/peer-authentication.js";
import type { RateLimitSpec } from "../kind/rate-limit.js";
import type { RequestAuthenticationSpec } from "../kind/request-authentication.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { ServiceSpec } from "../kind/service.js";
import type { ServiceEntrySpec } from "../kind/service-entry.js";
import type { SidecarSpec } from "../kind/sidecar.js";
import type { TelemetrySpec } from "../kind/telemetry.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Problem } from "../problem.js";
import type { Document, Kind, Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { checkDeprecatedRoutes, checkDeprecatedSidecar } from "./deprecated-fields.js";
import { checkDestinationRule } from "./destination-rule-references.js";
import { collectFindings } from "./finding.js";
import { checkGatewayReferences } from "./gateway-references.js";
import { checkGatewayRoute, checkTwoLanguages } from "./gateway-routes.js";
import { checkAuthorizerHeaders, checkHeaderCommands } from "./header-commands.js";
import { checkHostConflicts } from "./host-conflicts.js";
import { checkHostPolicies } from "./host-policies.js";
import { checkMeshModes } from "./mesh-modes.js";
import { checkScopes } from "./out-of-scope.js";
import { checkPassedOver } from "./passed-over.js";
import { checkPeerAuthentications, checkPlaintextToStrict } from "./peer-authentications.js";
import { checkRulesBehindAll } from "./rules-behind-all.js";
import { checkAccounts, checkAuthorizationPolicy, checkWhomItMeans } from "./security-policies.js";
import { checkAddresses } from "./service-entry-addresses.js";
import { checkSidecars } from "./sidecar-conflicts.js";
import { checkTelemetries } from "./telemetries.js";
import { analyzedSet } from "./views.js";
import { checkReferences } from "./virtual-service-references.js";

export interface Beside {
  /** What was refused by one of Istio's rules, judged as if it held: the next fault then does not wait for the first. */
  readonly refused?: readonly Resource[];
  /** Documents of kinds without effect here. Left out: they are not known, and nothing is said of who names them. */
  readonly passedOver?: readonly Document[];
}

/**
 * @param valid oldest or newest first, it does not matter
 * @param workloads running processes: they make services exist, and tell which subsets are empty. Without any, a host
 *   that nothing declares is no error, since a process may bring it
 * @returns every finding, by resource in the order given
 */
export function analyze(
  valid: readonly Resource[],
  workloads: readonly Workload[] = [],
  { refused = [], passedOver }: Beside = {},
): readonly Problem[] {
  const resources = [...valid, ...refused];
  const problems: Problem[] = [];
  const report = collectFindings(problems);
  const set = analyzedSet(resources, workloads);
  const ofKind = <Spec>(kind: Kind) => resources.filter((resource) => resource.kind === kind) as Resource<Spec>[];
  const virtualServices = ofKind<VirtualServiceSpec>("VirtualService");
  const meshConfig = ofKind<MeshConfigSpec>("MeshConfig")[0];
  const { exportTo, mesh, autoMtls, telemetry } = compileSettings(meshConfig);
  const gateways = passedOver && checkPassedOver(passedOver, problems, report);
  for (const resource of virtualServices) {
    checkReferences(resource, set, report);
    if (gateways !== undefined) checkGatewayReferences(resource, gateways, report);
    checkRulesBehindAll(resource, report);
    checkDeprecatedRoutes(resource, report);
    checkHeaderCommands(resource, report);
  }
  if (meshConfig !== undefined) checkAuthorizerHeaders(meshConfig, report);
  const gatewayRoutes = GATEWAY_ROUTE_KINDS.flatMap((kind) => ofKind<GatewayRouteSpec>(kind));
  for (const resource of gatewayRoutes) checkGatewayRoute(resource, set, report);
  checkTwoLanguages(gatewayRoutes, virtualServices, exportTo.virtualService, report);
  checkHostConflicts(virtualServices, new Set(refused), exportTo.virtualService, report);
  for (const resource of ofKind<ServiceEntrySpec>("ServiceEntry")) checkAddresses(resource, meshConfig, report);
  for (const resource of ofKind<DestinationRuleSpec>("DestinationRule")) {
    checkDestinationRule(resource, set, report);
    checkPlaintextToStrict(resource, set, report);
  }
  const sidecars = ofKind<SidecarSpec>("Sidecar");
  for (const resource of sidecars) checkDeprecatedSidecar(resource, report);
  checkScopes(sidecars, virtualServices, set, workloads, report);
  checkSidecars(sidecars, report);
  checkMeshModes(ofKind<MeshModeSpec>("MeshMode"), workloads, mesh.rootNamespace, report);
  checkHostPolicies(
    {
      breakers: ofKind<CircuitBreakerSpec>("CircuitBreaker"),
      resiliences: ofKind<ResilienceSpec>("Resilience"),
      rateLimits: ofKind<RateLimitSpec>("RateLimit"),
    },
    set,
    mesh.rootNamespace,
    report,
  );
  const authorization = ofKind<AuthorizationPolicySpec>("AuthorizationPolicy");
  const tokens = ofKind<RequestAuthenticationSpec>("RequestAuthentication");
  const peers = ofKind<PeerAuthenticationSpec>("PeerAuthentication");
  const { rootNamespace } = mesh;
  checkPeerAuthentications(peers, rootNamespace, autoMtls, report);
  for (const resource of [...authorization, ...tokens, ...peers]) {
    checkWhomItMeans(resource, { workloads, rootNamespace }, report);
  }
  for (const resource of authorization) checkAuthorizationPolicy(resource, tokens, meshConfig, rootNamespace, report);
  for (const resource of ofKind<ServiceSpec>("Service")) checkAccounts(resource, report);
  const telemetries = ofKind<TelemetrySpec>("Telemetry");
  checkTelemetries(telemetries, { workloads, rootNamespace, settings: telemetry }, report);
  const order = new Map([...resources, ...(passedOver ?? [])].map(({ key }, index) => [key, index]));
  return problems.sort((a, b) => (order.get(a.resource) ?? 0) - (order.get(b.resource) ?? 0));
}
