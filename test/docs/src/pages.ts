/** Markdown pages of the project and the code blocks in them. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export interface Block {
  /** `docs/guides/canary.md:12`, where the block's first line stands. */
  readonly where: string;
  /** First word of the fence: `ts`, `yaml`, `sh`; empty for none. */
  readonly language: string;
  /** The other words of the fence: `run`, `bad`, `title=…`. */
  readonly tags: readonly string[];
  readonly text: string;
}

export interface Page {
  /** Relative to the root. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

export function readPages(): readonly Page[] {
  return [
    join(ROOT, "README.md"),
    ...markdown(join(ROOT, "docs")),
    ...markdown(join(ROOT, "packages")),
    ...markdown(join(ROOT, "examples")),
  ].map((file) => {
    const text = readFileSync(file, "utf8");
    const path = relative(ROOT, file);
    return { path, text, blocks: blocks(text, path) };
  });
}

function* markdown(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "dist") continue;
    if (entry.isDirectory()) yield* markdown(join(folder, entry.name));
    else if (entry.name.endsWith(".md")) yield join(folder, entry.name);
  }
}

function blocks(text: string, path: string): readonly Block[] {
  const found: Block[] = [];
  let open: { fence: string; language: string; tags: string[]; line: number; lines: string[] } | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*(`{3,})\s*(.*)$/.exec(line);
    if (open === undefined) {
      if (fence === null) continue;
      const [language = "", ...tags] = fence[2]!.trim().split(/\s+/); // both groups match
      open = { fence: fence[1]!, language, tags, line: index + 2, lines: [] };
    } else if (fence !== null && fence[1]!.length >= open.fence.length && fence[2] === "") {
      found.push({
        where: `${path}:${open.line}`,
        language: open.language,
        tags: open.tags,
        text: `${open.lines.join("\n")}\n`,
      });
      open = undefined;
    } else open.lines.push(line);
  }
  return found;
}
