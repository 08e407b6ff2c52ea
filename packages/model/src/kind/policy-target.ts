/** `targetRef` and `targetRefs` of security policies: what stands in their way instead of a selector, such as a Gateway. */

import type * as z from "zod/mini";
import { message, text } from "./field.js";

export const policyTarget = message({ group: text, kind: text, name: text, namespace: text });

export type PolicyTargetSpec = z.infer<typeof policyTarget>;

/** Policy that names targets is for them alone: Istio's workloads pass over it, whatever it says. policy-semantics §4.4. */
export function hasTargets(spec: {
  readonly targetRef?: unknown;
  readonly targetRefs?: readonly unknown[] | undefined;
}): boolean {
  return spec.targetRef !== undefined || (spec.targetRefs ?? []).length > 0;
}
