/** What entries become, document by document, and what is to be said of them. */

import type { ServiceRef } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { type Document, documentFromValue, type Problem } from "@inmesh/model";
import { serviceOf } from "../service-name.js";
import { entryOrigin, entryProblem } from "./entry-problem.js";
import { FieldFault } from "./field.js";
import type { Manifest } from "./service-policy.js";

/** Of one manifest. */
export interface Made {
  /** What it was made of. */
  readonly text: string;
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

const NETWORKING = "networking.istio.io/v1";

export class MadeDocuments {
  readonly documents: Document[] = [];
  readonly problems: Problem[] = [];
  /** By key of the document. */
  readonly made = new Map<string, Made>();
  readonly #namespace: string;
  readonly #before: ReadonlyMap<string, Made>;

  /**
   * @param namespace of services that say nothing of one
   * @param before what was made the last time
   */
  constructor(namespace: string, before: ReadonlyMap<string, Made>) {
    this.#namespace = namespace;
    this.#before = before;
  }

  /** What says the same as before, of the same entry, is what was made of it before: hashing is most of the work. */
  add(value: Manifest, origin: string): void {
    const text = `${origin} ${JSON.stringify(value)}`;
    const key = `${value.kind}/${value.metadata.namespace}/${value.metadata.name}`;
    const before = this.#before.get(key);
    const made =
      before?.text === text ? before : { text, ...documentFromValue(value, { origin: entryOrigin(origin) }) };
    this.made.set(key, made);
    this.documents.push(...made.documents);
    this.problems.push(...made.problems);
  }

  /** Told once for an entry. */
  ref(service: string, origin: string): ServiceRef | undefined {
    const ref = serviceOf(service, this.#namespace);
    if (ref === undefined) {
      const problem = entryProblem(
        "IM0730",
        "warning",
        origin,
        `"${service}" is no DNS label, so no call can be addressed to it. Nothing is made of it. Give the service another name.`,
      );
      if (!this.problems.some(({ file, message }) => file === problem.file && message === problem.message))
        this.problems.push(problem);
    }
    return ref;
  }

  /** @throws {FieldFault} for a name that no call can be addressed to */
  host(service: string): string {
    const ref = serviceOf(service, this.#namespace);
    if (ref === undefined) throw new FieldFault(`"${service}" is no DNS label, so nothing can be sent there`);
    return `${ref.service}.${ref.namespace}.svc.cluster.local`;
  }

  refuse(origin: string, error: unknown, consequence: string): void {
    const fact = messageOf(error);
    this.problems.push(
      entryProblem("IM0730", "error", origin, `${fact}. ${consequence} Correct the entries in Consul.`),
    );
  }
}

export function manifest(kind: string, name: string, namespace: string, spec: object): Manifest {
  return { apiVersion: NETWORKING, kind, metadata: { name, namespace }, spec: { ...spec } };
}

export function nameOf(service: string): string {
  return `consul-${service.toLowerCase()}`;
}

export function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].sort();
}
