/** Policy that people wrote for the mesh comes before what config entries say of the same host. */

import type { Document, Problem } from "@inmesh/model";
import { qualifiedHost } from "@inmesh/model/internal";
import { entryProblem } from "./entry-problem.js";
import { isData } from "./field.js";

export interface GivenWay {
  /** Those of the translation that stay. */
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

/**
 * A VirtualService of a host that somebody wrote a VirtualService or a Gateway API route for is left out. A DestinationRule
 * stays with the subsets that the written one lacks, since routes may lead to them; its policy is left out.
 */
export function giveWay(translated: readonly Document[], written: readonly Document[]): GivenWay {
  const keys = new Set(written.map(({ key }) => key));
  const routed = new Map<string, Document>();
  const rules = new Map<string, Document>();
  for (const document of written) {
    for (const host of routedHosts(document)) if (!routed.has(host)) routed.set(host, document);
    if (document.kind !== "DestinationRule" || selects(document)) continue;
    const host = text(spec(document)["host"]);
    if (host !== undefined) rules.set(qualifiedHost(host, document.namespace), document);
  }
  const documents: Document[] = [];
  const problems: Problem[] = [];
  const say = ({ origin }: Document, by: Document, what: string): void => {
    const message = `${what}, because ${by.key} of the mesh is for the same host. Remove one of the two when you no longer need both.`;
    problems.push(entryProblem("IM0731", "info", origin.file.replace(/^consul:/, ""), message));
  };
  for (const document of translated) {
    if (keys.has(document.key)) continue; // written under the very name
    const hosts = routedHosts(document);
    const by = hosts.map((host) => routed.get(host)).find((found) => found !== undefined);
    if (by !== undefined) {
      say(document, by, "its routes are left out");
      continue;
    }
    const rule = document.kind === "DestinationRule" ? rules.get(text(spec(document)["host"]) ?? "") : undefined;
    if (rule === undefined) {
      documents.push(document);
      continue;
    }
    say(document, rule, "its traffic policy is left out");
    const rest = withoutPolicy(document, rule);
    if (rest !== undefined) documents.push(rest);
  }
  return { documents, problems };
}

/** Exact hosts only: a wildcard gives way to whatever is more exact anyway. */
function routedHosts(document: Document): readonly string[] {
  const { kind, namespace } = document;
  if (kind === "VirtualService") {
    const { hosts, gateways } = spec(document);
    if (Array.isArray(gateways) && gateways.length > 0 && !gateways.includes("mesh")) return [];
    return list(hosts)
      .flatMap((host) => text(host) ?? [])
      .map((host) => qualifiedHost(host, namespace));
  }
  if (kind !== "HTTPRoute" && kind !== "GRPCRoute") return [];
  return list(spec(document)["parentRefs"]).flatMap((parent) => {
    if (!isData(parent) || parent["kind"] !== "Service") return [];
    const name = text(parent["name"]);
    return name === undefined ? [] : [`${name}.${text(parent["namespace"]) ?? namespace}.svc.cluster.local`];
  });
}

/** One made once for the same two keeps its object. */
const REDUCED = new WeakMap<Document, WeakMap<Document, Document | "nothing">>();

function withoutPolicy(document: Document, rule: Document): Document | undefined {
  const known = REDUCED.get(document) ?? new WeakMap<Document, Document | "nothing">();
  REDUCED.set(document, known);
  let made = known.get(rule);
  if (made === undefined) {
    made = reduced(document, rule) ?? "nothing";
    known.set(rule, made);
  }
  return made === "nothing" ? undefined : made;
}

function reduced(document: Document, rule: Document): Document | undefined {
  const names = new Set(list(spec(rule)["subsets"]).map((subset) => (isData(subset) ? subset["name"] : undefined)));
  const { trafficPolicy: _, subsets, ...rest } = spec(document);
  const kept = list(subsets).filter((subset) => isData(subset) && !names.has(subset["name"]));
  if (kept.length === 0 || selects(document)) return undefined;
  const value = { ...document.value, spec: { ...rest, subsets: kept } };
  return { ...document, value, hash: `${document.hash.slice(0, 16)}${rule.hash.slice(0, 16)}` };
}

function selects(document: Document): boolean {
  return spec(document)["workloadSelector"] !== undefined;
}

function spec({ value }: Document): Readonly<Record<string, unknown>> {
  return isData(value["spec"]) ? value["spec"] : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
