/** A registry as its contract suite is given it. */

import type { Registrar, Source, Store } from "../snapshot/source.js";

export interface RegistryFixture {
  readonly store: Store;
  readonly registrar: Registrar;
  /** Another reader of the same registry, as another process would be. Closed by `close`. */
  openSource(): Source;
  /** Another writer, as another process would be. */
  openStore(): Store;
  close(): Promise<void>;
  /** Whoever registers here is dead right after: nothing is renewed. */
  readonly dyingRegistrar?: Registrar;
  /** Nobody reaches the registry until the function returned is called; what was stored is kept. */
  goAway?(): Promise<() => Promise<void>>;
  /** Registrations are gone as if they had never been, policy is kept. */
  forgetLeases?(): Promise<void>;
  /** From now on every answer takes so much longer. */
  slowDown?(ms: number): void;
}

/** What can be done to a registry beyond reading and writing; a fixture has the member of that name. */
export type RegistryAbility = "dyingRegistrar" | "goAway" | "forgetLeases" | "slowDown";

/** The part of vitest (or jest) that the suite uses. */
export interface TestApi {
  describe(name: string, body: () => void): void;
  it(name: string, body: () => Promise<void>): void;
  expect(actual: unknown): {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
    toMatchObject(expected: object): void;
    readonly rejects: { toMatchObject(expected: object): Promise<void> };
  };
}

export type ContractTest = (title: string, body: (fixture: RegistryFixture) => Promise<void>) => void;
