/** PeerAuthentication (security.istio.io): whether who calls must show a certificate of the mesh. policy-semantics §4.2. */

import * as z from "zod/mini";
import { matchLabelsSelector, message } from "./field.js";

/** `UNSET` leaves it to the wider scope. */
const mutualTls = message({ mode: z.enum(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]) });

export const peerAuthentication = message({
  selector: matchLabelsSelector,
  mtls: mutualTls,
  /** By workload port, not by service port. */
  portLevelMtls: z.record(z.string(), mutualTls),
});

export type PeerAuthenticationSpec = z.infer<typeof peerAuthentication>;
export type MutualTlsSpec = z.infer<typeof mutualTls>;
