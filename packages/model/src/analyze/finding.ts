/** One problem of a resource, on its way into the list. */

import type { Problem, Severity } from "../problem.js";
import { problemAt } from "../problem-at.js";
import type { Path, Resource } from "../resource.js";

/** What a finding is about: a resource, or a document of a kind that is passed over. */
export type Subject = Pick<Resource, "key" | "origin">;

/** @param path from the top of the document: `["spec", "http", 0]` */
export type Finding = (subject: Subject, path: Path, code: string, severity: Severity, message: string) => void;

export function collectFindings(problems: Problem[]): Finding {
  return ({ key, origin }, path, code, severity, message) => {
    problems.push(problemAt(origin, path, { code, severity, message, resource: key }));
  };
}

/** `mesh/reviews.yaml:12`, or the resource's name where no file is known. */
export function placeOf({ key, origin }: Subject): string {
  return origin.file === "" ? key : `${key} (${origin.file}:${origin.line})`;
}

/** `. Did you mean "reviews"?`, or nothing. */
export function suggestion(name: string | undefined): string {
  return name === undefined ? "" : ` Did you mean "${name}"?`;
}
