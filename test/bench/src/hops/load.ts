/** Requests at a fixed rate: what a service costs while it has little to do, not how much it can do at most. */

export interface Load {
  readonly name: string;
  /** Requests sent at once. */
  readonly width: number;
  /** One such volley this often, in ms. */
  readonly everyMs: number;
  /** Volleys per slice. */
  readonly volleys: number;
}

export const LOADS: readonly Load[] = [
  { name: "one request every 2 ms", width: 1, everyMs: 2, volleys: 50 },
  { name: "16 requests every 16 ms", width: 16, everyMs: 16, volleys: 12 },
];

/** One slice. @returns how long each request took, in us */
export async function send({ width, everyMs, volleys }: Load, operation: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  const running: Promise<void>[] = [];
  const one = async (): Promise<void> => {
    const start = performance.now();
    await operation();
    took.push((performance.now() - start) * 1_000);
  };
  await new Promise<void>((resolve) => {
    let left = volleys;
    const timer = setInterval(() => {
      for (let index = 0; index < width; index++) running.push(one());
      if (--left > 0) return;
      clearInterval(timer);
      resolve();
    }, everyMs);
  });
  await Promise.all(running);
  return took;
}
