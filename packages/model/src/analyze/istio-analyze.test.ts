/** 300 sets of documents, judged by what istioctl analyze said of them. ../shared/cases/README.md. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { documentFromValue } from "../document/parse-documents.js";
import type { Resource } from "../resource.js";
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

/** Codes that concern a set; what a document says alone is validation's, with its own cases. */
const OF_SETS = new Set(["IST0101", "IST0109", "IST0110", "IST0111", "IST0112", "IST0128", "IST0129"]);

it("finds in every set what istioctl finds", (context) => {
  if (!existsSync(FILE) && INMESH_REQUIRE_PEERS !== "1") context.skip(`no recorded cases at ${FILE}: set INMESH_CASES`);
  const { sets } = JSON.parse(readFileSync(FILE, "utf8")) as { sets: readonly AnalyzedCase[] };
  const wrong = sets.flatMap(({ id, docs, expect: wanted }) => {
    const resources: Resource[] = [];
    const unread = new Set<string>();
    for (const doc of docs) {
      const resource = documentFromValue(doc).documents.map(validateDocument)[0]?.resource;
      if (resource !== undefined) resources.push(resource);
      // Gateways are no kind of ours yet, and what is refused is not analyzed: nothing is said about either.
      if (resource === undefined || namesGateway(doc.spec))
        unread.add(`${doc.kind} ${doc.metadata.namespace}/${doc.metadata.name}`);
    }
    const judged = (line: string) => OF_SETS.has(line.slice(0, 7)) && ![...unread].some((name) => line.endsWith(name));
    const found = new Set(
      analyze(resources).map(({ code, severity, resource }) => {
        const [kind, namespace, name] = resource.split("/");
        return `${code} ${severity === "error" ? "Error" : "Warning"} ${kind} ${namespace}/${name}`;
      }),
    );
    const rivals = unread.size > 0 ? (line: string) => !line.startsWith("IST0109") : () => true;
    const ours = [...found].filter((line) => judged(line) && rivals(line)).sort();
    const theirs = wanted.filter((line) => judged(line) && rivals(line)).sort();
    return ours.join() === theirs.join() ? [] : [{ id, ours, theirs }];
  });
  expect({ sets: sets.length, wrong }).toEqual({ sets: 300, wrong: [] });
});

function namesGateway(spec: Readonly<Record<string, unknown>>): boolean {
  const gateways = spec["gateways"];
  return Array.isArray(gateways) && gateways.some((name) => name !== "mesh");
}
