/** Dumps of flight recorders that processes of this machine left in their state directories. */

import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { DUMP_ENDING, DUMP_FOLDER, type Dump, MOST_DUMP_BYTES, parseDump } from "@inmesh/core/internal";
import type { Io } from "../io.js";
import { statesOf } from "./states-of.js";

/** The newest files that are read. */
const MOST_FILES = 64;

/** Newest first. What cannot be read is left out: it is somebody else's, or gone. */
export async function readDumps({ env }: Io, also: readonly string[] = []): Promise<readonly Dump[]> {
  const base = statesOf(env);
  const owners = (await names(base)).map((owner) => join(base, owner, DUMP_FOLDER));
  const files = await Promise.all(
    owners.map(async (folder) => (await names(folder)).map((name) => join(folder, name))),
  );
  const dated = await Promise.all(
    [...files.flat().filter((file) => file.endsWith(DUMP_ENDING)), ...also].map(async (file) => {
      const found = await stat(file).catch(() => undefined);
      return found?.isFile() && found.size <= MOST_DUMP_BYTES ? [{ file, at: found.mtimeMs }] : [];
    }),
  );
  const newest = dated
    .flat()
    .sort((one, other) => other.at - one.at)
    .slice(0, MOST_FILES);
  const dumps = await Promise.all(newest.map(({ file }) => readFile(file, "utf8").then(parseDump, () => undefined)));
  return dumps.flatMap((dump) => dump ?? []);
}

async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
