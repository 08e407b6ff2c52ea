/**
 * Which instances of which services stand behind each place that chains lead to, and how they are told apart.
 *
 * A place is a subset of its service's host. Where Consul's filter is no more than values of meta, and nobody stands in, the
 * subset has those as its labels. Otherwise the instances themselves get labels when they are read: `inmesh.dev/consul-NAME`
 * on those the filter means, and, where others stand in (a datacenter, another service or subset), one more for each step
 * they are nearer, so that failoverPriority puts them in Consul's order. Instances that stand in are instances of the host,
 * too: subsets keep them from everybody else's calls.
 */

import { type Place, shownPlace, type Target } from "./chain.js";
import type { ConfigEntries, ResolverSubset } from "./config-entry.js";
import { FieldFault, isData } from "./field.js";
import { FilterFault, type ParsedFilter, parseFilter } from "./filter.js";

/** A place as one subset of its host; name empty: the whole service. */
export interface Cluster {
  readonly target: Target;
  readonly subset: string;
  readonly labels: Readonly<Record<string, string>>;
  /** For localityLbSetting, where others stand in. */
  readonly failoverPriority: readonly string[];
}

/** Instances that a service needs to be called; dc absent: of the datacenter that is asked. */
export interface NeededInstances {
  readonly service: string;
  readonly dc?: string;
}

/** Instances that stand behind a service. */
export interface Member extends NeededInstances {
  /**
   * Labels of one beside its own. @param instance as `/v1/health/service/NAME` lists it
   * @returns undefined: it does not stand behind the service
   */
  labels(instance: unknown): Readonly<Record<string, string>> | undefined;
}

const LABEL_PREFIX = "inmesh.dev/consul-";
/** Of instances that are the service's own, where others stand behind it, too. */
export const OWN_LABEL = "inmesh.dev/consul-own";
export const YES = "true";
const NONE: Readonly<Record<string, string>> = Object.freeze({});

export class ClusterPlan {
  readonly #entries: ConfigEntries;
  readonly #datacenter: string;
  readonly #filters = new Map<string, ParsedFilter | FilterFault>();
  readonly #byHost = new Map<string, Map<string, Cluster>>();
  readonly #members = new Map<string, readonly Member[]>();

  /** @param targets that chains lead to, and whatever else may be called by its subset; some twice */
  constructor(entries: ConfigEntries, datacenter: string, targets: readonly Target[]) {
    this.#entries = entries;
    this.#datacenter = datacenter;
    const byHost = new Map<string, Map<string, Target>>();
    for (const target of targets) {
      const ofHost = byHost.get(target.service) ?? new Map<string, Target>();
      byHost.set(target.service, ofHost.set(shownPlace(target), target));
    }
    for (const [host, ofHost] of byHost) this.#planHost(host, [...ofHost.values()]);
  }

  /** Of every service that is called. */
  get hosts(): Iterable<string> {
    return this.#byHost.keys();
  }

  /** @throws {FieldFault} for a filter that is not understood */
  cluster(target: Target): Cluster {
    const cluster = this.#byHost.get(target.service)?.get(shownPlace(target));
    if (cluster === undefined) throw new FieldFault(`nothing is known of ${shownPlace(target)}`);
    for (const place of [target, ...target.failover]) this.#filter(place);
    return cluster;
  }

