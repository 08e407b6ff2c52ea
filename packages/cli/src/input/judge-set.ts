/** Documents judged together: each by itself, then what they say of one another, and what has no effect here. */

import { analyze, type Document, notHonoured, type Problem, type Resource, type Workload } from "@inmesh/model";
import { placeOf } from "../output/problems.js";
import type { Judged, JudgedTexts } from "./judge.js";

/**
 * @param judged with `passedOver` where it is known which documents of such kinds there are
 * @param workloads running processes: they make services exist
 */
export function judgeSet(judged: Judged & Partial<JudgedTexts>, workloads: readonly Workload[]): Problem[] {
  const { documents, problems, passedOver } = judged;
  const set = uniqueOf(judged.resources, []);
  const refused = uniqueOf(judged.refused, set);
  return [
    ...problems,
    ...duplicates(documents, "The first is used. Remove one."),
    ...set.flatMap((resource) => notHonoured(resource)),
    ...analyze(set, workloads, passedOver === undefined ? { refused } : { refused, passedOver }),
  ];
}

/** The first of each name that is not among `taken`. */
function uniqueOf(resources: readonly Resource[], taken: readonly Resource[]): Resource[] {
  const unique = new Map<string, Resource>();
  const known = new Set(taken.map(({ key }) => key));
  for (const resource of resources) {
    if (!known.has(resource.key) && !unique.has(resource.key)) unique.set(resource.key, resource);
  }
  return [...unique.values()];
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
