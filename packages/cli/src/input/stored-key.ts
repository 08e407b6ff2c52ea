/** The key of one resource that a command line names, whether it stands in the registry or did so once. */

import type { Document, Kind } from "@inmesh/model";
import { CliError, EXIT } from "../exit.js";
import { parseResourceName } from "./resource-name.js";

export interface StoredKey {
  readonly key: string;
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/**
 * @param wanted namespace that was asked for
 * @param fallback of a resource that is in no namespace of the registry now
 * @throws {CliError} when it names a kind, or several resources
 */
export function storedKey(
  text: string,
  documents: readonly Document[],
  wanted: string | undefined,
  fallback: string,
): StoredKey {
  const { kind, namespace: written, name } = parseResourceName(text, wanted);
  if (name === undefined) throw new CliError(EXIT.usage, `"${text}" names a kind`, `Write ${kind}/NAME.`);
  const found = documents.filter(
    (document) =>
      document.kind === kind && document.name === name && (written === undefined || document.namespace === written),
  );
  if (found.length > 1) {
    const places = found.map(({ key }) => key).join(", ");
    throw new CliError(EXIT.usage, `"${text}" is there ${found.length} times: ${places}`, "Add -n NAMESPACE.");
  }
  const namespace = found[0]?.namespace ?? NAMESPACES[kind]?.(name) ?? written ?? fallback;
  return { key: `${kind}/${namespace}/${name}`, kind, namespace, name };
}

/** Of kinds that lie in none: where they are kept. */
const NAMESPACES: Partial<Record<Kind, (name: string) => string>> = {
  Namespace: (name) => name,
  MeshConfig: () => "istio-system",
};
