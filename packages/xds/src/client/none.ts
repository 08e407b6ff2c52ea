/** Of everything that is empty: a thousand resources have one list in common. */
export const NONE: readonly never[] = Object.freeze([]);
