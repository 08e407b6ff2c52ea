import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "@inmesh/core";
import { describe, expect, it } from "vitest";
import { COMMANDS } from "./commands.js";
import { run } from "./program.js";
import { TemporaryFolder } from "./testing/run-cli.js";

const PAGE = fileURLToPath(new URL("../../../docs/reference/cli.md", import.meta.url));
const BLOCK = /^```(.*)\n([\s\S]*?)^```$/gm;

/** What a terminal would show: both streams in the order they were written. */
async function shown(command: string, cwd: string): Promise<string> {
  let text = "";
  const write = (piece: string) => (text += piece);
  const argv = [...command.matchAll(/"([^"]*)"|(\S+)/g)].slice(1).map(([, quoted, plain]) => quoted ?? plain ?? "");
  await run(argv, {
    stdout: { write },
    stderr: { write },
    stdin: (async function* () {})(),
    env: {},
    cwd,
    clock: systemClock,
    user: "ann@laptop",
    signal: new AbortController().signal,
  });
  return text;
}

describe("docs/reference/cli.md", () => {
  it("shows what its commands print", async () => {
    const page = readFileSync(PAGE, "utf8");
    using folder = new TemporaryFolder();
    let ran = 0;
    const parts: string[] = [];
    let end = 0;
    for (const match of page.matchAll(BLOCK)) {
      const [whole, fence = "", body = ""] = match;
      const [, title] = /title=(\S+)/.exec(fence) ?? [];
      if (title !== undefined) folder.write(title, body);
      let text = body;
      if (fence === "console run") {
        text = "";
        for (const [, command = ""] of body.matchAll(/^\$ (.*)$/gm)) {
          ran += 1;
          text += `$ ${command}\n${await shown(command, folder.path)}`;
        }
      }
      parts.push(page.slice(end, match.index), `\`\`\`${fence}\n${text}\`\`\``);
      end = match.index + whole.length;
    }
    const wanted = [...parts, page.slice(end)].join("");
    if (process.env["INMESH_UPDATE_DOCS"] === "1") writeFileSync(PAGE, wanted);
    expect(ran).toBeGreaterThan(10);
    for (const { create, hidden } of COMMANDS) {
      const name = create({} as never).name();
      if (hidden !== true) expect(page, name).toMatch(new RegExp(`^### .*\`inmesh ${name}\\b`, "m"));
    }
    // On a difference: INMESH_UPDATE_DOCS=1 writes the page anew.
    expect(page).toBe(wanted);
  });
});
