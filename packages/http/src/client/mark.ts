/**
 * On the options of a request that a mesh has already taken: layers below (pools, patched dispatchers, another mesh)
 * pass it on untouched. Registered, so that two copies of this package know it of each other.
 */
export const FORWARDED: unique symbol = Symbol.for("inmesh.forwarded");

/** On the options of a request that a MockAgent is looking at: nobody's until the mock has let it through. */
export const MOCKED: unique symbol = Symbol.for("inmesh.mocked");

export function isForwarded(options: object): boolean {
  return (options as { [FORWARDED]?: boolean })[FORWARDED] === true;
}
