/** The application's own metrics, fetched at a scrape and put behind the mesh's: one target for Prometheus. */

import { request } from "node:http";

/** In ms, and bytes: an application that answers late or for ever must not keep the mesh's metrics from being read. */
const LIMIT = { ms: 2_000, bytes: 16 * 2 ** 20 };

/** @returns empty when there is nothing to be had */
export function fetchAppended(url: string): Promise<string> {
  return new Promise((resolve) => {
    const asked = request(url, {
      headers: { accept: "text/plain;version=0.0.4" },
      signal: AbortSignal.timeout(LIMIT.ms),
      agent: false,
    });
    const nothing = (): void => resolve("");
    asked.once("error", nothing);
    asked.once("response", (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      response.on("data", (piece: Buffer) => {
        bytes += piece.length;
        if (bytes > LIMIT.bytes) asked.destroy();
        else pieces.push(piece);
      });
      response.once("error", nothing);
      response.once("close", nothing);
      response.once("end", () => resolve(response.statusCode === 200 ? Buffer.concat(pieces).toString("utf8") : ""));
    });
    asked.end();
  });
}
