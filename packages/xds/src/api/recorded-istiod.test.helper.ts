/** What a real istiod said (../shared/cases/istiod/README.md), read where it lies. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DISCOVERY } from "../generated/discovery.js";
import { decodeMessage, type RawAny } from "../proto/decode.js";
import { Schema } from "../proto/schema.js";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const { INMESH_CASES, INMESH_SHARED, INMESH_REQUIRE_PEERS } = process.env;
const CASES = INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases");
const FOLDER = join(CASES, "istiod");
const RESPONSE = "envoy.service.discovery.v3.DiscoveryResponse";
const schema = new Schema(DISCOVERY);

/** Undefined when the recordings are there, or must be. */
export function whyNoRecordings(): string | undefined {
  if (existsSync(FOLDER) || INMESH_REQUIRE_PEERS === "1") return undefined;
  return `no recordings of istiod at ${FOLDER}: set INMESH_CASES to the folder they are in`;
}

export function readCaseFile<File>(name: string): File {
  return JSON.parse(readFileSync(join(CASES, name), "utf8")) as File;
}

/** YAML that istiod read while it was recorded, by file; `mesh.yaml` with it. */
export function recordedConfig(): ReadonlyMap<string, string> {
  const folder = join(FOLDER, "config");
  const files = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), "utf8")] as const);
  return new Map([...files, ["mesh.yaml", readFileSync(join(FOLDER, "mesh.yaml"), "utf8")]]);
}

/** Bytes of resources by type URL. @param name of `raw/`, such as `api.sotw` */
export function recordedResources(name: string): ReadonlyMap<string, readonly Uint8Array[]> {
  const answers = JSON.parse(readFileSync(join(FOLDER, "raw", `${name}.json`), "utf8")) as {
    type: string;
    b64: string;
  }[];
  return new Map(
    answers.map(({ type, b64 }) => {
      const bytes = Buffer.from(b64, "base64");
      const { resources = [] } = decodeMessage(schema, RESPONSE, bytes, { any: "raw" }) as { resources?: RawAny[] };
      return [type, resources.map(({ value }) => value)];
    }),
  );
}
