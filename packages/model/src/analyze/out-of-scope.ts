/** Rules whose destinations a Sidecar keeps from its callers, silently in Istio. policy-semantics §3.3. */

import { expandRules, type Rule } from "../compile/delegate.js";
import { isOfOthers } from "../compile/routed-ports.js";
import { ClientView } from "../compile/view.js";
import type { SidecarSpec } from "../kind/sidecar.js";
import type { HttpMatchSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path, Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { type Finding, placeOf } from "./finding.js";
import { routeDestinations } from "./route-destinations.js";
import type { AnalyzedSet } from "./views.js";

const OUT_OF_SCOPE = "IM0314";

/** Of callers in a Sidecar's namespace: whom one of the root namespace means besides, nobody knows beforehand. */
export function checkScopes(
  sidecars: readonly Resource<SidecarSpec>[],
  virtualServices: readonly Resource<VirtualServiceSpec>[],
  set: AnalyzedSet,
  workloads: readonly Workload[],
  report: Finding,
): void {
  const rules = virtualServices.flatMap(({ spec }) => spec.http ?? []);
  const anyDivided = rules.some(({ match = [] }) => match.some(isForOne) && !match.every(isForOne));
  for (const sidecar of sidecars) {
    const { egress = [] } = sidecar.spec;
    // Nothing else keeps from callers what rules send to, and to look through each one's eyes takes its time.
    if (egress.some(({ port }) => port !== undefined) || (anyDivided && egress.length > 0)) {
      checkScope(sidecar, set, workloads, report);
    }
  }
}

const isForOne = ({ sourceNamespace }: HttpMatchSpec): boolean => Boolean(sourceNamespace);

function checkScope(
  sidecar: Resource<SidecarSpec>,
  { resources, viewOf }: AnalyzedSet,
  workloads: readonly Workload[],
  report: Finding,
): void {
  const { namespace, spec } = sidecar;
  const client = { namespace, service: "", labels: spec.workloadSelector?.labels ?? {} };
  const others = resources.filter(({ kind }) => kind !== "Sidecar");
  const scoped = new ClientView({ resources: [...others, sidecar], workloads, client }, undefined);
  const { virtualServices } = scoped;
  for (const root of virtualServices.imported) {
    const find = (space: string, name: string) => virtualServices.delegate(space, name, root.namespace);
    for (const rule of expandRules(root, find)) checkRule(rule, sidecar, scoped, viewOf(namespace), report);
  }
}

function checkRule(
  { spec, resource, index }: Rule,
  sidecar: Resource,
  scoped: ClientView,
  whole: ClientView,
  report: Finding,
): void {
  const { namespace } = sidecar;
  const ofOthers = isOfOthers(spec, namespace);
  if (ofOthers && spec.match?.every(isForOne)) return; // none of them is asked
  for (const { destination, path } of routeDestinations({ http: [spec] })) {
    const { host = "", port } = destination;
    const wanted = port?.number;
    const service = whole.service(host);
    if (!wanted || service === undefined || !whole.hasPort(service, wanted)) continue;
    const seen = scoped.service(host);
    if (seen !== undefined && scoped.hasPort(seen, wanted)) continue;
    const why = ofOthers
      ? "since other matches of the rule name other namespaces. Make two rules of it, or give a listener the host"
      : `since no listener for port ${wanted}, and none without a port, lets the rule or the host through. Add one`;
    const at: Path = ["spec", "http", index, ...path.slice(3)];
    report(
      resource,
      at,
      OUT_OF_SCOPE,
      "warning",
      `callers under ${placeOf(sidecar)} get 503 for what is sent to "${host}", port ${wanted}, ${why}.`,
    );
  }
}
