/**
 * Puts a function of ours in the place of one that a module exports, and keeps it there when a mock goes that had been
 * there before us: a mock gives back what it found, which would take ours with it.
 */

import { syncBuiltinESMExports } from "node:module";
import { isInForce, isStub } from "./mock-passage.js";

type Exports = Record<string, unknown>;
/** Ways in which stubs are told to go: sinon's, jest's and vitest's. */
const WAYS_OUT = ["restore", "mockRestore"] as const;

/**
 * @param make wraps what is exported; again, when a mock has given back what it had replaced
 * @returns undoes it, as far as nobody else has replaced the function since
 */
export function replaceExport(exports: Exports, name: string, make: (original: unknown) => unknown): () => void {
  let original: unknown;
  let made: unknown;
  let undone = false;
  const place = (found: unknown): void => {
    original = found;
    made = make(found);
    set(exports, name, made);
  };
  const again = (): void => {
    if (undone || exports[name] === made) return;
    place(exports[name]);
    syncBuiltinESMExports();
  };

  const mocked = isInForce();
  place(exports[name]);
  if (isStub(original)) for (const way of WAYS_OUT) after(original as Exports, way, again);
  else if (mocked) {
    // It ends its being in force first, and then assigns what it found. Others may stand over us meanwhile.
    let current = made;
    Object.defineProperty(exports, name, {
      ...{ configurable: true, enumerable: true, get: () => current },
      set(value) {
        current = value;
        if (isInForce()) return;
        set(exports, name, value);
        again();
      },
    });
  }
  return () => {
    undone = true;
    if (exports[name] === made) set(exports, name, original);
  };
}

function set(exports: Exports, name: string, value: unknown): void {
  Object.defineProperty(exports, name, { value, configurable: true, enumerable: true, writable: true });
}

/** Has `then` called whenever a method has done its work. */
function after(owner: Exports, method: string, then: () => void): void {
  const original = owner[method];
  if (typeof original !== "function") return;
  const both = function (this: unknown, ...args: unknown[]): unknown {
    const result: unknown = Reflect.apply(original, this, args);
    then();
    return result;
  };
  owner[method] = Object.assign(both, original); // sinon marks its own
}
