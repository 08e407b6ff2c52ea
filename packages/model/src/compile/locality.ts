/**
 * Which localities the calls of one client go to. policy-semantics §2.5.
 *
 * One setting is in force, never two merged: of the rule (zone awareness before localities), else of the service, else of
 * the mesh, whose localities are on unless they are switched off. Failover needs outlierDetection in the same policy, as
 * nobody would ever be known to be ill; only a service's own wish forces it.
 */

import type { LoadBalancerSpec, LocalityLbSpec, ZoneAwareLbSpec } from "../kind/traffic-policy.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import type { LocalityDistribution, LocalityFailover, LocalityPolicy, Nearness } from "../snapshot/traffic-policy.js";
import type { Locality, Service } from "../snapshot/workload.js";
import type { CompilerSettings } from "./settings.js";
import { TOPOLOGY, topologyLabels } from "./topology.js";
import { parseLocality } from "./workload.js";

/** Envoy's: with fewer endpoints zones do not count. */
const MIN_CLUSTER_SIZE = 6;

const NEAR = [TOPOLOGY.network, TOPOLOGY.region, TOPOLOGY.zone];
const PREFERENCES: Readonly<Record<NonNullable<Service["prefers"]>, readonly string[]>> = {
  sameZone: NEAR,
  sameNode: [...NEAR, TOPOLOGY.subZone, TOPOLOGY.host],
};

interface Wish {
  readonly zoneAware?: ZoneAwareLbSpec | undefined;
  readonly setting?: LocalityLbSpec | undefined;
  readonly forced?: boolean;
}

export function compileLocality(
  balancer: LoadBalancerSpec | undefined,
  hasOutlierDetection: boolean,
  service: Service,
  client: ClientContext,
  settings: CompilerSettings,
): LocalityPolicy | undefined {
  const { zoneAware, setting, forced } = wish(balancer, service, settings);
  if (zoneAware !== undefined) {
    const { failover, failoverPriority, minClusterSize } = zoneAware;
    const near = nearness(failover, client);
    if (near === undefined) return undefined; // a client of no zone prefers none
    const labels = hasOutlierDetection ? preferredLabels(failoverPriority, client) : [];
    return { kind: "zoneAware", minClusterSize: minClusterSize ?? MIN_CLUSTER_SIZE, labels, nearness: near };
  }
  if (setting === undefined) return undefined;
  if (setting.distribute !== undefined && setting.distribute.length > 0)
    return distribution(setting.distribute, client);
  return hasOutlierDetection || forced ? failover(setting, client) : undefined;
}

function wish(balancer: LoadBalancerSpec | undefined, service: Service, settings: CompilerSettings): Wish {
  const { zoneAwareLbSetting, localityLbSetting } = balancer ?? {};
  if (zoneAwareLbSetting !== undefined) return isOn(zoneAwareLbSetting) ? { zoneAware: zoneAwareLbSetting } : {};
  if (localityLbSetting !== undefined) return isOn(localityLbSetting) ? { setting: localityLbSetting } : {};
  if (service.prefers !== undefined) {
    return { setting: { failoverPriority: [...PREFERENCES[service.prefers]] }, forced: true };
  }
  if (settings.zoneAware !== undefined && isOn(settings.zoneAware)) return { zoneAware: settings.zoneAware };
  return isOn(settings.localities) ? { setting: settings.localities } : {};
}

function isOn({ enabled }: { readonly enabled?: boolean | undefined }): boolean {
  return enabled !== false;
}

/** The first `from` that means the client; none: calls go everywhere. */
function distribution(
  rules: NonNullable<LocalityLbSpec["distribute"]>,
  { locality }: ClientContext,
): LocalityDistribution | undefined {
  const own = locality;
  if (own === undefined) return undefined;
  const rule = rules.find(({ from = "" }) => isWithin(own, localityPattern(from)));
  if (rule === undefined) return undefined;
  const shares = Object.entries(rule.to ?? {}).map(([to, weight]) => ({
    to: localityPattern(to),
    ratio: weight / 100,
  }));
  return { kind: "distribute", shares };
}

function failover({ failover, failoverPriority }: LocalityLbSpec, client: ClientContext): LocalityFailover | undefined {
  const labels = preferredLabels(failoverPriority, client);
  const onlyLabels = failoverPriority !== undefined && failoverPriority.length > 0 && !failover?.length;
  const near = onlyLabels ? undefined : nearness(failover, client);
  if (labels.length === 0 && near === undefined) return undefined;
  // istiod asks Envoy to weigh localities where an order is written, not for the one that holds by default.
  const isWritten = (failover?.length ?? 0) + (failoverPriority?.length ?? 0) > 0;
  return { kind: "failover", labels, ...(near && { nearness: near }), ...(isWritten && { weighsLocalities: true }) };
}

/** `name=value` compares with what is written; a name alone with the client's own, even if it has none. */
function preferredLabels(names: readonly string[] = [], client: ClientContext): LocalityFailover["labels"] {
  const own = { ...client.labels, ...topologyLabels(client.locality) };
  if (Object.keys(own).length === 0) return []; // as istiod: it knows nothing to compare with
  return names.map((text) => {
    const [name = "", value, ...more] = text.split("=");
    return { name, value: value === undefined || more.length > 0 ? (own[name] ?? "") : value };
  });
}

function nearness(rules: LocalityLbSpec["failover"], { locality }: ClientContext): Nearness | undefined {
  if (locality === undefined) return undefined;
  const toRegion = rules?.find(({ from }) => from === locality.region)?.to;
  return { own: locality, ...(toRegion !== undefined && { toRegion }) };
}

/** What is not written, and "*", is any. */
function localityPattern(text: string): Locality {
  return parseLocality(text.replace(/(^|\/)\*$/, "$1"));
}

function isWithin(own: Locality, { region, zone, subZone }: Locality): boolean {
  const fits = (wanted: string, found: string) => wanted === "" || wanted === found;
  return fits(region, own.region) && fits(zone, own.zone) && fits(subZone, own.subZone);
}
