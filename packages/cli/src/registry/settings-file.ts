/** What `inmesh.yaml` in the working directory says, as far as commands need it: the same keys a process reads there. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "@inmesh/core";
import { parse } from "yaml";
import { CliError, EXIT, systemReason } from "../exit.js";

export const SETTINGS_FILE = "inmesh.yaml";

export interface FileSettings {
  readonly service?: string;
  readonly namespace?: string;
  /** As written: relative to the file's folder. */
  readonly config?: string;
}

/** Empty without a file. @throws {CliError} when there is one that cannot be used */
export function readSettingsFile(cwd: string): FileSettings {
  let text: string;
  try {
    text = readFileSync(join(cwd, SETTINGS_FILE), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw unusable(systemReason(error) ?? String(error), "Check its permissions.");
  }
  let content: unknown;
  try {
    content = parse(text);
  } catch (error) {
    const [line = ""] = messageOf(error).split("\n");
    throw unusable(`it is no YAML: ${line.replace(/:$/, "")}`, "Correct it, or delete it.");
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw unusable("it holds no settings", "Write one setting a line, such as: service: reviews");
  }
  const found: Record<string, string> = {};
  for (const key of ["service", "namespace", "config"] as const) {
    const value = (content as Record<string, unknown>)[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== "string") throw unusable(`"${key}" is no text`, "Put it in quotes.");
    found[key] = value;
  }
  return found;
}

function unusable(reason: string, advice: string): CliError {
  return new CliError(EXIT.usage, `${SETTINGS_FILE} cannot be used: ${reason}`, advice);
}
