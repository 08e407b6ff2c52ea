/** Whom `inmesh mode` speaks of: the mesh, a namespace or workloads, and the MeshMode that speaks for exactly these. */

import { isDeepStrictEqual } from "node:util";
import type { Lease } from "@inmesh/core";
import { type Document, documentFromValue, type Mode } from "@inmesh/model";
import { CliError, EXIT } from "../exit.js";
import { parseServiceName } from "../registry/client-context.js";

export type Labels = Readonly<Record<string, string>>;

export interface ModeTarget {
  readonly scope: "mesh" | "namespace" | "workload";
  /** Of the document. */
  readonly namespace: string;
  /** Empty unless the scope is a workload. */
  readonly labels: Labels;
  /** Of a new document. */
  readonly name: string;
  /** As it is typed, for the way back. */
  readonly typed: string;
  readonly words: string;
}

export interface TargetOptions {
  readonly mesh?: boolean;
  readonly namespace?: string;
  readonly selector?: readonly string[];
}

/**
 * @param namespace of a service named without one
 * @throws {CliError} unless exactly one scope is named
 */
export function modeTarget(
  service: string | undefined,
  { mesh = false, namespace: given, selector = [] }: TargetOptions,
  namespace: string,
  rootNamespace: string,
  leases: readonly Lease[],
): ModeTarget {
  const more = selector.map((pair) => ` -l ${pair}`).join("");
  if (mesh) {
    if (service !== undefined || given !== undefined || more !== "") {
      throw new CliError(EXIT.usage, "--mesh means everybody, and a part of the mesh is named as well", "Give one.");
    }
    const name = "default";
    return { scope: "mesh", namespace: rootNamespace, labels: {}, name, typed: "--mesh", words: "the mesh" };
  }
  if (service !== undefined) {
    const found = parseServiceName(service, namespace);
    const labels = { app: found.service, ...parseLabels(selector) };
    requireSomebody(found, labels, leases);
    return {
      ...{ scope: "workload", namespace: found.namespace, labels, name: found.service },
      ...{ typed: `${found.namespace}/${found.service}${more}`, words: `workloads with ${labelText(labels)}` },
    };
  }
  if (given === undefined) {
    throw new CliError(
      EXIT.usage,
      "nobody is named whose mode to change",
      "Add --mesh, -n NAMESPACE, or the name of a service.",
    );
  }
  if (more === "") {
    const words = `namespace ${given}`;
    return { scope: "namespace", namespace: given, labels: {}, name: "default", typed: `-n ${given}`, words };
  }
  const labels = parseLabels(selector);
  const name = Object.values(labels)
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-");
  const words = `workloads with ${labelText(labels)} in namespace ${given}`;
  return { scope: "workload", namespace: given, labels, name, typed: `-n ${given}${more}`, words };
}

/** Those whose mode the target's document may decide. */
export function isMeant({ scope, namespace, labels }: ModeTarget, lease: Lease): boolean {
  if (scope === "mesh") return true;
  return lease.namespace === namespace && has(lease.labels, labels);
}

/** Documents that speak for exactly this scope, the one that holds first. */
export function documentsOf({ namespace, labels }: ModeTarget, documents: readonly Document[]): readonly Document[] {
  return documents
    .filter((document) => document.kind === "MeshMode" && document.namespace === namespace)
    .filter((document) => isDeepStrictEqual({ ...labelsOf(document) }, { ...labels }))
    .sort((a, b) => (ageKey(a) < ageKey(b) ? -1 : 1));
}

export function modeDocument(target: ModeTarget, mode: Mode, documents: readonly Document[]): Document {
  const [held] = documentsOf(target, documents);
  const { namespace, labels } = target;
  const taken = documents.some(({ key }) => key === `MeshMode/${namespace}/${target.name}`);
  const name = taken ? `${target.name}-mode` : target.name;
  const selector = Object.keys(labels).length === 0 ? {} : { selector: { matchLabels: labels } };
  const value =
    held === undefined
      ? {
          apiVersion: "inmesh.dev/v1alpha1",
          kind: "MeshMode",
          metadata: { name, namespace },
          spec: { mode, ...selector },
        }
      : { ...held.value, spec: { ...objectOf(held.value["spec"]), mode } };
  const { documents: made } = documentFromValue(value, { namespace });
  return made[0]!; // a document of our own making, or a valid one with another mode
}

export function labelsOf({ value }: Document): Labels {
  return objectOf(objectOf(objectOf(value["spec"])["selector"])["matchLabels"]) as Labels;
}

export function labelText(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** A mode that holds for nobody is a slip, and `app` is only the label a process has unless told otherwise. */
function requireSomebody(
  { namespace, service }: { readonly namespace: string; readonly service: string },
  labels: Labels,
  leases: readonly Lease[],
): void {
  const own = leases.filter((lease) => lease.namespace === namespace && lease.service === service);
  if (own.length === 0 || own.some((lease) => has(lease.labels, labels))) return;
  const theirs = labelText(own[0]!.labels); // not empty
  throw new CliError(
    EXIT.bad,
    `no process of "${service}" has the labels ${labelText(labels)}; the first one has ${theirs}`,
    `Choose by labels they have: inmesh mode MODE -n ${namespace} -l KEY=VALUE.`,
  );
}

function parseLabels(pairs: readonly string[]): Labels {
  return Object.fromEntries(
    pairs
      .flatMap((pair) => pair.split(","))
      .map((pair) => {
        const [, key, value] = /^([^=,]+)=([^=,]*)$/.exec(pair) ?? [];
        if (key !== undefined && value !== undefined) return [key, value];
        throw new CliError(EXIT.usage, `"${pair}" is no label`, "Write KEY=VALUE, such as -l version=v2.");
      }),
  );
}

function has(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/** The order of compareAge, for documents that are not validated. */
function ageKey({ value, name }: Document): string {
  const created = objectOf(value["metadata"])["creationTimestamp"];
  return `${typeof created === "string" ? created : "~"} ${name}`;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
