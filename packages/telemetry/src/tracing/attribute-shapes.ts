/**
 * V8 makes a dictionary of an object that gets more than 16 properties by computed names, as the attributes of an SDK's span do. That
 * takes as long as to set ten of them, and three times their memory. It does not where an object lives that has the same names in the
 * same order and got them in one piece: some are kept for that.
 */

const FAST = 16;
/** Few spans are looked at: those of a process are of few shapes. */
const EVERY = 64;
const MOST = 32;

export class AttributeShapes {
  #told = 0;
  /** By their names; those seen last are last. */
  readonly #kept = new Map<string, object>();

  /** @param span told all that is told of it */
  told(span: unknown): void {
    if (this.#told++ % EVERY !== 0) return;
    const { attributes } = span as { readonly attributes?: unknown }; // SDKs have it on spans that they record
    if (typeof attributes !== "object" || attributes === null) return;
    const names = Object.keys(attributes);
    if (names.length <= FAST) return;
    const shape = names.join("\n");
    this.#kept.delete(shape);
    this.#kept.set(shape, Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, kindOf(value)])));
    if (this.#kept.size > MOST) for (const oldest of this.#kept.keys()) return void this.#kept.delete(oldest);
  }
}

/** V8 tells numbers from all others. What the texts say is nobody's to keep. */
function kindOf(value: unknown): number | string {
  return typeof value === "number" ? value : "";
}
