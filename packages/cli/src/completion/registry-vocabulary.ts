/** Names from the registry, for completion: quick, and silent about everything that is not there. */

import { snapshotView } from "@inmesh/core/admin";
import { type Document, KINDS } from "@inmesh/model";
import type { Cli } from "../cli.js";
import { allCodes, explainCode, plainText } from "../codes/explain-code.js";
import { clientContext } from "../registry/client-context.js";
import { type OpenRegistry, withOpenRegistry } from "../registry/open-registry.js";
import type { Candidate, Vocabulary } from "./candidates.js";

/** Nobody waits longer at a TAB, in ms. */
const PATIENCE_MS = 1_000;

export function registryVocabulary(cli: Cli): Vocabulary {
  const ask = (use: (registry: OpenRegistry) => Promise<Candidate[]>): Promise<Candidate[]> =>
    withOpenRegistry({ output: "table", color: false, timeout: PATIENCE_MS }, cli, use).catch(() => []);
  return {
    services: () =>
      ask(async (registry) => {
        const { snapshot } = await registry.viewOf(clientContext(undefined, "default", []));
        return snapshotView(snapshot, []).services.map(({ name, namespace, host }) => ({
          value: name || host,
          text: namespace,
        }));
      }),
    namespaces: () =>
      ask(async ({ view: { documents, leases } }) => {
        const names = [...documents, ...leases].map(({ namespace }) => namespace).filter((name) => name !== "");
        return [...new Set(names)].sort().map((value) => ({ value, text: "" }));
      }),
    resources: () => ask(async ({ view: { documents } }) => resources(documents)),
    codes: () => allCodes().map((value) => ({ value, text: plainText(explainCode(value)?.meaning ?? "") })),
  };
}

function resources(documents: readonly Document[]): Candidate[] {
  const kinds = KINDS.map((kind) => ({ value: kind.toLowerCase(), text: "kind" }));
  const named = documents.map(({ kind, name, namespace }) => ({
    value: `${kind.toLowerCase()}/${name}`,
    text: namespace,
  }));
  return [...kinds, ...named];
}
