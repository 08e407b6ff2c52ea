/** WorkloadEntry (networking.istio.io): one instance of a service, and the form of a lease. policy-semantics §3.2. */

import type * as z from "zod/mini";
import { message, stringMap, stringMapOfUint32, text, uint32 } from "./field.js";

export const workloadEntry = message({
  address: text,
  ports: stringMapOfUint32,
  labels: stringMap,
  network: text,
  locality: text,
  weight: uint32,
  serviceAccount: text,
});

export type WorkloadEntrySpec = z.infer<typeof workloadEntry>;
