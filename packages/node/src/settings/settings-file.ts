/** inmesh.yaml in the working directory: the settings a repository keeps. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface SettingsFile {
  /** As shown in messages. */
  readonly path: string;
  /** Null prototype; empty when there is no file. */
  readonly values: Readonly<Record<string, unknown>>;
}

const NAME = "inmesh.yaml";

export type ParseYaml = typeof import("yaml").parseDocument;

/**
 * @param parse asked for when there is a file
 * @throws {Error} one line, when the file is there and says nothing that can be read
 */
export function readSettingsFile(cwd: string, parse: () => ParseYaml): SettingsFile {
  const path = join(cwd, NAME);
  const none: SettingsFile = { path: NAME, values: Object.create(null) };
  if (!existsSync(path)) return none;
  const document = parse()(readFileSync(path, "utf8"), { prettyErrors: true });
  const error = document.errors[0];
  if (error !== undefined) throw new Error(`${NAME} is no YAML: ${error.message.split("\n")[0]}`);
  const parsed: unknown = document.toJS({ maxAliasCount: 0 });
  if (parsed === null || parsed === undefined) return none;
  if (typeof parsed !== "object" || Array.isArray(parsed)) throw new Error(`${NAME} must be a mapping of settings`);
  return { path: NAME, values: Object.assign(Object.create(null), parsed) };
}