  /** In the order of their names. */
  clusters(host: string): readonly Cluster[] {
    const found = [...(this.#byHost.get(host)?.values() ?? [])].filter(
      ({ subset, target }) => subset !== "" && !(this.#tryFilter(target) instanceof FilterFault),
    );
    return found.sort((a, b) => (a.subset < b.subset ? -1 : 1));
  }

  /** Whether instances of elsewhere stand behind it, too: a call that no chain leads must not reach them. */
  hasGuests(host: string): boolean {
    return this.members(host).length > 1;
  }

  /** Its own instances first. */
  members(host: string): readonly Member[] {
    return this.#members.get(host) ?? itself(host);
  }

  #planHost(host: string, targets: readonly Target[]): void {
    const guests = targets.some(({ datacenter, failover }) => datacenter !== this.#datacenter || failover.length > 0);
    const names = new Set<string>();
    const clusters = new Map<string, Cluster>();
    const tests: { readonly name: string; readonly groups: readonly Place[] }[] = [];
    for (const target of targets) {
      const plain = guests ? undefined : this.#plainLabels(target);
      if (plain !== undefined && target.subset === "") {
        clusters.set(shownPlace(target), { target, subset: "", labels: NONE, failoverPriority: [] });
        continue;
      }
      const subset = this.#subsetName(target, guests, names);
      names.add(subset);
      const steps = target.failover.map((_, index) => `${labelName(subset)}.nearer-than-${index + 1}`);
      if (plain === undefined) tests.push({ name: subset, groups: [target, ...target.failover] });
      clusters.set(shownPlace(target), {
        ...{ target, subset },
        labels: plain ?? { [labelName(subset)]: YES },
        failoverPriority: steps.toReversed().map((label) => `${label}=${YES}`),
      });
    }
    this.#byHost.set(host, clusters);
    if (tests.length > 0) this.#members.set(host, this.#membersOf(host, tests));
  }

  #membersOf(host: string, tests: readonly { readonly name: string; readonly groups: readonly Place[] }[]): Member[] {
    const places = new Map<string, Place>();
    const own: Place = { service: host, subset: "", datacenter: this.#datacenter };
    for (const { service, datacenter } of [own, ...tests.flatMap(({ groups }) => groups)]) {
      places.set(shownPlace({ service, datacenter, subset: "" }), { service, datacenter, subset: "" });
    }
    const guests = places.size > 1;
    return [...places.values()].map(({ service, datacenter }) => {
      const local = datacenter === this.#datacenter;
      const labels = (instance: unknown): Readonly<Record<string, string>> | undefined => {
        const own = local && service === host;
        const made: Record<string, string> = own && guests ? { [OWN_LABEL]: YES } : {};
        for (const { name, groups } of tests) {
          const rank = groups.findIndex(
            (place) => place.service === service && place.datacenter === datacenter && this.#means(place, instance),
          );
          if (rank < 0) continue;
          made[labelName(name)] = YES;
          for (let step = rank + 1; step < groups.length; step++) made[`${labelName(name)}.nearer-than-${step}`] = YES;
        }
        return own || Object.keys(made).length > 0 ? made : undefined;
      };
      return { service, ...(!local && { dc: datacenter }), labels };
    });
  }

  /** Labels that say what a place is; undefined where the instances must be looked at. */
  #plainLabels(place: Place): Readonly<Record<string, string>> | undefined {
    if (place.subset === "") return NONE;
    if (this.#subset(place)?.onlyPassing === true) return undefined;
    const filter = this.#tryFilter(place);
    return filter instanceof FilterFault ? NONE : filter.labels;
  }

  #means(place: Place, instance: unknown): boolean {
    const filter = this.#tryFilter(place);
    if (filter instanceof FilterFault || !filter.matches(instance)) return false;
    return this.#subset(place)?.onlyPassing !== true || isPassing(instance);
  }

  #subset({ service, subset }: Pick<Place, "service" | "subset">): ResolverSubset | undefined {
    return this.#entries.resolvers.get(service)?.subsets.get(subset);
  }

  /** What is wrong with the filter of a subset. */
  fault(place: Pick<Place, "service" | "subset">): string | undefined {
    const filter = this.#tryFilter(place);
    return filter instanceof FilterFault ? filter.message : undefined;
  }

  #filter(place: Place): void {
    const filter = this.#tryFilter(place);
    if (filter instanceof FilterFault) {
      throw new FieldFault(
        `the filter of subset "${place.subset}" of ${place.service} is not understood: ${filter.message}`,
      );
    }
  }

  #tryFilter(place: Pick<Place, "service" | "subset">): ParsedFilter | FilterFault {
    const text = this.#subset(place)?.filter ?? "";
    const known = this.#filters.get(text);
    if (known !== undefined) return known;
    let filter: ParsedFilter | FilterFault;
    try {
      filter = parseFilter(text);
    } catch (error) {
      filter = error instanceof FilterFault ? error : new FilterFault(String(error));
    }
    this.#filters.set(text, filter);
    return filter;
  }

  /** Consul's own name where it can be; made unique where a datacenter, or the whole, needs one. */
  #subsetName({ subset, datacenter }: Target, guests: boolean, taken: ReadonlySet<string>): string {
    const far = datacenter !== this.#datacenter;
    const wanted = [subset, far ? datacenter : guests && subset === "" ? "local" : ""].filter((part) => part !== "");
    const name = wanted.join("-").slice(0, 63) || "all";
    for (let number = 1; ; number++) {
      const unique = number === 1 ? name : `${name.slice(0, 60)}-${number}`;
      if (!taken.has(unique)) return unique;
    }
  }
}

/** Of a service behind which nobody else stands. */
export function itself(service: string): readonly Member[] {
  return [{ service, labels: () => NONE }];
}

/** At most 63 characters behind the domain, with the longest that is put behind it. */
function labelName(subset: string): string {
  return `${LABEL_PREFIX}${subset.length <= 38 ? subset : `${subset.slice(0, 30)}-${checksum(subset)}`}`;
}

function checksum(text: string): string {
  let sum = 0;
  for (const char of text) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum.toString(36);
}

function isPassing(instance: unknown): boolean {
  const checks = isData(instance) ? instance["Checks"] : undefined;
  return !Array.isArray(checks) || checks.every((check) => isData(check) && check["Status"] === "passing");
}
