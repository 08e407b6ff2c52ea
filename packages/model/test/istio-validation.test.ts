/** Our validation beside Istio's own answers, document by document. */

import { describe, expect, it } from "vitest";
import { analyze } from "../src/analyze/analyze.js";
import { apiVersionsOf } from "../src/document/api-group.js";
import { parseDocuments } from "../src/document/parse-documents.js";
import type { Problem } from "../src/problem.js";
import { KINDS } from "../src/resource.js";
import { validateDocument } from "../src/validate/validate-document.js";
import { readCases } from "./cases.js";
import { VALIDITY, WARNINGS } from "./wanted-differences.js";

interface Recorded {
  readonly id: string;
  readonly valid: boolean;
  readonly doc?: { readonly kind: string };
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly spec?: unknown;
  readonly warnings?: boolean;
  readonly warning?: boolean;
}

/** The documents that are whole, and those of Istio's unit tests, of which only the spec is recorded. */
function documentOf({ doc, kind = "", apiVersion = apiVersionOf(kind), spec }: Recorded) {
  return doc ?? { apiVersion, kind, metadata: { name: "x", namespace: "shop" }, spec };
}

function apiVersionOf(kind: string): string {
  return apiVersionsOf(KINDS.find((known) => known === kind) ?? "VirtualService")[0] ?? "";
}

function judge(recorded: Recorded) {
  const { documents, problems } = parseDocuments(JSON.stringify(documentOf(recorded), null, 2), { file: "case.yaml" });
  const validated = documents[0] === undefined ? { problems } : validateDocument(documents[0]);
  const refused = "refused" in validated ? validated.refused : undefined;
  return { valid: "resource" in validated, refused, problems: validated.problems };
}

function ours(recorded: Recorded): boolean {
  return (KINDS as readonly string[]).includes(documentOf(recorded).kind ?? "");
}

describe.each(["istio-validate.json", "istio-validation.json", "istio-crds.json"])("%s", (name) => {
  const found = readCases<Recorded>(name);
  const recorded = found?.cases.filter(ours) ?? [];
  const judgedIt = it.runIf(found !== undefined);
  const judged = recorded.map((entry) => ({ ...entry, expected: entry.valid, ...judge(entry) }));

  judgedIt("accepts and refuses the same documents", () => {
    const differing = judged.filter(({ valid, expected }) => valid !== expected).map(({ id }) => id);
    expect(differing.filter((id) => !VALIDITY.has(id))).toEqual([]);
    expect(recorded.map(({ id }) => id).filter((id) => VALIDITY.has(id) && !differing.includes(id))).toEqual([]);
  });

  judgedIt("warns of the same documents", () => {
    // The CRD cases record no warnings.
    const both = judged.filter(({ valid, expected }) => valid && expected && name !== "istio-crds.json");
    const differing = both.filter(
      ({ problems, warnings, warning }) => problems.length > 0 !== (warnings ?? warning ?? false),
    );
    expect(differing.map(({ id }) => id).filter((id) => !WARNINGS.has(id))).toEqual([]);
  });

  judgedIt("analyzes what is refused, each alone and all together, without failing", () => {
    const refused = judged.flatMap((entry) => entry.refused ?? []);
    expect(refused.length).toBeGreaterThan(0);
    for (const one of refused) analyze([], [], { refused: [one], passedOver: [] });
    const all = refused.map((one, index) => ({ ...one, key: `${one.key}-${index}` }));
    expect(() => analyze([], [], { refused: all, passedOver: [] })).not.toThrow();
  });

  judgedIt("says of every problem where it is and what to do", () => {
    const problems = judged.flatMap((entry) => entry.problems);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.filter((problem) => !isHelpful(problem))).toEqual([]);
  });
});

/** At least a fact and an action, at a place that exists. */
function isHelpful({ code, message, file, line, column, resource }: Problem): boolean {
  const sentences = message.split(/[.?](?:\s|$)/).filter((sentence) => sentence !== "");
  return (
    /^IST\d{4}$/.test(code) &&
    sentences.length >= 2 &&
    /[.?]$/.test(message) &&
    file === "case.yaml" &&
    line > 0 &&
    column > 0 &&
    resource !== ""
  );
}
