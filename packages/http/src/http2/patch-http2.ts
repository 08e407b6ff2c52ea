/** `connect` of node:http2 for a whole process. */

import http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";
import type { HttpClient } from "../client/client.js";
import { replaceExport } from "../node/replace-export.js";
import { type ConnectFunction, meshedConnect } from "./http2-functions.js";

/** @returns undoes it, as far as nobody else has replaced it since */
export function patchHttp2(client: HttpClient): () => void {
  const undo = replaceExport(http2 as unknown as Record<string, unknown>, "connect", (original) =>
    meshedConnect(client, original as ConnectFunction),
  );
  syncBuiltinESMExports();
  return () => {
    undo();
    syncBuiltinESMExports();
  };
}
