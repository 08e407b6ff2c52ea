/** Whom a security document means that is not valid: as much as can be read of it, and rather too many than too few. */

import type { Document, RefusedDocument } from "@inmesh/model";

/** @returns nothing for one that speaks about gateways alone, which no process of a service is */
export function refusedDocument({ kind, namespace, name, value }: Document): readonly RefusedDocument[] {
  const { spec } = value;
  const { selector, targetRef, targetRefs } = isRecord(spec) ? spec : {};
  if (selector === undefined && (isRecord(targetRef) || (Array.isArray(targetRefs) && targetRefs.length > 0)))
    return [];
  const labels = isRecord(selector) && isRecord(selector["matchLabels"]) ? Object.entries(selector["matchLabels"]) : [];
  // What is no label selects nobody, and must not make the document harmless.
  const readable = labels.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return [{ kind, namespace, name, selector: Object.fromEntries(readable) }];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
