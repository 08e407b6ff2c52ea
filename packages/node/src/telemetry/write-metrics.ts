/** Writes an exposition piece by piece: other work of the process has its turn between two, and a slow scraper is waited for. */

import type { ServerResponse } from "node:http";
import { setImmediate } from "@inmesh/core/internal";
import type { MetricsPage } from "./metrics.js";

export async function writeMetrics(
  response: ServerResponse,
  { contentType, pieces }: MetricsPage,
  headOnly: boolean,
): Promise<void> {
  response.writeHead(200, {
    "content-type": contentType,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  if (headOnly) {
    response.end();
    return;
  }
  for (const piece of pieces) {
    if (response.destroyed) return;
    if (piece === "" || response.write(piece)) await new Promise<void>((resolve) => void setImmediate(resolve));
    else await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });
}
