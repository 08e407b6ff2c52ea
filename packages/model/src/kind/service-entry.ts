/** ServiceEntry (networking.istio.io): a service that no platform registers. policy-semantics §3.1. */

import * as z from "zod/mini";
import { labelsSelector, message, stringList, text, uint32 } from "./field.js";
import { workloadEntry } from "./workload-entry.js";

const port = message({ number: uint32, protocol: text, name: text, targetPort: uint32 });

export const serviceEntry = message({
  hosts: stringList,
  addresses: stringList,
  ports: z.array(port),
  location: z.enum(["MESH_EXTERNAL", "MESH_INTERNAL"]),
  resolution: z.enum(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]),
  endpoints: z.array(workloadEntry),
  workloadSelector: labelsSelector,
  exportTo: stringList,
  subjectAltNames: stringList,
});

export type ServiceEntrySpec = z.infer<typeof serviceEntry>;
export type ServiceEntryPortSpec = z.infer<typeof port>;
