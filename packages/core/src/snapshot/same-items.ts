/** Whether parts of two views are the same, by the identity of what they hold. Absent is as empty. */

import type { RegistryView } from "./source.js";

export function sameItems(a: readonly unknown[] = [], b: readonly unknown[] = []): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}

/** That everything is told is another thing than that no name is known. */
export function sameServices(a: RegistryView["services"], b: RegistryView["services"]): boolean {
  return (a === undefined) === (b === undefined) && sameItems(a, b);
}
