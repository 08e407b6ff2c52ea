/** Waits for what a real peer does in its own time. */

/** Generous: a slow machine under load. In ms. */
const PATIENCE_MS = 15_000;

/** Asks until `probe` gives something else than undefined or false. @throws what was asked for, when it never did */
export async function eventually<T>(what: string, probe: () => T | Promise<T>): Promise<NonNullable<T>> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > until) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
