/** Endpoints by place, well and ill, under rules about localities; what istiod 1.26 tells Envoy of each is written beside it. */

/** So many endpoints in a locality. */
export interface Place {
  readonly locality: string;
  /** istiod's priority, or weight where the rule distributes. */
  readonly of: number;
  readonly endpoints: number;
  readonly ill: number;
}

export interface Scenario {
  readonly name: string;
  /** trafficPolicy */
  readonly yaml: string;
  readonly places: readonly Place[];
  /** What `of` is, and whether istiod writes `locality_weighted_lb_config`; `zone`: `zone_aware_lb_config`. */
  readonly by: "rank" | "rank, weighed" | "weight" | "zone";
  /** minHealthPercent */
  readonly panic: number;
}

const LOCALITIES: Readonly<Record<string, string>> = {
  here: "eu/eu-1/a",
  zone: "eu/eu-1/b",
  eu2: "eu/eu-2/a",
  eu3: "eu/eu-3/a",
  us: "us/us-1/a",
  us2: "us/us-2/a",
  ap: "ap/ap-1/a",
};

/** Of the caller. */
export const OWN = { region: "eu", zone: "eu-1", sub_zone: "a" };

/** `here 0 3/4`: in that place, of rank 0, three of four are well. */
function placesOf(text: string): readonly Place[] {
  return text.split(", ").map((each) => {
    const [, place = "", of, well, endpoints] = /^(\w+) (\d+) (\d+)\/(\d+)$/.exec(each) ?? [];
    return {
      locality: LOCALITIES[place] ?? "",
      of: Number(of),
      endpoints: Number(endpoints),
      ill: Number(endpoints) - Number(well),
    };
  });
}

/** Where the caller's own service runs. */
export const PEERS = placesOf("here 0 2/2, eu2 0 1/1, eu3 0 1/1");

const scenario =
  (by: Scenario["by"], balancer: string) =>
  (name: string, places: string, panic = 0) => {
    const outliers = `{maxEjectionPercent: 100, baseEjectionTime: 1h, interval: 1h, minHealthPercent: ${panic}}`;
    const yaml = `{outlierDetection: ${outliers}${balancer && `, loadBalancer: {${balancer}}`}}`;
    return { name, yaml, places: placesOf(places), by, panic };
  };
const failover = scenario("rank", "");
const ordered = scenario("rank, weighed", "localityLbSetting: {failover: [{from: eu, to: ap}]}");
const byLabel = scenario("rank, weighed", "localityLbSetting: {failoverPriority: [topology.kubernetes.io/region]}");
const shared = scenario("weight", 'localityLbSetting: {distribute: [{from: eu/*, to: {"eu/*": 70, "us/*": 30}}]}');
const zones = scenario("zone", "zoneAwareLbSetting: {}");

export const SCENARIOS: readonly Scenario[] = [
  failover("one-of-four-ill", "here 0 3/4, zone 1 4/4"),
  failover("half-ill", "here 0 2/4, zone 1 4/4, us 2 4/4"),
  failover("down-two-ranks", "here 0 1/4, zone 1 1/4, eu2 2 4/4, us 3 4/4"),
  failover("nearest-gone", "here 0 0/4, zone 1 1/4, eu2 2 1/4, us 3 1/4"),
  failover("too-little-left", "here 0 1/4, zone 1 0/4, us 2 1/5"),
  failover("alike-far-away", "here 0 0/2, us 1 3/4, ap 1 4/4"),
  failover("all-panic", "here 0 1/4, us 1 1/8", 50),
  failover("one-panics", "here 0 1/5, us 1 2/4", 40),
  failover("no-panic-while-enough", "here 0 1/4, us 1 2/4", 50),
  failover("nobody-left", "here 0 0/2, us 1 0/4", 50),
  ordered("in-order", "here 0 0/2, ap 1 0/2, us 2 3/4, us2 2 4/4"),
  ordered("weighed", "here 0 0/2, us 1 1/4, us2 1 4/4"),
  ordered("weighed-panic", "here 0 0/2, us 1 0/4, us2 1 2/4", 60),
  byLabel("by-label", "here 0 2/4, eu2 0 4/4, us 1 4/4"),
  shared("shared-far-ill", "here 70 4/4, us 30 1/4"),
  shared("shared-near-ill", "here 70 1/5, us 30 3/4"),
  shared("shared-panic", "here 70 0/2, us 30 3/6", 60),
  zones("zones-even", "here 0 3/3, eu2 0 3/3, eu3 0 3/3"),
  zones("zone-too-small", "here 0 2/2, eu2 0 6/6, eu3 0 4/4"),
  zones("zone-ill", "here 0 2/4, eu2 0 4/4, eu3 0 4/4"),
  zones("zone-gone", "here 0 0/3, eu2 0 5/5, eu3 0 3/3"),
  zones("too-few-for-zones", "here 0 1/1, eu2 0 4/4"),
];
