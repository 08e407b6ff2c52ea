/** A method put in the place of another, and taken out again. */

/** The methods of a server, or of its prototype, where the mesh steps in. */
export interface Patchable<Server> {
  emit(this: Server, event: string | symbol, ...args: unknown[]): boolean;
  close(this: Server, callback?: (error?: Error) => void): Server;
  /** Those of node:http2 have none. */
  closeAllConnections(this: Server): void;
}

/** @returns puts back what was there, unless somebody has patched over it since: then ours stays, inactive */
export function override<Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
  value: Target[Name],
): () => void {
  const before = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
  return () => {
    if (target[name] !== value) return;
    if (before === undefined) delete (target as Partial<Target>)[name];
    else Object.defineProperty(target, name, before);
  };
}

/** What is below an override. */
export type Below = <Target extends object, Name extends keyof Target>(
  target: Target,
  name: Name,
) => () => Target[Name];

/** What was there when the override came. */
export const captured: Below = (target, name) => {
  const before = target[name];
  return () => before;
};

/** The same for a method of `target`'s own; else what it inherits at the time of the call: others come and go there. */
export const inherited: Below = (target, name) => {
  if (Object.hasOwn(target, name)) return captured(target, name);
  const parent: typeof target = Object.getPrototypeOf(target);
  return () => parent[name];
};
