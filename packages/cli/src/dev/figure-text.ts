/** Figures of an edge in few characters. */

import type { Edge } from "./figures.js";

export function perSecond(rate: number): string {
  return rate < 100 ? rate.toFixed(1) : rate.toFixed(0);
}

/** Rounded down: 99.996 % is not 100 %. */
export function successText(success: number | undefined): string {
  if (success === undefined) return "-";
  return `${(Math.floor(success * 10_000) / 100).toFixed(success === 1 ? 0 : 2)}%`;
}

export function latencyText(ms: number): string {
  if (ms === 0) return "-";
  if (ms < 10) return `${ms.toFixed(1)}ms`;
  return ms < 10_000 ? `${ms.toFixed(0)}ms` : `${(ms / 1_000).toFixed(0)}s`;
}

/** Attempts beyond the first per hundred calls. */
export function retryText(retries: number): string {
  if (retries <= 0) return "-";
  const percent = retries * 100;
  return percent < 0.1 ? "<.1%" : `${percent.toFixed(percent < 10 ? 1 : 0)}%`;
}

/** `v1 90% v2 10%`. */
export function shareText(versions: Edge["versions"]): string {
  return versions.map(({ version, share }) => `${version} ${Math.round(share * 100)}%`).join(" ");
}

/** `1:04`. */
export function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
