/** Whatever a file of config entries holds, into what `translateConfigEntries` takes. */

import { entryOfResource, isCustomResource } from "./custom-resource.js";
import { isData } from "./field.js";

export interface EntryValues {
  readonly entries: readonly unknown[];
  /** Of the older list of intentions. */
  readonly intentions: readonly unknown[];
}

/**
 * One entry, a list of them, a resource of Kubernetes, an answer of `/v1/connect/intentions`, or an agent's configuration
 * with `config_entries { bootstrap = […] }`.
 */
export function readEntryValues(value: unknown): EntryValues {
  if (Array.isArray(value)) {
    const read = value.map(readEntryValues);
    return {
      entries: read.flatMap(({ entries }) => entries),
      intentions: read.flatMap(({ intentions }) => intentions),
    };
  }
  if (isCustomResource(value)) return { entries: [entryOfResource(value)], intentions: [] };
  if (isData(value)) {
    if ("SourceName" in value && "DestinationName" in value) return { entries: [], intentions: [value] };
    const bootstrap = isData(value["config_entries"]) ? value["config_entries"]["bootstrap"] : undefined;
    if (bootstrap !== undefined) return readEntryValues(bootstrap);
    if (value["kind"] === "List" && Array.isArray(value["items"])) return readEntryValues(value["items"]);
  }
  return { entries: value === null || value === undefined ? [] : [value], intentions: [] };
}
