/** DestinationRule (networking.istio.io): what applies to traffic once its destination is chosen. policy-semantics §2. */

import * as z from "zod/mini";
import { matchLabelsSelector, message, stringList, stringMap, text } from "./field.js";
import { trafficPolicy } from "./traffic-policy.js";

const subset = message({
  name: text,
  labels: stringMap,
  trafficPolicy: trafficPolicy,
});

export const destinationRule = message({
  host: text,
  trafficPolicy: trafficPolicy,
  subsets: z.array(subset),
  exportTo: stringList,
  workloadSelector: matchLabelsSelector,
});

export type DestinationRuleSpec = z.infer<typeof destinationRule>;
export type SubsetSpec = z.infer<typeof subset>;
