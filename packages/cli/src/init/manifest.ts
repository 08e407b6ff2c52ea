/** package.json: what it says, and one more script in it without touching a letter of the rest. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "@inmesh/core";
import { CliError, EXIT, systemReason } from "../exit.js";

export interface Manifest {
  readonly text: string;
  readonly name: string;
  readonly main: string | undefined;
  readonly scripts: Readonly<Record<string, string>>;
  /** Those for development included. */
  readonly dependencies: Readonly<Record<string, string>>;
}

/** @throws {CliError} when there is none in this folder, or it is no object of JSON */
export function readManifest(folder: string): Manifest {
  let text: string;
  try {
    text = readFileSync(join(folder, "package.json"), "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!missing) throw unusable(systemReason(error) ?? String(error), "Check its permissions.");
    throw new CliError(
      EXIT.bad,
      "there is no package.json in this folder",
      "Go to the folder of your service, or run: npm init -y",
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw unusable(messageOf(error), "Correct it; nothing was changed.");
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw unusable("it holds no object", "Correct it; nothing was changed.");
  }
  const { name, main, scripts, dependencies, devDependencies } = content as Record<string, unknown>;
  return {
    ...{ text, name: typeof name === "string" ? name : "", main: typeof main === "string" ? main : undefined },
    scripts: texts(scripts),
    dependencies: { ...texts(devDependencies), ...texts(dependencies) },
  };
}

/** @returns the text with that script, everything else as it stands */
export function withScript(text: string, name: string, command: string): string {
  const wanted = JSON.parse(text.replace(/^\uFEFF/, "")) as { scripts?: Record<string, string> };
  const known = wanted.scripts !== undefined && Object.hasOwn(wanted.scripts, name);
  const hadScripts = wanted.scripts !== undefined;
  wanted.scripts = { ...wanted.scripts, [name]: command };
  const indent = /^[ \t]+(?=")/m.exec(text)?.[0] ?? "  ";
  if (!known) {
    const edited = hadScripts
      ? insertLast(text, ["scripts"], `${JSON.stringify(name)}: ${JSON.stringify(command)}`, indent)
      : insertLast(
          text,
          [],
          `"scripts": {\n${indent}${indent}${JSON.stringify(name)}: ${JSON.stringify(command)}\n${indent}}`,
          indent,
        );
    if (edited !== undefined && isDeepStrictEqual(JSON.parse(edited.replace(/^\uFEFF/, "")), wanted)) return edited;
  }
  return `${JSON.stringify(wanted, null, indent)}\n`;
}

/** Puts a member at the end of an object of the text. @param path of keys to the object @returns undefined: not found */
function insertLast(text: string, path: readonly string[], member: string, indent: string): string | undefined {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;
  const keys: (string | undefined)[] = [];
  const opened: number[] = [];
  let lastString = "";
  let key: string | undefined;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [piece] = match;
    if (piece === "{" || piece === "[") {
      keys.push(key);
      opened.push(match.index);
    } else if (piece === "}" || piece === "]") {
      const here = keys.slice(1).join("\0") === path.join("\0") && keys.length === path.length + 1 && piece === "}";
      if (here) return spliced(text, opened.at(-1) ?? 0, match.index, path.length + 1, member, indent);
      keys.pop();
      opened.pop();
    } else if (piece === ":") key = JSON.parse(lastString) as string;
    else if (piece !== ",") lastString = piece;
  }
  return undefined;
}

/** Into the object that reaches from `from` to the closing brace at `at`. */
function spliced(text: string, from: number, at: number, depth: number, member: string, indent: string): string {
  const inside = text.slice(from + 1, at);
  if (depth > 1 && inside.trim() !== "" && !inside.includes("\n")) {
    return `${text.slice(0, at).trimEnd()}, ${member} ${text.slice(at)}`;
  }
  const before = text.slice(0, at).trimEnd();
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const comma = before.endsWith("{") ? "" : ",";
  const own = indent.repeat(depth);
  return `${before}${comma}${eol}${own}${member.replaceAll("\n", eol)}${eol}${indent.repeat(depth - 1)}${text.slice(at)}`;
}

function unusable(reason: string, advice: string): CliError {
  return new CliError(EXIT.bad, `package.json cannot be used: ${reason}`, advice);
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
