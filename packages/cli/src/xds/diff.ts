/** `inmesh xds diff`: by meaning, so that neither the order of maps nor a time of creation is a difference. */

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatPath } from "@inmesh/model/internal";
import { parseAllDocuments } from "yaml";
import type { Cli } from "../cli.js";
import { changes } from "../diff/field-changes.js";
import { CliError, EXIT, type ExitCode, systemReason } from "../exit.js";
import { isObject } from "../input/request-values.js";
import { formatOf, namespaceOf } from "../options.js";
import { fieldLines } from "../output/difference.js";
import { printData } from "../output/format.js";
import { isUnicode, printable } from "../output/paint.js";
import { keyOf, labelOf, typesOf, type XdsDocument } from "./kinds.js";
import type { XdsOptions } from "./options.js";
import { readAll } from "./read-all.js";

interface Difference {
  readonly resource: string;
  /** What became of it on the way from the first to the second. */
  readonly outcome: "added" | "removed" | "changed";
  readonly fields: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

export async function diff(cli: Cli, sides: readonly [string, string], options: XdsOptions): Promise<ExitCode> {
  const [from, to] = await readSides(cli, sides, options);
  const differences = compare(from ?? new Map(), to ?? new Map());
  const format = formatOf(options);
  if (format === "json" || format === "yaml") printData(cli, format, { differences });
  else if (differences.length === 0) cli.print("No difference.\n");
  else cli.print(differences.flatMap((each) => lines(cli, each)).join(""));
  return differences.length === 0 ? EXIT.ok : EXIT.bad;
}

/** Files first: where one cannot be read, nobody is asked. A side that fails waits for the other, so that no stream outlives the command. */
async function readSides(cli: Cli, sides: readonly string[], options: XdsOptions) {
  const read = new Map<string, ReadonlyMap<string, XdsDocument>>();
  for (const side of sides) if (!isUrl(side)) read.set(side, await readSide(cli, side, options));
  const told = await Promise.allSettled(sides.map((side) => read.get(side) ?? readSide(cli, side, options)));
  return told.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

const isUrl = (side: string): boolean => side.startsWith("xds://");

async function readSide(cli: Cli, side: string, options: XdsOptions): Promise<ReadonlyMap<string, XdsDocument>> {
  const documents = isUrl(side) ? await readAll(cli, side, options) : wanted(await readDocuments(cli, side), options);
  const namespace = namespaceOf(options, cli);
  return new Map(documents.map((document) => [keyOf(document, namespace), comparable(document, namespace)]));
}

/** Of a file as of a control plane only what was asked for. A Service is a ServiceEntry on the stream. */
function wanted(documents: readonly XdsDocument[], { type = [], name = [] }: XdsOptions): readonly XdsDocument[] {
  const labels = new Set(typesOf(type, "api").map(labelOf));
  if (labels.has("ServiceEntry")) labels.add("Service");
  return documents.filter((document) => {
    const [label = "", ...rest] = keyOf(document, "").split(" ");
    const own = rest.join(" ");
    const isNamed = name.length === 0 || name.some((each) => own === each || own.endsWith(`/${each}`));
    return (type.length === 0 || labels.has(label)) && isNamed;
  });
}

async function readDocuments(cli: Cli, file: string): Promise<readonly XdsDocument[]> {
  let text: string;
  try {
    text = await readFile(resolve(cli.io.cwd, file), "utf8");
  } catch (error) {
    const reason = systemReason(error) ?? String(error);
    throw new CliError(
      EXIT.usage,
      `"${file}" cannot be read: ${reason}`,
      "Give a file of inmesh xds dump, or an xds:// URL.",
    );
  }
  const parsed = parseAllDocuments(text);
  const all = Array.isArray(parsed) ? parsed : [];
  const [error] = all.flatMap(({ errors }) => errors);
  if (error !== undefined) {
    const [what = ""] = error.message.split("\n");
    throw new CliError(
      EXIT.usage,
      `"${file}" is no YAML: ${what}`,
      "Correct it, or write it anew with inmesh xds dump.",
    );
  }
  const values = all.map((document) => document.toJS() as unknown).filter((value) => value !== null);
  if (!values.every(isObject)) {
    const text = `"${file}" holds something that is no resource, expected documents as inmesh xds dump prints them`;
    throw new CliError(EXIT.usage, text, "Write it anew with inmesh xds dump.");
  }
  return values.flatMap((value) => (value["kind"] === "List" ? (value["items"] as readonly XdsDocument[]) : [value]));
}

/** A namespace means the same whether it is written or not; the time of creation is the registry's. */
function comparable(document: XdsDocument, namespace: string): XdsDocument {
  const { metadata } = document;
  if ("@type" in document || !isObject(metadata)) return document;
  const { creationTimestamp: _, ...rest } = metadata;
  return { ...document, metadata: { namespace, ...rest } };
}

function compare(from: ReadonlyMap<string, XdsDocument>, to: ReadonlyMap<string, XdsDocument>): readonly Difference[] {
  const keys = [...new Set([...from.keys(), ...to.keys()])].sort();
  return keys.flatMap((resource): Difference[] => {
    const [before, after] = [from.get(resource), to.get(resource)];
    if (before === undefined) return [{ resource, outcome: "added", fields: [] }];
    if (after === undefined) return [{ resource, outcome: "removed", fields: [] }];
    const fields = changes(before, after).map(({ path, from: old = null, to: now = null }) => ({
      ...{ path: formatPath(path), from: old, to: now },
    }));
    return fields.length === 0 ? [] : [{ resource, outcome: "changed", fields }];
  });
}

const SIGNS = { added: ["+", "green"], removed: ["-", "red"], changed: ["~", "yellow"] } as const;

function lines(cli: Cli, { resource, outcome, fields }: Difference): string[] {
  const [sign, colour] = SIGNS[outcome];
  const title = cli.paint(colour, printable(`${sign} ${resource}`));
  if (outcome !== "changed") return [`${title}\n`];
  const arrow = isUnicode(cli.io.env) ? "→" : "->";
  const changed = fields.map((field) => ({ ...field, line: 0 }));
  return [title, ...fieldLines(changed, cli.paint, arrow)].map((text) => `${text}\n`);
}
