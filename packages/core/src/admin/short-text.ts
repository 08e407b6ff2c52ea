/** Figures and names as people read them in a line. */

/** `4ms`, `0.4ms`, `3s`, `2m`, `5h`, `3d`: short, of one unit. */
export function shortMs(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 100) / 100}ms`;
  if (ms < 10) return `${Math.round(ms * 10) / 10}ms`;
  if (ms < 1_000) return `${Math.round(ms)}ms`;
  if (ms < 10_000) return `${Math.round(ms / 100) / 10}s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)}s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}m`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)}h`;
  return `${Math.round(ms / 86_400_000)}d`;
}

/** `1 document`, `3 documents`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`;
}

/** Names of the cluster's own domain lose it. */
export function shortHost(host: string): string {
  const inside = host.indexOf(".svc.");
  return inside < 0 ? host : host.slice(0, inside);
}
