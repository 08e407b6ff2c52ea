/**
 * A set of valid documents judged together: what they name and nobody has, who contradicts whom, what has no effect. What
 * can be said of a document alone, validation has said before (policy-semantics §6.8 lists the codes).
 */

import { compileSettings } from "../compile/settings.js";
import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { SidecarSpec } from "../kind/sidecar.js";
import type { VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Problem } from "../problem.js";
import type { Kind, Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { checkDeprecatedRoutes, checkDeprecatedSidecar } from "./deprecated-fields.js";
import { checkDestinationRule } from "./destination-rule-references.js";
import { collectFindings } from "./finding.js";
import { checkHeaderCommands } from "./header-commands.js";
import { checkHostConflicts } from "./host-conflicts.js";
import { checkMeshModes } from "./mesh-modes.js";
import { checkSidecars } from "./sidecar-conflicts.js";
import { analyzedSet } from "./views.js";
import { checkReferences } from "./virtual-service-references.js";

/**
 * @param resources validated
 * @param workloads running processes: they make services exist, and tell which subsets are empty. Without any, a host
 *   that nothing declares is no error, since a process may bring it
 * @returns every finding, by resource in the order given
 */
export function analyze(resources: readonly Resource[], workloads: readonly Workload[] = []): readonly Problem[] {
  const problems: Problem[] = [];
  const report = collectFindings(problems);
  const set = analyzedSet(resources, workloads);
  const ofKind = <Spec>(kind: Kind) => resources.filter((resource) => resource.kind === kind) as Resource<Spec>[];
  const virtualServices = ofKind<VirtualServiceSpec>("VirtualService");
  const { exportTo, mesh } = compileSettings(ofKind<MeshConfigSpec>("MeshConfig")[0]);
  for (const resource of virtualServices) {
    checkReferences(resource, set, report);
    checkDeprecatedRoutes(resource, report);
    checkHeaderCommands(resource, report);
  }
  checkHostConflicts(virtualServices, exportTo.virtualService, report);
  for (const resource of ofKind<DestinationRuleSpec>("DestinationRule")) checkDestinationRule(resource, set, report);
  const sidecars = ofKind<SidecarSpec>("Sidecar");
  for (const resource of sidecars) checkDeprecatedSidecar(resource, report);
  checkSidecars(sidecars, report);
  checkMeshModes(ofKind<MeshModeSpec>("MeshMode"), workloads, mesh.rootNamespace, report);
  const order = new Map(resources.map(({ key }, index) => [key, index]));
  return problems.sort((a, b) => (order.get(a.resource) ?? 0) - (order.get(b.resource) ?? 0));
}
