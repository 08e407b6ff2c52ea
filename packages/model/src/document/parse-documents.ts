/** Text of a policy file into documents. What is no document becomes a Problem; nothing is thrown. */

import type { Problem } from "../problem.js";
import { formatPath, problemAt, quote } from "../problem-at.js";
import type { Document, Origin, Path } from "../resource.js";
import { resourceKey } from "../resource.js";
import { judgeKind, MESH_CONFIG_API_VERSION } from "./api-group.js";
import { contentHash } from "./content-hash.js";
import { plainValue, plainYaml } from "./plain-data.js";
import { readYamlFile, type YamlError, type YamlFile } from "./yaml-file.js";

export interface ParseOptions {
  /** As messages name it. A file called `mesh.yaml` (`.yml`, `.json`), in any folder, holds a bare MeshConfig. */
  readonly file: string;
  /** Of documents that name none. @default "default" */
  readonly namespace?: string;
}

export interface ParsedDocuments {
  readonly documents: readonly Document[];
  /** Of kinds that are known and have no effect here: each has its problem (IM0004), and others may name them. */
  readonly passedOver: readonly Document[];
  readonly problems: readonly Problem[];
  /** False when the text is no YAML: nothing can be said about the documents it was to hold. */
  readonly readable: boolean;
}

/** Origin of documents that came from no file. */
export const NO_ORIGIN: Origin = { file: "", line: 0, column: 0, locate: () => ({ line: 0, column: 0 }) };

/** The verdict of ./api-group.ts on a kind that is known and not honoured. */
const PASSED_OVER = "IM0004";

const DEFAULT_NAMESPACE = "default";
const DEFAULT_ROOT_NAMESPACE = "istio-system";

/** Several documents, `List`s among them, in YAML or JSON. Documents of kinds we do not read leave a Problem behind. */
export function parseDocuments(text: string, { file, namespace = DEFAULT_NAMESPACE }: ParseOptions): ParsedDocuments {
  const yaml = readYamlFile(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, file);
  if (yaml.errors.length > 0) {
    return {
      documents: [],
      passedOver: [],
      problems: yaml.errors.map((error) => syntaxProblem(error, yaml, file)),
      readable: false,
    };
  }
  const documents: Document[] = [];
  const passedOver: Document[] = [];
  const problems: Problem[] = [];
  for (const [index, document] of yaml.documents.entries()) {
    const { value, fault } = plainYaml(document);
    if (fault !== undefined) {
      const { code, message, path } = fault;
      problems.push(problemAt(yaml.origin(index, []), path, { code, severity: "error", message, resource: "" }));
    } else if (value !== null) {
      const taken = takeDocument(value, namespace, (prefix) => yaml.origin(index, prefix));
      documents.push(...taken.documents);
      passedOver.push(...taken.passedOver);
      problems.push(...taken.problems);
    }
  }
  return { documents, passedOver, problems, readable: true };
}

/** The same for a value made by a program; it is copied. A `List` gives several documents. */
export function documentFromValue(
  value: unknown,
  { origin = NO_ORIGIN, namespace = DEFAULT_NAMESPACE }: { readonly origin?: Origin; readonly namespace?: string } = {},
): Omit<ParsedDocuments, "readable"> {
  const { value: data, fault } = plainValue(value);
  if (fault !== undefined) {
    const { code, message, path } = fault;
    const problem = problemAt(origin, path, { code, severity: "error", message, resource: "" });
    return { documents: [], passedOver: [], problems: [problem] };
  }
  const at = (prefix: Path): Origin => (prefix.length === 0 ? origin : shifted(origin, prefix));
  return takeDocument(data, namespace, at);
}

function shifted(origin: Origin, prefix: Path): Origin {
  return { file: origin.file, ...origin.locate(prefix), locate: (path) => origin.locate([...prefix, ...path]) };
}

