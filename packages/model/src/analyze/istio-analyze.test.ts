/** 300 sets of documents, judged by what istioctl analyze said of them. ../shared/cases/README.md. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { documentFromValue } from "../document/parse-documents.js";
import { validateDocument } from "../validate/validate-document.js";
import { analyze } from "./analyze.js";

interface AnalyzedCase {
  readonly id: string;
  readonly docs: readonly {
    kind: string;
    metadata: { name: string; namespace: string };
    spec: Record<string, unknown>;
  }[];
  /** `IST0101 Error VirtualService shop/vs0`. */
  readonly expect: readonly string[];
}

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
const FILE = join(INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases"), "istio-analyze.json");

const LEVELS = { error: "Error", warning: "Warning", info: "Info" } as const;

/** Everything that `inmesh analyze` says of the documents under one of Istio's codes. */
function judge(docs: AnalyzedCase["docs"]): readonly string[] {
  const parsed = docs.map((doc) => documentFromValue(doc));
  const judged = parsed.flatMap(({ documents }) => documents).map(validateDocument);
  const problems = [
    ...judged.flatMap(({ problems }) => problems),
    ...analyze(
      judged.flatMap(({ resource }) => resource ?? []),
      [],
      {
        refused: judged.flatMap(({ refused }) => refused ?? []),
        passedOver: parsed.flatMap(({ passedOver }) => passedOver),
      },
    ),
  ];
  const lines = problems
    .filter(({ code }) => code.startsWith("IST"))
    .map(({ code, severity, resource }) => {
      const [kind, namespace, name] = resource.split("/");
      return `${code} ${LEVELS[severity]} ${kind} ${namespace}/${name}`;
    });
  return [...new Set(lines)].sort();
}

it("finds in every set what istioctl finds, every code of it and no other", (context) => {
  if (!existsSync(FILE) && INMESH_REQUIRE_PEERS !== "1") context.skip(`no recorded cases at ${FILE}: set INMESH_CASES`);
  const { sets } = JSON.parse(readFileSync(FILE, "utf8")) as { sets: readonly AnalyzedCase[] };
  const wrong = sets.flatMap(({ id, docs, expect: wanted }) => {
    const ours = judge(docs);
    const theirs = [...wanted].sort();
    return ours.join() === theirs.join() ? [] : [{ id, ours, theirs }];
  });
  expect({ sets: sets.length, wrong }).toEqual({ sets: 300, wrong: [] });
}, 30_000);
