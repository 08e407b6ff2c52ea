/** AuthorizationPolicy (security.istio.io): who may do what at a workload. policy-semantics §4.4 to §4.8. */

import * as z from "zod/mini";
import { matchLabelsSelector, message, stringList, text } from "./field.js";
import { policyTarget } from "./policy-target.js";

const source = message({
  principals: stringList,
  notPrincipals: stringList,
  requestPrincipals: stringList,
  notRequestPrincipals: stringList,
  namespaces: stringList,
  notNamespaces: stringList,
  serviceAccounts: stringList,
  notServiceAccounts: stringList,
  trustDomains: stringList,
  notTrustDomains: stringList,
  ipBlocks: stringList,
  notIpBlocks: stringList,
  remoteIpBlocks: stringList,
  notRemoteIpBlocks: stringList,
});

const operation = message({
  hosts: stringList,
  notHosts: stringList,
  ports: stringList,
  notPorts: stringList,
  methods: stringList,
  notMethods: stringList,
  paths: stringList,
  notPaths: stringList,
});

const condition = message({ key: text, values: stringList, notValues: stringList });

const rule = message({
  from: z.array(message({ source })),
  to: z.array(message({ operation })),
  when: z.array(condition),
});

export const authorizationPolicy = message({
  selector: matchLabelsSelector,
  targetRef: policyTarget,
  targetRefs: z.array(policyTarget),
  rules: z.array(rule),
  action: z.enum(["ALLOW", "DENY", "AUDIT", "CUSTOM"]),
  provider: message({ name: text }),
});

export type AuthorizationPolicySpec = z.infer<typeof authorizationPolicy>;
export type AuthorizationRuleSpec = z.infer<typeof rule>;
export type AuthorizationSourceSpec = z.infer<typeof source>;
export type AuthorizationOperationSpec = z.infer<typeof operation>;
export type AuthorizationConditionSpec = z.infer<typeof condition>;
