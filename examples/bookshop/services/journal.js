/**
 * Lets the story prove what it says: each service notes every request at its arrival and once it is answered, in a file
 * of its own. Written at once and synchronously, so that a request that was cut by kill -9 is there without an answer.
 * Does nothing unless BOOKSHOP_JOURNAL names a folder.
 */

import { openSync, writeSync } from "node:fs";
import { join } from "node:path";

/** @param {string} service @param {string} [version] */
export function createJournal(service, version = "") {
  const folder = process.env.BOOKSHOP_JOURNAL;
  if (!folder) return { note() {}, watch() {} };
  const file = openSync(join(folder, `${service}.${process.pid}.ndjson`), "a", 0o600);
  const where = version === "" ? `${service}/${process.pid}` : `${service}/${version}/${process.pid}`;

  /** @param {string} id of the request @param {"arrived" | "answered" | "executed"} event */
  const note = (id, event) => void writeSync(file, `${JSON.stringify({ id, event, where, at: Date.now() })}\n`);

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  const watch = (request, response) => {
    const id = request.headers["x-request-id"];
    if (typeof id !== "string") return;
    note(id, "arrived");
    response.once("finish", () => note(id, "answered"));
  };
  return { note, watch };
}
