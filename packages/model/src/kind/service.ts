/** Kubernetes Service (core v1): real YAML names them. Only name, ports, selector, type and addresses mean something here. */

import * as z from "zod/mini";
import { flag, int32, message, stringList, stringMap, text } from "./field.js";

const port = message({
  name: text,
  protocol: z.enum(["TCP", "UDP", "SCTP"]),
  appProtocol: text,
  port: int32,
  targetPort: z.union([int32, text]),
  nodePort: int32,
});

export const service = message({
  ports: z.array(port),
  selector: stringMap,
  clusterIP: text,
  clusterIPs: stringList,
  type: z.enum(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
  externalIPs: stringList,
  externalName: text,
  sessionAffinity: z.enum(["None", "ClientIP"]),
  sessionAffinityConfig: message({ clientIP: message({ timeoutSeconds: int32 }) }),
  publishNotReadyAddresses: flag,
  loadBalancerIP: text,
  loadBalancerSourceRanges: stringList,
  loadBalancerClass: text,
  allocateLoadBalancerNodePorts: flag,
  externalTrafficPolicy: z.enum(["Cluster", "Local"]),
  internalTrafficPolicy: z.enum(["Cluster", "Local"]),
  healthCheckNodePort: int32,
  ipFamilies: z.array(z.enum(["IPv4", "IPv6"])),
  ipFamilyPolicy: z.enum(["SingleStack", "PreferDualStack", "RequireDualStack"]),
  trafficDistribution: text,
});

export type ServiceSpec = z.infer<typeof service>;
export type KubernetesServicePortSpec = z.infer<typeof port>;
