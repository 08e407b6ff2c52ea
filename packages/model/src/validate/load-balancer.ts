/** Rules of load balancing and localities. policy-semantics §2.4, §2.5 and §6.4. */

import type { LoadBalancerSpec, LocalityLbSpec, ZoneAwareLbSpec } from "../kind/traffic-policy.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import type { Report } from "./report.js";

/** Envoy's largest maglev table is the prime below this. */
const MAGLEV_TABLE_LIMIT = 5_000_011;

const TOPOLOGY_LABELS: ReadonlySet<string> = new Set([
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.istio.io/subzone",
]);

/** @param hasOutlierDetection without it nothing is ever known to be unhealthy, so nothing fails over */
export function checkLoadBalancer(
  balancer: LoadBalancerSpec | undefined,
  hasOutlierDetection: boolean,
  path: Path,
  report: Report,
): void {
  if (balancer === undefined) return;
  checkConsistentHash(balancer.consistentHash, [...path, "consistentHash"], report);
  const { localityLbSetting, zoneAwareLbSetting, warmup } = balancer;
  if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined) {
    report.error(path, "localityLbSetting and zoneAwareLbSetting exclude each other. Remove one.");
  }
  checkLocality(localityLbSetting, hasOutlierDetection, [...path, "localityLbSetting"], report);
  checkZoneAware(zoneAwareLbSetting, hasOutlierDetection, [...path, "zoneAwareLbSetting"], report);
  if (warmup === undefined) return;
  const at = [...path, "warmup"];
  if (warmup.duration === undefined) report.error(at, "the warmup has no duration. Set one.");
  report.range([...at, "minimumPercent"], warmup.minimumPercent, 0, 100);
  if (warmup.aggression !== undefined && !(warmup.aggression > 0)) {
    report.error([...at, "aggression"], `found ${warmup.aggression}, expected more than 0. Correct it.`);
  }
}

function checkConsistentHash(hash: LoadBalancerSpec["consistentHash"], path: Path, report: Report): void {
  if (hash === undefined) return;
  if (hash.httpCookie !== undefined && !hash.httpCookie.name) {
    report.error([...path, "httpCookie"], "the cookie has no name. Name it.");
  }
  const names = new Set<string>();
  for (const [index, { name = "" }] of (hash.httpCookie?.attributes ?? []).entries()) {
    const at = [...path, "httpCookie", "attributes", index];
    if (name === "") report.error(at, "the attribute has no name. Name it.");
    else if (names.has(name)) report.error(at, `attribute ${quote(name)} is there twice. Remove one.`);
    names.add(name);
  }
  if ((hash.minimumRingSize ?? 0) !== 0) {
    const at = [...path, "minimumRingSize"];
    report.warn(at, "minimumRingSize is deprecated here. Write ringHash: {minimumRingSize: …}.");
    if (hash.ringHash !== undefined || hash.maglev !== undefined) {
      report.error(at, "minimumRingSize excludes ringHash and maglev. Keep one of them.");
    }
  }
  if (hash.maglev === undefined) return;
  const { tableSize = 0 } = hash.maglev;
  if (tableSize < MAGLEV_TABLE_LIMIT && isPrime(tableSize)) return;
  report.error(
    [...path, "maglev"],
    `tableSize is ${tableSize}, expected a prime below ${MAGLEV_TABLE_LIMIT}. Set for instance 65537.`,
  );
}

/** 1 passes, as in Envoy. */
function isPrime(number: number): boolean {
  if (number < 4) return number > 0;
  if (number % 2 === 0) return false;
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false;
  return true;
}

export function checkLocality(
  setting: LocalityLbSpec | undefined,
  hasOutlierDetection: boolean,
  path: Path,
  report: Report,
): void {
  if (setting === undefined) return;
  const { distribute = [], failover = [], failoverPriority = [] } = setting;
  if (distribute.length > 0 && failover.length > 0) {
    report.error(path, "distribute and failover exclude each other. Remove one.");
    return;
  }
  const topology = failoverPriority.find((name) => TOPOLOGY_LABELS.has(name));
  if (failover.length > 0 && topology !== undefined) {
    report.error(
      [...path, "failoverPriority"],
      `with failover the label ${quote(topology)} is already spoken for. Remove one of the two.`,
    );
    return;
  }
  for (const [index, { to = {} }] of distribute.entries()) {
    const at = [...path, "distribute", index, "to"];
    for (const [locality, weight] of Object.entries(to)) report.range([...at, locality], weight, 1, 100);
    const total = Object.values(to).reduce((sum, weight) => sum + weight, 0);
    if (total !== 100) report.error(at, `the weights sum up to ${total}, expected 100. Correct them.`);
    report.check(at, localitiesFault(Object.keys(to)));
  }
  report.check([...path, "distribute"], localitiesFault(distribute.map(({ from = "" }) => from)));
  checkFailover(setting, hasOutlierDetection, path, report);
}

export function checkZoneAware(
  setting: ZoneAwareLbSpec | undefined,
  hasOutlierDetection: boolean,
  path: Path,
  report: Report,
): void {
  if (setting === undefined) return;
  if (setting.minClusterSize === 0)
    report.error([...path, "minClusterSize"], "found 0, expected at least 1. Correct it.");
  for (const [index, name] of (setting.failoverPriority ?? []).entries()) {
    if (!TOPOLOGY_LABELS.has(name)) continue;
    report.error([...path, "failoverPriority", index], `${quote(name)} is taken into account by itself. Remove it.`);
  }
  checkFailover(setting, hasOutlierDetection, path, report);
}

function checkFailover(setting: ZoneAwareLbSpec, hasOutlierDetection: boolean, path: Path, report: Report): void {
  const { failover = [], failoverPriority = [] } = setting;
  if (failover.length + failoverPriority.length > 0 && !hasOutlierDetection) {
    report.warn(path, "nothing fails over without outlierDetection in the same policy. Add it.");
  }
  for (const [index, { from = "", to = "" }] of failover.entries()) {
    const at = [...path, "failover", index];
    if (from === to) report.error(at, `from and to are both ${quote(from)}. Name two regions.`);
    if (/[/*]/.test(from + to)) report.error(at, 'regions only: no "/" and no "*". Write the name of the region.');
  }
}

/** `region`, `region/zone` or `region/zone/subzone`; none may lie in another that was named before it. */
function localitiesFault(localities: readonly string[]): string | undefined {
  const whole = new Set<string>();
  const begun = new Set<string>();
  for (const locality of localities) {
    if (/\*(?=.)/.test(locality)) return `in ${quote(locality)} only the last character may be "*". Correct it.`;
    const parts = locality.split("/");
    const [region = "", zone, ...rest] = parts;
    const subZone = zone === undefined || rest.length === 0 ? undefined : rest.join("/");
    if (region === "" || zone === "" || subZone === "")
      return `locality ${quote(locality)} has an empty part. Fill or remove it.`;
    const steps = [region, ...(zone === undefined ? [] : [zone]), ...(subZone === undefined ? [] : [subZone])];
    const names = steps.map((_, index) => steps.slice(0, index + 1).join("/"));
    const own = names[names.length - 1] ?? "";
    const covered =
      whole.has("*") ||
      names.some((name) => whole.has(name)) ||
      names.slice(0, -1).some((name) => whole.has(`${name}/*`));
    if (covered || begun.has(own))
      return `locality ${quote(locality)} overlaps with another one. Remove one of the two.`;
    whole.add(own);
    for (const name of names) begun.add(name);
  }
  return undefined;
}
