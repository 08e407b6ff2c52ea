/** How policy has the calls of a cluster balanced, in words. */

import type { LocalityPolicy, TrafficPolicy } from "@inmesh/model";
import type { BalancingPolicy } from "../balance/create.js";

const NAMES: Readonly<Record<TrafficPolicy["loadBalancer"], string>> = {
  leastRequest: "least request",
  roundRobin: "round robin",
  random: "random",
  peakEwma: "peak EWMA of latency",
  prequal: "Prequal",
  passThrough: "nobody: the address that was asked for",
};

/** `least request; newcomers warm up for 60 s; nearest localities first`. */
export function balancingText({ loadBalancer, hash, warmup, locality, subsetSize }: BalancingPolicy): string {
  return [
    hash === undefined ? NAMES[loadBalancer] : hashText(hash),
    ...(warmup === undefined ? [] : [`newcomers warm up for ${warmup.windowMs / 1_000} s`]),
    ...(subsetSize === undefined
      ? []
      : [`each process uses ${subsetSize} endpoints${locality ? " of a locality" : ""}`]),
    ...(locality === undefined ? [] : [localityText(locality)]),
  ].join("; ");
}

function hashText(hash: NonNullable<TrafficPolicy["hash"]>): string {
  return hash.kind === "maglev"
    ? `hash, on a maglev table of ${hash.tableSize} slots`
    : `hash, on a ring of at least ${hash.minimumRingSize} points`;
}

function localityText(locality: LocalityPolicy): string {
  switch (locality.kind) {
    case "zoneAware":
      return `the own zone first, from ${locality.minClusterSize} endpoints on`;
    case "failover": {
      const names = locality.labels.map(({ name }) => name);
      return [
        ...(names.length === 0 ? [] : [`equal labels first (${names.join(", ")})`]),
        ...(locality.nearness === undefined ? [] : ["nearest localities first"]),
      ].join(", then ");
    }
    case "distribute": {
      const shares = locality.shares.map(({ to, ratio }) => `${Math.round(ratio * 100)}% to ${placeText(to)}`);
      return `localities by share: ${shares.join(", ")}`;
    }
  }
}

function placeText({ region, zone, subZone }: { region: string; zone: string; subZone: string }): string {
  return [region, zone, subZone].join("/").replace(/\/+$/, "") || "any";
}
