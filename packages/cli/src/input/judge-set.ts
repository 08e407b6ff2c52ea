/** Documents judged together: each by itself, then what they say of one another, and what has no effect here. */

import { analyze, type Document, notHonoured, type Problem, type Resource, type Workload } from "@inmesh/model";
import { placeOf } from "../output/problems.js";
import type { Judged } from "./judge.js";

/** @param workloads running processes: they make services exist */
export function judgeSet({ documents, resources, problems }: Judged, workloads: readonly Workload[]): Problem[] {
  const unique = new Map<string, Resource>();
  for (const resource of resources) if (!unique.has(resource.key)) unique.set(resource.key, resource);
  const set = [...unique.values()];
  return [
    ...problems,
    ...duplicates(documents, "The first is used. Remove one."),
    ...set.flatMap((resource) => notHonoured(resource)),
    ...analyze(set, workloads),
  ];
}

/** @param consequence and what to do about it */
export function duplicates(documents: readonly Document[], consequence: string): Problem[] {
  const first = new Map<string, Document>();
  return documents.flatMap((document) => {
    const { key, origin } = document;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, document);
      return [];
    }
    const { file, line, column } = origin;
    const message = `${key} is given twice, first in ${placeOf({ ...other.origin, column: 0 })}. ${consequence}`;
    return [{ code: "IM0701", severity: "error" as const, message, resource: key, path: "", file, line, column }];
  });
}
