/** The support table's proofs, taken at their word. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KINDS, type Kind, parseDocuments } from "@inmesh/model";
import { NOT_HONOURED_FIELDS } from "@inmesh/model/internal";
import { describe, expect, it } from "vitest";
import { readCaseFile, whyMissing } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";
import { ROOT } from "./pages.js";
import { fieldsByKind, isBelow, pathsIn } from "./support-fields.js";
import { FIELD_ROWS, type FieldRow, PROOFS, type Proof } from "./support-proofs.js";
import { rowOf } from "./support-table.js";

/** Where the recorded documents of a proof lie, and what their groups call them. */
const RECORDED = { "istio-routes": "resources", "gateway-routes": "routes" } as const;

const missing = whyMissing("istio-routes.json");
const known = new Map<Proof, (kind: Kind, field: string) => boolean>();

interface Recorded {
  readonly groups: readonly Readonly<Record<string, readonly { readonly kind: Kind; readonly spec: unknown }[]>>[];
}

/** Whether a proof says anything of a field: its documents have it, or its text names it. */
function says(proof: Proof): (kind: Kind, field: string) => boolean {
  const made = known.get(proof) ?? read(proof);
  known.set(proof, made);
  return made;
}

function read(proof: Proof): (kind: Kind, field: string) => boolean {
  if (proof === "istio-routes" || proof === "gateway-routes") {
    if (missing !== undefined) return () => true;
    const { groups } = readCaseFile<Recorded>(`${proof}.json`);
    return inDocuments(groups.flatMap((group) => group[RECORDED[proof]] ?? []));
  }
  if (proof.startsWith("golden/")) {
    const file = join(ROOT, "packages/model/test", `${proof}.yaml`);
    const { documents } = parseDocuments(readFileSync(file, "utf8"), { file });
    return inDocuments(documents.map(({ kind, value }) => ({ kind: kind as Kind, spec: value["spec"] ?? value })));
  }
  const text = readFileSync(join(ROOT, PROOFS[proof as keyof typeof PROOFS]), "utf8");
  const words = new Set(text.match(/\w+/g));
  return (_, field) => words.has(field.replaceAll("[]", "").split(".").at(-1) ?? "");
}

function inDocuments(documents: readonly { readonly kind: Kind; readonly spec: unknown }[]) {
  const found = new Set(documents.flatMap(({ kind, spec }) => pathsIn(kind, spec).map((path) => `${kind} ${path}`)));
  return (kind: Kind, field: string): boolean => found.has(`${kind} ${field}`);
}

describe("the support table", () => {
  const fields = fieldsByKind();

  it.each(KINDS)("has a row for every field of %s, and none for what is no field", (kind) => {
    const all = fields.get(kind) ?? [];
    const told = NOT_HONOURED_FIELDS.filter((field) => field.kind === kind);
    const unknown = (path: string) => !all.some((field) => isBelow(field, path.replace(/\[\]$/, "")));
    expect(FIELD_ROWS[kind].map(({ path }) => path).filter(unknown)).toEqual([]);
    const left = all.filter(
      (field) => rowOf(kind, field) === undefined && !told.some(({ path }) => isBelow(field, path)),
    );
    // What MeshConfig has for proxies is named by analyze, whatever it is.
    expect(kind === "MeshConfig" ? [] : left).toEqual([]);
  });

  it.each(KINDS)("proves what it says of %s", (kind) => {
    const unproved = (fields.get(kind) ?? []).filter((field) => {
      const row: FieldRow | undefined = rowOf(kind, field);
      if (row === undefined || row.proofs.length === 0) return false;
      return !row.proofs.some((proof) => says(proof)(kind, field));
    });
    expect(unproved).toEqual([]);
  });

  it("names tests that are there", () => {
    expect(Object.values(PROOFS).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    const used = new Set(Object.values(FIELD_ROWS).flatMap((rows) => rows.flatMap(({ proofs }) => proofs)));
    const unused = Object.keys(PROOFS).filter((proof) => !used.has(proof as Proof));
    expect(unused.filter((proof) => proof !== "golden" && proof !== "analyze names it")).toEqual([]);
  });

  it.skipIf(missing === undefined)(`is held against the recorded documents (${missing})`, () => {
    expect(missing).toBeUndefined();
  });
});