function takeDocument(
  value: unknown,
  namespace: string,
  originAt: (prefix: Path) => Origin,
  prefix: Path = [],
): Omit<ParsedDocuments, "readable"> {
  const origin = originAt(prefix);
  const refuse = (
    path: Path,
    code: string,
    message: string,
    severity: "error" | "warning" = "error",
    resource = "",
  ) => ({
    documents: [],
    passedOver: [],
    problems: [problemAt(origin, path, { code, severity, message, resource })],
  });
  if (!isObject(value)) {
    return refuse(
      [],
      "IM0002",
      `found ${quote(value)}, expected a resource: apiVersion, kind, metadata, spec. Write one.`,
    );
  }
  const { apiVersion, kind, metadata } = value;
  if (kind === undefined && apiVersion === undefined && isMeshFile(origin.file)) return meshConfig(value, origin);
  for (const [field, found] of Object.entries({ apiVersion, kind })) {
    if (typeof found === "string" && found !== "") continue;
    return refuse(found === undefined ? [] : [field], "IM0002", missingMessage(field, found, origin.file));
  }
  const kindName = kind as string;
  if (kindName.endsWith("List") && Array.isArray(value["items"])) {
    const parts = value["items"].map((item, index) =>
      takeDocument(item, namespace, originAt, [...prefix, "items", index]),
    );
    return {
      documents: parts.flatMap((part) => part.documents),
      passedOver: parts.flatMap((part) => part.passedOver),
      problems: parts.flatMap((part) => part.problems),
    };
  }
  const name = isObject(metadata) ? metadata["name"] : undefined;
  const written = isObject(metadata) ? metadata["namespace"] : undefined;
  const ref = {
    kind: kindName,
    namespace: typeof written === "string" && written !== "" ? written : namespace,
    name: typeof name === "string" ? name : "",
  };
  const verdict = judgeKind(apiVersion as string, kindName);
  if (!("kind" in verdict)) {
    const { at, code, message, severity } = verdict;
    if (ref.name === "") return refuse([at], code, message, severity);
    const { problems } = refuse([at], code, message, severity, resourceKey(ref));
    const { documents } = one({ ...ref, apiVersion: apiVersion as string, value, origin });
    return { documents: [], passedOver: code === PASSED_OVER ? documents : [], problems };
  }
  if (verdict.kind === "MeshConfig") return meshConfig(withoutTypeFields(value), origin);
  if (ref.name === "") {
    const path = name === undefined ? (metadata === undefined ? [] : ["metadata"]) : ["metadata", "name"];
    return refuse(
      path,
      "IM0002",
      `${kindName} without a name: found metadata.name ${quote(name)}. The document is refused. Name it.`,
    );
  }
  // A Namespace lies in no namespace; it is kept under its own, so that all keys have three parts.
  const document = verdict.kind === "Namespace" ? { ...ref, namespace: ref.name } : ref;
  return one({ ...document, apiVersion: apiVersion as string, value, origin });
}

function meshConfig(value: Record<string, unknown>, origin: Origin) {
  const root = value["rootNamespace"];
  const namespace = typeof root === "string" && root !== "" ? root : DEFAULT_ROOT_NAMESPACE;
  return one({ kind: "MeshConfig", namespace, name: "mesh", apiVersion: MESH_CONFIG_API_VERSION, value, origin });
}

function one(document: Omit<Document, "key" | "hash">) {
  const made = { ...document, key: resourceKey(document), hash: contentHash(document.value) };
  return { documents: [made], passedOver: [], problems: [] };
}

function withoutTypeFields(value: Record<string, unknown>): Record<string, unknown> {
  const bare: Record<string, unknown> = Object.assign(Object.create(null), value);
  for (const field of ["apiVersion", "kind", "metadata"]) delete bare[field];
  return bare;
}

function isMeshFile(file: string): boolean {
  return /(^|[\\/])mesh\.(ya?ml|json)$/.test(file);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function missingMessage(field: string, found: unknown, file: string): string {
  const fact = found === undefined ? `the document has no ${field}` : `${field} is ${quote(found)}, expected a word`;
  const example = field === "kind" ? "kind: VirtualService" : "apiVersion: networking.istio.io/v1";
  const bare = isMeshFile(file) ? "" : " (A bare MeshConfig belongs into a file named mesh.yaml.)";
  return `${fact}. The document is refused. Write for instance ${example}.${bare}`;
}

/** What the parser's errors mean for someone who only wants to get on. */
const ADVICE: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "Indent with spaces: YAML allows no tabs there.",
  DUPLICATE_KEY: "Keep one of the two: the other would silently get lost.",
  BAD_INDENT: "Close brackets, and line the field up with its neighbours.",
  MULTIPLE_DOCS: "Put --- between documents.",
  MISSING_CHAR: "Close the quote or bracket.",
  UNRESOLVED_ALIAS: "Define the anchor (&name) before its use.",
  TAG_RESOLVE_FAILED: "Remove the tag (!name).",
};

function syntaxProblem({ code, offset, message }: YamlError, yaml: YamlFile, file: string): Problem {
  const fact = message.length > 200 ? `${message.slice(0, 200)}…` : message;
  const advice = ADVICE[code] ?? "Correct the syntax.";
  return {
    code: "IM0001",
    severity: "error",
    message: `${fact.replace(/[.\s]+$/, "")}. The file is not read, its documents keep their last good version. ${advice}`,
    resource: "",
    path: formatPath([]),
    file,
    ...yaml.position(offset),
  };
}
