/**
 * Documents of kinds that inmesh knows and does not honour (IM0004 says so of each): what Istio's analysis says of them,
 * and what VirtualServices may name. policy-semantics §3.4, §3.6, §6.5.
 */

import type * as z from "zod/mini";
import { type EnvoyFilterSpec, envoyFilter } from "../kind/envoy-filter.js";
import { type GatewaySpec, gateway } from "../kind/gateway.js";
import type { Problem } from "../problem.js";
import type { Document } from "../resource.js";
import { withoutNullFields } from "../validate/absent-fields.js";
import { Report } from "../validate/report.js";
import { reportSchemaFaults } from "../validate/schema-fault.js";
import { checkEnvoyFilter } from "./envoy-filter.js";
import { checkPatches } from "./envoy-patches.js";
import type { Finding } from "./finding.js";
import { checkGateway } from "./gateway.js";

/** By `Gateway/namespace/name`. */
export type Gateways = ReadonlyMap<string, GatewaySpec>;

/** @returns the Gateways among them whose schema holds */
export function checkPassedOver(documents: readonly Document[], problems: Problem[], report: Finding): Gateways {
  const gateways = new Map<string, GatewaySpec>();
  const filters: { readonly document: Document; readonly spec: EnvoyFilterSpec }[] = [];
  for (const document of documents) {
    if (!document.apiVersion.startsWith("networking.istio.io/")) continue; // Gateway API has a Gateway too
    const own = new Report(document);
    if (document.kind === "Gateway") {
      const spec = readSpec(document, gateway, own);
      if (spec !== undefined) {
        gateways.set(document.key, spec);
        checkGateway(spec, document.name, own);
      }
    } else if (document.kind === "EnvoyFilter") {
      const spec = readSpec(document, envoyFilter, own);
      if (spec !== undefined) {
        filters.push({ document, spec });
        checkEnvoyFilter(spec, own);
      }
    }
    problems.push(...own.problems());
  }
  checkPatches(filters, report);
  return gateways;
}

function readSpec<Spec>(document: Document, schema: z.ZodMiniType<Spec>, report: Report): Spec | undefined {
  const spec = withoutNullFields(document.value["spec"] ?? Object.create(null), schema);
  reportSchemaFaults(schema, spec, ["spec"], report);
  return report.hasErrors ? undefined : (spec as Spec);
}
