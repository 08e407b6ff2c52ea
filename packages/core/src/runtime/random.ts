/** Chance as an argument. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, limit). */
  int(limit: number): number;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  int: (limit) => (Math.random() * limit) | 0,
};

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, good enough for tests and simulations. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, int: (limit) => Math.floor(next() * limit) };
}
