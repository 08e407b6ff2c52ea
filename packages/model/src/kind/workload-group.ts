/** WorkloadGroup (networking.istio.io): what the WorkloadEntries of one group have in common. policy-semantics §3.2. */

import * as z from "zod/mini";
import { atMostOne, int32, message, stringList, stringMap, text, uint32 } from "./field.js";
import { workloadEntry } from "./workload-entry.js";

/** Also ProxyConfig's readinessProbe. */
export const readinessProbe = message({
  initialDelaySeconds: int32,
  timeoutSeconds: int32,
  periodSeconds: int32,
  successThreshold: int32,
  failureThreshold: int32,
  httpGet: message({
    path: text,
    port: uint32,
    host: text,
    scheme: text,
    httpHeaders: z.array(message({ name: text, value: text })),
  }),
  tcpSocket: message({ host: text, port: uint32 }),
  exec: message({ command: stringList }),
  grpc: message({ port: uint32, service: text }),
}).check(atMostOne("httpGet", "tcpSocket", "exec", "grpc"));

export const workloadGroup = message({
  metadata: message({ labels: stringMap, annotations: stringMap }),
  template: workloadEntry,
  probe: readinessProbe,
});

export type WorkloadGroupSpec = z.infer<typeof workloadGroup>;
export type ReadinessProbeSpec = z.infer<typeof readinessProbe>;
