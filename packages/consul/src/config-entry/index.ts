/** Consul's config entries as policy of the mesh. Loads no client: the command line translates files with it. */

export type { Member, NeededInstances } from "./cluster-plan.js";
export { CONFIG_ENTRY_KINDS, type ConfigEntryKind } from "./config-entry.js";
export { type GivenWay, giveWay } from "./give-way.js";
export { HclFault, parseHcl } from "./hcl.js";
export { type EntryValues, readEntryValues } from "./read-entry-values.js";
export { type ConfigEntryInput, type Translation, translateConfigEntries } from "./translate.js";
